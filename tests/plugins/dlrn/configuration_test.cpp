#include "agent/config/load.hpp"
#include "plugins/dlrn/dlrn.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace outpost::dlrn {
namespace {

using outpost::test::holds;

/// What `outpost config check` says of a source with these keys and a job with this selection; "" when it is right.
std::string problems(const std::string& source, const std::string& selection = "consistent", const std::string& login = "credentials: login, ") {
  const outpost::test::TemporaryDirectory directory;
  outpost::test::write_file(directory.path / "outpost.yml", "sources:\n  builder: {type: dlrn, " + login + source +
                                                                "}\njobs:\n  - {name: j, source: builder, plugins: [p], components: [" + selection + "]}\n");
  const std::vector<config::SourceType> types{source_type()};
  const auto loaded = config::load(directory.path / "outpost.yml", {}, types);
  return loaded ? "" : loaded.error().text();
}

const std::string addresses = "url: https://b.example.org/api, tree: https://b.example.org/tree";

TEST_CASE("a builder is two addresses and a login, and its jobs need no topic") {
  CHECK(problems(addresses) == "");
  CHECK(problems(addresses + ", authentication: basic, protected_reads: true, logs_url: \"https://l/{job}\"") == "");
  CHECK_THAT(problems("url: https://b.example.org/api"), holds("tree") && holds("web tree of the builder"));
  CHECK_THAT(problems("tree: https://b.example.org/tree"), holds("url"));
}

TEST_CASE("Kerberos needs a keytab instead of credentials, and nobody else has one") {
  CHECK(problems(addresses + ", authentication: kerberos, keytab: k, principal: a@B, server_principal: HTTP/b@B", "consistent", "") == "");
  CHECK_THAT(problems(addresses, "consistent", ""), holds("credentials"));
  CHECK_THAT(problems(addresses + ", authentication: kerberos"), holds("outpost.yml:2:") && holds("needs keytab"));
  CHECK_THAT(problems(addresses + ", keytab: k"), holds("keytab is for authentication: kerberos"));
  CHECK_THAT(problems(addresses + ", authentication: digest"), holds("\"digest\" is not a way to sign in"));
}

TEST_CASE("a selection that cannot be meant is found when the configuration is read") {
  CHECK(problems(addresses, "{promoted: tested, component: compute}") == "");
  CHECK_THAT(problems(addresses, "\"../evil\""), holds("../evil"));
  CHECK_THAT(problems(addresses, "{promote: tested}"), holds("did you mean \"promoted\""));
}

}  // namespace
}  // namespace outpost::dlrn
