#pragma once

#include "agent/base/result.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

namespace outpost::dlrn {

/// What we call of MIT's GSSAPI. It is loaded when the first builder wants a ticket: most agents never ask for one, and
/// would carry six libraries about all day, which every command would have to load too.
struct GssapiLibrary {
  decltype(&::gss_import_name) import_name;
  decltype(&::gss_release_name) release_name;
  decltype(&::gss_acquire_cred_from) acquire_cred_from;
  decltype(&::gss_release_cred) release_cred;
  decltype(&::gss_init_sec_context) init_sec_context;
  decltype(&::gss_delete_sec_context) delete_sec_context;
  decltype(&::gss_display_status) display_status;
  decltype(&::gss_release_buffer) release_buffer;
  gss_OID mechanism;          ///< gss_mech_krb5.
  gss_OID principal_name;     ///< GSS_KRB5_NT_PRINCIPAL_NAME.
  gss_OID hostbased_service;  ///< GSS_C_NT_HOSTBASED_SERVICE.

  decltype(&::krb5_init_context) init_context;
  decltype(&::krb5_free_context) free_context;
  decltype(&::krb5_cc_resolve) cc_resolve;
  decltype(&::krb5_cc_destroy) cc_destroy;

  /// The library, which stays loaded from then on. From any thread. credentials: this system has none, or one too old;
  /// says which package it is in. The next call looks again.
  static Result<const GssapiLibrary*> load();
};

}  // namespace outpost::dlrn
