#include "plugins/dlrn/kerberos/gssapi_library.hpp"

#include <dlfcn.h>

#include <mutex>
#include <optional>
#include <string>

namespace outpost::dlrn {
namespace {

class Symbols {
 public:
  explicit Symbols(const char* library) : library_{::dlopen(library, RTLD_NOW | RTLD_LOCAL)} { note_failure(!library_); }

  template <class Function>
  void find(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(address(name));
  }
  /// What the headers declare as variables that hold an OID.
  void find_oid(gss_OID& oid, const char* name) {
    if (const void* variable = address(name)) oid = *static_cast<const gss_OID*>(variable);
  }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  void* address(const char* name) {
    void* found = library_ ? ::dlsym(library_, name) : nullptr;
    note_failure(!found);
    return found;
  }
  void note_failure(bool failed) {
    if (!failed || !failure_.empty()) return;
    const char* words = ::dlerror();
    failure_ = words ? words : "it cannot be loaded";
  }

  void* library_;  ///< Never closed: it keeps state of its own.
  std::string failure_;
};

Error missing(const std::string& words) {
  return {Fault::credentials,
          "Kerberos: this system has no library for it that we can use; it is in the package krb5-libs (Fedora, RHEL) or "
          "libgssapi-krb5-2 (Debian): " + words};
}

}  // namespace

Result<const GssapiLibrary*> GssapiLibrary::load() {
  static std::mutex mutex;
  static std::optional<GssapiLibrary> loaded;
  const std::lock_guard guard{mutex};
  if (loaded) return &*loaded;
  GssapiLibrary library{};
  Symbols gssapi{"libgssapi_krb5.so.2"}, krb5{"libkrb5.so.3"};
  gssapi.find(library.import_name, "gss_import_name");
  gssapi.find(library.release_name, "gss_release_name");
  gssapi.find(library.acquire_cred_from, "gss_acquire_cred_from");
  gssapi.find(library.release_cred, "gss_release_cred");
  gssapi.find(library.init_sec_context, "gss_init_sec_context");
  gssapi.find(library.delete_sec_context, "gss_delete_sec_context");
  gssapi.find(library.display_status, "gss_display_status");
  gssapi.find(library.release_buffer, "gss_release_buffer");
  gssapi.find_oid(library.mechanism, "gss_mech_krb5");
  gssapi.find_oid(library.principal_name, "GSS_KRB5_NT_PRINCIPAL_NAME");
  gssapi.find_oid(library.hostbased_service, "GSS_C_NT_HOSTBASED_SERVICE");
  krb5.find(library.init_context, "krb5_init_context");
  krb5.find(library.free_context, "krb5_free_context");
  krb5.find(library.cc_resolve, "krb5_cc_resolve");
  krb5.find(library.cc_destroy, "krb5_cc_destroy");
  if (!gssapi.failure().empty()) return missing(gssapi.failure());
  if (!krb5.failure().empty()) return missing(krb5.failure());
  return &loaded.emplace(library);
}

}  // namespace outpost::dlrn
