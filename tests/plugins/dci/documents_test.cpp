#include "plugins/dci/documents.hpp"

#include "agent/base/text.hpp"
#include "plugins/dci/test_data.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::dci {
namespace {

namespace json = boost::json;

json::object recorded_job() {
  const auto answers = test::recorded("recorded-answers.json");
  return json::parse(test::text(answers.at("081-job-get").at("body"))).at("job").get_object();
}

TEST_CASE("trap: the job document for hooks has no api_secret, registry or free-form data of others") {
  const auto job = recorded_job();
  REQUIRE(json::serialize(job).find("api_secret") != std::string::npos);  // The recorded server does send it.
  REQUIRE(json::serialize(job).find("registry") != std::string::npos);
  const std::string document = json::serialize(job_document(job));
  for (const char* word : {"api_secret", "xdg2MOicVzvHdvLVviIq", "registry", "password", "login", "etag"})
    CHECK(document.find(word) == std::string::npos);
  const auto parsed = job_document(job);
  CHECK(parsed.at("topic").at("name") == "T1-223157");
  CHECK(parsed.at("remoteci").get_object().size() == 3);
  CHECK(parsed.at("components").get_array().size() == 2);
  CHECK(parsed.at("components").at(0).at("version") == "10.1-20251031.0");
}

TEST_CASE("secrets are taken out at any depth, and nothing else") {
  json::value value = json::parse(R"({"a": [{"api_secret": 1, "name": "x", "deep": {"Pull_Secret": 2, "dbPassword": 3,
    "access_token": 4, "api-key": 6, "X-API_Key": 6, "ssh_private_key": 7, "private-key": 7, "aws_access_key": 8,
    ".dockerconfigjson": 9, "registry": {"login": "u"}, "keep": [1, {"credentials": 5}]}}], "key": "k", "value": 1})");
  strip_secrets(value);
  CHECK(bool(value == json::parse(R"({"a": [{"name": "x", "deep": {"keep": [1, {}]}}], "key": "k", "value": 1})")));
}

TEST_CASE("a component keeps what hooks need and loses the secrets of its data") {
  const auto component = component_of({{"id", "i"},
                                       {"type", "ocp"},
                                       {"display_name", "OpenShift 4.16.3"},
                                       {"tags", json::array{"build:ga"}},
                                       {"released_at", "2025-11-01T00:00:00"},
                                       {"data", {{"pull_url", "quay.io/x"}, {"registry", {{"password", "p"}}}}}});
  CHECK(component.name == "OpenShift 4.16.3");
  CHECK(component.tags == std::vector<std::string>{"build:ga"});
  CHECK(json::serialize(component.data) == R"({"pull_url":"quay.io/x"})");
}

TEST_CASE("text for the server is one line of UTF-8 and not too long") {
  CHECK(plain_text("line\nnext\x01", 255) == "line\\nnext\\x01");
  CHECK(plain_text("caf\xE9", 255) == "caf\\xe9");
  std::string accents;
  for (int i = 0; i < 300; ++i) accents += "é";
  const std::string cut = plain_text(accents, 255);
  CHECK(is_utf8(cut));
  CHECK(cut.size() == 252 * 2 + 3);
  CHECK(plain_text(std::string(255, 'x'), 255).size() == 255);
  CHECK(plain_text(std::string(256, 'x'), 255).size() == 255);
}

}  // namespace
}  // namespace outpost::dci
