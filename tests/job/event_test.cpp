#include "agent/job/event.hpp"

#include "agent/job/component.hpp"
#include "agent/job/job.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace outpost;
using namespace outpost::job;

namespace {

Event full_event() {
  Event event;
  event.journal_id = "j";
  event.seq = 7;
  event.event_id = "e";
  event.occurred_at = *parse_rfc3339("2026-11-20T22:12:12.000001Z");
  event.boot_id = "b";
  event.monotonic_ns = 12;
  event.host_id = "h";
  event.agent_version = "1";
  event.type = "step.ended";
  event.type_version = 1;
  event.actor = "plugin@sha256:1";
  event.job_id = "job";
  event.pipeline_run_id = "run";
  event.step_id = "install.acme";
  event.attempt = 2;
  event.causation_id = "c";
  event.chain_id = "chain";
  event.links = {{"cause", "e0"}};
  event.traceparent = "00-1-2-01";
  event.claim = Claim{"dci", "ref", "3"};
  event.subject = Subject{"pkg:rpm/acme", "sha256:2"};
  event.blobs = {{"logs/a.log", "abc", 10, "text/plain", "zstd", Blob::Range{5}}, {"b", "def", 1, "", "", std::nullopt}};
  event.data = {{"n", 1}};
  return event;
}

}  // namespace

TEST_CASE("an event survives its way through JSON") {
  const auto written = boost::json::serialize(to_json(full_event()));
  const auto read = event_from_json(boost::json::parse(written));
  REQUIRE(read);
  CHECK(boost::json::serialize(to_json(*read)) == written);
  CHECK(read->claim->fence == "3");
  CHECK(read->blobs.at(0).range->offset == 5);
  CHECK_FALSE(read->blobs.at(1).range);
  CHECK(read->attempt == 2);
}

TEST_CASE("fields of a newer version are kept") {
  auto json = to_json(full_event());
  json["tomorrow"] = boost::json::object{{"x", 1}};
  const auto read = event_from_json(json);
  REQUIRE(read);
  CHECK(to_json(*read).at("tomorrow").at("x") == 1);
}

TEST_CASE("what is not an event is malformed, whatever its fields are") {
  for (const char* text : {"[]", "{}", "1", R"({"type":"a"})", R"({"type":1,"occurred_at":"2026-11-20T00:00:00Z","seq":1})",
                           R"({"type":"a","occurred_at":"x","seq":1})", R"({"type":"a","occurred_at":"2026-11-20T00:00:00Z","seq":-1})"}) {
    CAPTURE(text);
    const auto read = event_from_json(boost::json::parse(text));
    REQUIRE(!read);
    CHECK(read.error().fault == Fault::malformed);
  }
  // Wrong types further inside are passed over, not trusted.
  const auto odd = event_from_json(boost::json::parse(
      R"({"type":"a","occurred_at":"2026-11-20T00:00:00Z","seq":1,"blobs":[1,{"path":2}],"links":{},"data":[],"claim":"x","attempt":"y"})"));
  REQUIRE(odd);
  CHECK(odd->blobs.size() == 1);
  CHECK(odd->attempt == 1);
}

TEST_CASE("a definition and its components survive their way through JSON") {
  Definition definition{.name = "n", .source = "dci", .topic = "4.16", .selections = {"ocp"}, .plugins = {"a", "b"}, .timeout = std::chrono::hours{3}};
  definition.options = {{"unpack", false}};
  CHECK(to_json(definition_from_json(to_json(definition))) == to_json(definition));
  Component component{.id = "1", .type = "ocp", .name = "OCP", .version = "4.16.3", .tags = {"build:ga"}, .data = {{"k", "v"}}};
  CHECK(to_json(component_from_json(to_json(component))) == to_json(component));
}

TEST_CASE("components of one type get directories of their own, and no name leaves its place") {
  const std::vector<Component> components{{.type = "ocp"}, {.type = "ocp"}, {.type = "../../etc"}, {.type = ""}, {.type = "my app"}};
  CHECK(directory_names(components) == std::vector<std::string>{"ocp", "ocp-2", "------etc", "component", "my-app"});
}
