// Signing in with tickets of a real realm, and what a builder makes of them: MIT's server and acceptor on loopback.
#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/kerberos_realm.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <optional>

namespace outpost::dlrn {
namespace {

using outpost::test::await;
using outpost::test::holds;

std::string decoded(std::string_view base64) {
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
class Realm : public outpost::test::KerberosRealm {
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

  KerberosAuthorization::Options tester() const {
    return {directory.path / "client.keytab", "tester@OUTPOST.TEST", "HTTP/builder.example.org@OUTPOST.TEST"};
  }
};

}  // namespace

TEST_CASE("tickets of a realm sign in at a builder, each token once") {
  if (!Realm::is_possible()) {
    std::puts("SKIPPED: Kerberos: krb5-kdc and krb5-admin-server are not installed");
    return;
  }
  const Realm realm;

  SECTION("trap: a token that was seen is refused, so each request has its own") {
    KerberosAuthorization authorization{realm.tester()};
    const auto first = await(authorization.header()), second = await(authorization.header());
    REQUIRE(first);
    REQUIRE(second);
    CHECK(*first != *second);
    CHECK(first->starts_with("Negotiate "));
    // Kerberos 5 itself, not wrapped: the original's own client does so too.
    CHECK(decoded(std::string_view{*first}.substr(10)).find("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02") != std::string::npos);
    CHECK(realm.accepted(*first) == "tester@OUTPOST.TEST");
    CHECK(realm.accepted(*second) == "tester@OUTPOST.TEST");
    CHECK_FALSE(realm.accepted(*first));
    CHECK(authorization.user() == "tester@OUTPOST.TEST");
  }
  SECTION("the keytab's own principal will do, and a host without a realm") {
    auto options = realm.tester();
    options.principal.clear();
    options.server = "HTTP@builder.example.org";
    KerberosAuthorization authorization{options};
    const auto header = await(authorization.header());
    REQUIRE(header);
    CHECK(realm.accepted(*header) == "tester@OUTPOST.TEST");
  }
  SECTION("a keytab that was replaced is used for the next request") {
    auto options = realm.tester();
    options.principal.clear();
    KerberosAuthorization authorization{options};
    const auto before = await(authorization.header());
    REQUIRE(before);
    realm.replace(options.keytab, "successor");
    const auto after = await(authorization.header());
    REQUIRE(after);
    CHECK(realm.accepted(*after) == "successor@OUTPOST.TEST");
  }
  SECTION("after a refusal no ticket of before is used: the builder's keys may have been exchanged") {
    KerberosAuthorization authorization{realm.tester()};
    REQUIRE(await(authorization.header()));
    std::filesystem::remove(realm.directory.path / "server.keytab");
    realm.administrate("ktadd -k " + (realm.directory.path / "server.keytab").string() + " HTTP/builder.example.org");
    const auto outdated = await(authorization.header());
    REQUIRE(outdated);
    CHECK_FALSE(realm.accepted(*outdated));
    authorization.refused();
    const auto fresh = await(authorization.header());
    REQUIRE(fresh);
    CHECK(realm.accepted(*fresh) == "tester@OUTPOST.TEST");
  }
  SECTION("what cannot work is told with where and what") {
    auto options = realm.tester();
    options.server = "HTTP/other.example.org@OUTPOST.TEST";
    KerberosAuthorization unknown_server{options};
    const auto no_ticket = await(unknown_server.header());
    REQUIRE_FALSE(no_ticket);
    CHECK(no_ticket.error().fault == Fault::credentials);
    CHECK_THAT(no_ticket.error().message, holds("for a ticket to HTTP/other.example.org@OUTPOST.TEST"));
    options = realm.tester();
    options.keytab = "/nowhere/keytab";
    KerberosAuthorization no_keytab{options};
    CHECK_THAT(await(no_keytab.header()).error().message, holds("Kerberos: /nowhere/keytab: "));
  }
}

}  // namespace outpost::dlrn
