// Signing in with tickets of a real realm, and what a builder makes of them: MIT's server and acceptor on loopback.
#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"

#include "realm.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <cstdio>
#include <cstdlib>

namespace outpost::dlrn {
namespace {

using outpost::test::await;
using outpost::test::decoded;
using outpost::test::holds;

class Realm : public outpost::test::AcceptingRealm {
 public:
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
    options.keytab.clear();
    ::setenv("KRB5CCNAME", ("FILE:" + (realm.directory.path / "no-tickets").string()).c_str(), 1);
    KerberosAuthorization no_tickets{options};
    CHECK_THAT(await(no_tickets.header()).error().message, holds("Kerberos: the tickets of this user"));
    options = realm.tester();
    options.keytab = "/nowhere/keytab";
    KerberosAuthorization no_keytab{options};
    CHECK_THAT(await(no_keytab.header()).error().message, holds("Kerberos: /nowhere/keytab: "));
  }
}

}  // namespace outpost::dlrn
