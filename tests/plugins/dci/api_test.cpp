#include "plugins/dci/api.hpp"

#include "agent/base/hash.hpp"
#include "plugins/dci/fake_client.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>

namespace outpost::dci {
namespace {

using outpost::test::await;
using test::answer;
using test::FakeClient;
using test::FixedClock;
using test::lab;

struct Fixture {
  FakeClient client;
  FixedClock clock;
  Api api = *Api::make(client, clock, lab, "http://127.0.0.1:5000/");

  Reply send(Call call) { return await(api.send(std::move(call))); }
};

/// What a server would compute from the request that it got.
std::string expected_authorization(const test::Seen& seen, const std::string& host, Timestamp now) {
  return sign({seen.method, seen.target, host, sha256_hex(seen.body)}, lab, now).authorization;
}

TEST_CASE("each request is signed when it is sent, with the host that the client will send") {
  Fixture f;
  f.client.handler = [](const test::Seen&) { return answer(200, {{"identity", {{"id", "x"}}}}); };
  Call call{.path = "/api/v1/identity", .key = "identity"};
  CHECK(f.send(call).ok());
  CHECK(f.client.seen[0].headers.get("X-DCI-Date") == "20261120T221212Z");
  CHECK(f.client.seen[0].headers.get("Authorization") ==
        expected_authorization(f.client.seen[0], "127.0.0.1:5000", f.clock.time));
  f.clock.time += std::chrono::minutes{20};
  CHECK(f.send(call).ok());
  CHECK(f.client.seen[1].headers.get("X-DCI-Date") == "20261120T223212Z");
  CHECK(f.client.seen[1].headers.get("Authorization") ==
        expected_authorization(f.client.seen[1], "127.0.0.1:5000", f.clock.time));
}

TEST_CASE("a port that is the scheme's own is not part of the signed host, a prefix is part of the path") {
  FakeClient client;
  FixedClock clock;
  client.handler = [](const test::Seen&) { return answer(200, {{"identity", {{"id", "x"}}}}); };
  const Api api = *Api::make(client, clock, lab, "https://api.example.org:443/dci/");
  CHECK(await(api.send({.path = "/api/v1/identity", .key = "identity"})).ok());
  CHECK(client.seen[0].target == "/dci/api/v1/identity");
  CHECK(client.seen[0].headers.get("Authorization") ==
        expected_authorization(client.seen[0], "api.example.org", clock.time));
}

TEST_CASE("paths and parameters are percent-encoded exactly once") {
  Fixture f;
  f.client.handler = [](const test::Seen&) { return answer(200, {{"topics", boost::json::array{}}}); };
  CHECK(f.send({.path = "/api/v1/components/x/files/a b%+.rpm",
                .query = {{"where", "name:naïve a+b&c"}},
                .key = "topics",
                .rows = true})
            .ok());
  CHECK(f.client.seen[0].target == "/api/v1/components/x/files/a%20b%25%2B.rpm?where=name%3Ana%C3%AFve%20a%2Bb%26c");
}

TEST_CASE("trap: blank values break the signature, so they are never sent") {
  Fixture f;
  const auto blank = f.send({.path = "/api/v1/jobs", .query = {{"where", ""}}, .key = "jobs"});
  CHECK(blank.judged.meaning == Meaning::refused);
  CHECK(blank.judged.message.find("where") != std::string::npos);
  CHECK_FALSE(f.send({.path = "/api/v1/jobs", .query = {{"where", "a:b"}, {"where", "c:d"}}, .key = "jobs"}).ok());
  CHECK(f.client.seen.empty());
}

TEST_CASE("trap: limit needs offset") {
  Fixture f;
  CHECK_FALSE(f.send({.path = "/api/v1/jobs", .query = {{"limit", "2"}}, .key = "jobs"}).ok());
  CHECK(f.client.seen.empty());
  f.client.handler = [](const test::Seen&) {
    return answer(200, {{"jobs", boost::json::array{}}, {"_meta", {{"count", 0}}}});
  };
  CHECK(await(f.api.list({.path = "/api/v1/jobs", .key = "jobs"}, [](const auto&) { return true; })).ok());
  CHECK(f.client.seen[0].parameter("limit") == "200");
  CHECK(f.client.seen[0].parameter("offset") == "0");
}

TEST_CASE("a list is read to its end, even if the server gives less than was asked for") {
  Fixture f;
  f.client.handler = [](const test::Seen& seen) {
    boost::json::array rows;
    for (int i = std::stoi(seen.parameter("offset")), end = std::min(i + 3, 7); i < end; ++i)
      rows.emplace_back(boost::json::object{{"id", i}});
    return answer(200, {{"files", rows}, {"_meta", {{"count", 7}}}});
  };
  std::vector<std::int64_t> ids;
  const auto reply =
      await(f.api.list({.path = "/api/v1/jobs/x/files", .key = "files"}, [&](const boost::json::object& row) {
        ids.push_back(row.at("id").get_int64());
        return true;
      }));
  CHECK(reply.ok());
  CHECK(ids == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK(f.client.seen.size() == 3);
}

TEST_CASE("a list stops where the reader has seen enough, and at an error") {
  Fixture f;
  f.client.handler = [](const test::Seen&) {
    return answer(200, {{"files", {{{"id", 1}}, {{"id", 2}}}}, {"_meta", {{"count", 9}}}});
  };
  int rows = 0;
  CHECK(await(f.api.list({.path = "/x", .key = "files"}, [&](const auto&) { return ++rows < 1; })).ok());
  CHECK(rows == 1);
  f.client.handler = [](const test::Seen&) { return test::page(502); };
  CHECK(await(f.api.list({.path = "/x", .key = "files"}, [&](const auto&) { return true; })).judged.meaning ==
        Meaning::retry_later);
}

TEST_CASE("JSON bodies are application/json and nothing is ever a form") {
  Fixture f;
  f.client.handler = [](const test::Seen&) { return answer(201, {{"jobstate", {{"id", "x"}}}}); };
  CHECK(f.send({.method = "POST",
                .path = "/api/v1/jobstates",
                .key = "jobstate",
                .body = boost::json::object{{"comment", "hé"}}})
            .ok());
  CHECK(f.client.seen[0].headers.get("Content-Type") == "application/json");
  CHECK(f.client.seen[0].headers.get("Authorization") ==
        expected_authorization(f.client.seen[0], "127.0.0.1:5000", f.clock.time));
  for (const std::string type : {"application/x-www-form-urlencoded", "Multipart/form-data; boundary=x", ""}) {
    f.client.seen.clear();
    CHECK(f.send({.method = "POST",
                  .path = "/api/v1/files",
                  .key = "jobstate",
                  .body = Raw{std::string{"x"}, sha256_hex("x"), type}})
              .ok());
    CHECK(f.client.seen[0].headers.get("Content-Type") == "application/octet-stream");
  }
}

TEST_CASE("the client's name is in both headers and short enough to create jobs with") {
  Fixture f;
  f.client.handler = [](const test::Seen&) { return answer(200, {{"identity", {{"id", "x"}}}}); };
  CHECK(f.send({.path = "/api/v1/identity", .key = "identity"}).ok());
  CHECK(f.client.seen[0].headers.get("User-Agent") == agent_name());
  CHECK(f.client.seen[0].headers.get("Client-Version") == agent_name());
  CHECK(agent_name().starts_with("outpost/"));
  CHECK(agent_name().size() <= 255);
}

TEST_CASE("the secret is in no header and in no message") {
  Fixture f;
  f.client.handler = [](const test::Seen&) -> Result<http::Response> {
    return test::refusal(400, "HmacMechanism failed: signature is invalid");
  };
  const auto reply = f.send({.path = "/api/v1/identity", .key = "identity"});
  CHECK(reply.judged.message.find(lab.secret) == std::string::npos);
  for (const auto& [name, value] : f.client.seen[0].headers) CHECK(value.find(lab.secret) == std::string::npos);
}

TEST_CASE("a url that cannot be one is an error at once") {
  FakeClient client;
  FixedClock clock;
  CHECK_FALSE(Api::make(client, clock, lab, "api.example.org"));
  CHECK_FALSE(Api::make(client, clock, lab, "ftp://api.example.org"));
  CHECK_FALSE(Api::make(client, clock, lab, "https://user:pw@api.example.org"));
  CHECK_FALSE(Api::make(client, clock, lab, "https://api.example.org/?x=1"));
  CHECK(Api::make(client, clock, lab, "https://api.example.org//")->url() == "https://api.example.org");
}

}  // namespace
}  // namespace outpost::dci
