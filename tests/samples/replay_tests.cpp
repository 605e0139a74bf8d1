#include "samples/control-server/replay/comparison.hpp"
#include "samples/control-server/replay/recording.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json.hpp>

namespace outpost::test {
namespace {

using namespace replay;
namespace json = boost::json;

constexpr auto id_a = "aaaaaaaa-0000-4000-8000-000000000001", id_b = "bbbbbbbb-0000-4000-8000-000000000002";
constexpr auto etag_a = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", etag_b = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
constexpr auto etag_c = "cccccccccccccccccccccccccccccccc", etag_d = "dddddddddddddddddddddddddddddddd";

struct Fixture {
  Mapping mapping;
  Comparison comparison{mapping};

  std::vector<std::string> differences(const std::string& recorded, const std::string& live, int gaps = 0) {
    Pair pair;
    pair.method = "GET";
    pair.target = "/api/v1/x";
    pair.status = 200;
    pair.answer = json::parse(recorded);
    return comparison.compare(pair, {200, {}, live, false, true}, gaps).differences;
  }
  static std::string object(const std::string& id, const std::string& etag, const std::string& more = "") {
    return R"({"x": {"id": ")" + id + R"(", "etag": ")" + etag + "\"" + more + "}}";
  }
};

TEST_CASE("ids and times are learned once and must stay") {
  Fixture f;
  CHECK(f.differences(R"({"id": ")" + std::string{id_a} + R"(", "at": "2026-11-20T22:32:00.6"})",
                      R"({"id": ")" + std::string{id_b} + R"(", "at": "2026-11-21T00:00:00"})")
            .empty());
  CHECK(f.mapping.translate("/jobs/" + std::string{id_a} + "/files?where=job_id%3A" + id_a) ==
        "/jobs/" + std::string{id_b} + "/files?where=job_id%3A" + id_b);
  CHECK(f.differences(R"({"id": ")" + std::string{id_a} + "\"}", R"({"id": ")" + std::string{id_a} + "\"}").size() ==
        1);
  CHECK(f.differences(R"({"at": "2026-11-20T22:32:00.600000"})", R"({"at": "2026-11-21T00:00:01"})").size() == 1);
  CHECK(f.mapping.live_moment("2026-11-20T22:33:00.000000") == "2026-11-21T00:00:00.000001");
  CHECK(f.mapping.live_moment("2025-01-01T00:00:00.000000") == "2025-01-01T00:00:00.000000");
}

TEST_CASE("keys, types, literals and lengths must be the same") {
  Fixture f;
  CHECK(f.differences(R"({"a": 1, "duration": 3, "v": 2.0})", R"({"a": 1, "duration": 9, "v": 2})").size() == 0);
  CHECK(f.differences(R"({"j": {"duration": 3}})", R"({"j": {"duration": 9}})").empty());
  CHECK(f.differences(R"({"a": 1})", R"({"a": 2})").size() == 1);
  CHECK(f.differences(R"({"a": 1})", R"({"a": "1"})").size() == 1);
  CHECK(f.differences(R"({"a": null})", R"({"a": ""})").size() == 1);
  CHECK(f.differences(R"({"a": 1})", R"({"a": 1, "b": 1})").size() == 1);
  CHECK(f.differences(R"({"a": 1, "b": 1})", R"({"a": 1})").size() == 1);
  CHECK(f.differences(R"({"a": [1, 2]})", R"({"a": [1]})").size() == 1);
  CHECK(f.differences(R"({"a": "x"})", "<html>").size() == 1);
}

TEST_CASE("an etag changes when it did in the recording, and only then") {
  Fixture f;
  CHECK(f.differences(f.object(id_a, etag_a), f.object(id_b, etag_c)).empty());
  CHECK(f.differences(f.object(id_a, etag_a), f.object(id_b, etag_d)).size() == 1);
  CHECK(f.differences(f.object(id_a, etag_b), f.object(id_b, etag_c)).size() == 1);
  CHECK(f.differences(f.object(id_a, etag_b), f.object(id_b, etag_d)).empty());
}

TEST_CASE("what changed where the recording has a gap is compared by type") {
  Fixture f;
  REQUIRE(
      f.differences(f.object(id_a, etag_a, R"(, "state": "active")"), f.object(id_b, etag_c, R"(, "state": "active")"))
          .empty());
  CHECK(f.differences(f.object(id_a, etag_b, R"(, "state": "inactive")"),
                      f.object(id_b, etag_c, R"(, "state": "active")"), 1)
            .empty());
  CHECK(f.differences(f.object(id_a, etag_b, R"(, "state": "inactive")"), f.object(id_b, etag_c, R"(, "state": 1)"), 1)
            .size() == 1);
}

TEST_CASE("a part of a body is made whole when its hash says how") {
  TemporaryDirectory directory;
  const auto record = [&](const char* name, const json::object& request) {
    const json::object pair{
        {"name", name}, {"request", request}, {"response", {{"status", 201}, {"headers", json::object{}}}}};
    write_file(directory.path / name, json::serialize(pair));
  };
  // SHA-256 of 1000 times "x".
  record("002-whole.json", {{"method", "POST"},
                            {"target", "/"},
                            {"raw_body", "xx"},
                            {"body", {{"text", "xx"}, {"bytes", 1000}}},
                            {"raw_body_sha256", "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f"}});
  record("001-lost.json", {{"method", "POST"},
                           {"target", "/"},
                           {"raw_body", "xx"},
                           {"body", {{"text", "xx"}, {"bytes", 10}}},
                           {"raw_body_sha256", "00"}});
  write_file(directory.path / "credentials.json",
             R"({"lab": {"client_id": "remoteci/1", "api_secret": "s"}, "team_id": "t"})");
  const auto recording = read_recording({directory.path});
  REQUIRE(recording);
  REQUIRE(recording->pairs.size() == 2);
  CHECK(recording->pairs[0].name == "001-lost.json");
  CHECK(recording->pairs[0].body.size() == 10);
  CHECK_FALSE(recording->pairs[0].body_doubt.empty());
  CHECK(recording->pairs[1].body == std::string(1000, 'x'));
  CHECK(recording->pairs[1].body_doubt.empty());
  CHECK(recording->secrets.at("remoteci/1") == "s");
  write_file(directory.path / "003-broken.json", "{");
  const auto broken = read_recording({directory.path});
  REQUIRE_FALSE(broken);
  CHECK(broken.error().message.find("003-broken.json") != std::string::npos);
}

}  // namespace
}  // namespace outpost::test
