#pragma once

#include "support/catch.hpp"
#include "support/kerberos_realm.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <openssl/evp.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace outpost::test {

inline std::string decoded(std::string_view base64) {
  std::string bytes(base64.size(), '\0');
  const int size = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  while (base64.ends_with('=')) {
    bytes.pop_back();
    base64.remove_suffix(1);
  }
  return bytes;
}

/// A realm, and a builder's side of it.
class AcceptingRealm : public KerberosRealm {
 public:
  /// Whom a builder would take the sender of this header for; nothing when it refuses it.
  std::optional<std::string> accepted(std::string_view header) const {
    const std::string keytab = directory.path / "server.keytab";
    std::array<gss_key_value_element_desc, 1> places{{{"keytab", keytab.c_str()}}};
    const gss_key_value_set_desc store{places.size(), places.data()};
    gss_cred_id_t credentials = GSS_C_NO_CREDENTIAL;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_name_t client = GSS_C_NO_NAME;
    gss_buffer_desc answer{}, name{};
    OM_uint32 minor = 0, ignored = 0;
    REQUIRE_FALSE(GSS_ERROR(::gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET, GSS_C_ACCEPT, &store, &credentials, nullptr, nullptr)));
    std::string token = decoded(header.substr(std::string_view{"Negotiate "}.size()));
    gss_buffer_desc given{token.size(), token.data()};
    const OM_uint32 major = ::gss_accept_sec_context(&minor, &context, credentials, &given, GSS_C_NO_CHANNEL_BINDINGS, &client, nullptr, &answer, nullptr, nullptr, nullptr);
    std::optional<std::string> principal;
    if (major == GSS_S_COMPLETE && !GSS_ERROR(::gss_display_name(&minor, client, &name, nullptr))) {
      CHECK(answer.length == 0);  // One leg: the builder would have nowhere to put a second.
      principal = std::string{static_cast<const char*>(name.value), name.length};
    }
    ::gss_release_buffer(&ignored, &name);
    ::gss_release_buffer(&ignored, &answer);
    ::gss_release_name(&ignored, &client);
    ::gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    ::gss_release_cred(&ignored, &credentials);
    return principal;
  }
};

}  // namespace outpost::test
