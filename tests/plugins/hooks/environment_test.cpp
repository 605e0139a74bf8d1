#include "plugins/hooks/environment.hpp"

#include "support/catch.hpp"

#include <map>

using namespace outpost;
using namespace outpost::hooks;

namespace {

job::Story story_of_a_claimed_job() {
  job::Story story;
  story.job.id = "019e0000-0000-7000-8000-000000000001";
  story.job.definition.name = "nightly";
  story.job.definition.topic = "OCP-4.16";
  story.job.components = {{.id = "c1", .type = "ocp", .version = "4.16.3", .url = "http://x"}, {.id = "c2", .type = "my-app", .version = "2"}};
  story.claim.external_ref = "remote-1";
  story.document = {{"team_id", "team-1"}, {"pipeline_id", "pipe-1"}, {"remoteci_id", "rci-1"}};
  return story;
}

pipeline::StepRequest request_for(const job::Story& story, job::Stage stage) {
  return {.step = {stage, "acme", std::string{to_string(stage)}, "/p/hooks/x", "/p"},
          .step_id = "install.acme",
          .attempt = 1,
          .reason = "normal",
          .story = story,
          .directory = {"/jobs/1"},
          .component_paths = {{"c1", "/jobs/1/components/ocp"}},
          .timeout = std::chrono::minutes{2},
          .grace = std::chrono::seconds{30}};
}

std::map<std::string, std::string> variables(const pipeline::StepRequest& request) {
  std::map<std::string, std::string> map;
  for (const auto& variable : hook_environment({.request = request, .secrets = "/run/s", .resources = {{"cluster", {{"hosts", {"h"}}}}},
                                                .inherited = {"HTTP_PROXY=http://p"}, .now = *parse_rfc3339("2026-11-20T12:00:00Z")})) {
    const auto equals = variable.find('=');
    map[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return map;
}

}  // namespace

TEST_CASE("a hook gets the variables of the contract") {
  const auto story = story_of_a_claimed_job();
  auto given = variables(request_for(story, job::Stage::install));
  const std::map<std::string, std::string> expected{
      {"OUTPOST", "1"}, {"OUTPOST_API", "1"}, {"OUTPOST_POINT", "install"}, {"OUTPOST_REASON", "normal"}, {"OUTPOST_ATTEMPT", "1"}, {"OUTPOST_REBOOT_COUNT", "0"},
      {"OUTPOST_DEADLINE", "2026-11-20T12:02:00.000000Z"}, {"OUTPOST_TIMEOUT", "120"}, {"OUTPOST_GRACE", "30"}, {"OUTPOST_PLUGIN", "acme"},
      {"OUTPOST_PLUGIN_DIR", "/p"}, {"OUTPOST_JOB_ID", "remote-1"}, {"OUTPOST_LOCAL_JOB_ID", story.job.id}, {"OUTPOST_JOB_NAME", "nightly"},
      {"OUTPOST_TEAM_ID", "team-1"}, {"OUTPOST_PIPELINE_ID", "pipe-1"}, {"OUTPOST_REMOTECI_ID", "rci-1"}, {"OUTPOST_TOPIC", "OCP-4.16"}, {"OUTPOST_JOB_JSON", "/jobs/1/job.json"},
      {"OUTPOST_COMPONENTS", "/jobs/1/components"}, {"OUTPOST_COMPONENT_OCP_VERSION", "4.16.3"}, {"OUTPOST_COMPONENT_OCP_URL", "http://x"},
      {"OUTPOST_COMPONENT_OCP_PATH", "/jobs/1/components/ocp"}, {"OUTPOST_COMPONENT_MY_APP_VERSION", "2"}, {"OUTPOST_WORKSPACE", "/jobs/1/workspace"},
      {"OUTPOST_STATE", "/jobs/1/state/acme"}, {"OUTPOST_SHARED", "/jobs/1/shared"}, {"OUTPOST_TMP", "/jobs/1/steps/install.acme/tmp"},
      {"OUTPOST_ARTIFACTS", "/jobs/1/steps/install.acme/artifacts"}, {"OUTPOST_RESULTS", "/jobs/1/steps/install.acme/results"},
      {"OUTPOST_SECRETS", "/run/s"}, {"OUTPOST_RESOURCES", R"({"cluster":{"hosts":["h"]}})"}, {"HOME", "/jobs/1/steps/install.acme/tmp/home"},
      {"CI", "true"}, {"LANG", "C.UTF-8"}, {"TZ", "UTC"}, {"HTTP_PROXY", "http://p"}};
  for (const auto& [name, value] : expected) {
    CAPTURE(name);
    CHECK(given[name] == value);
  }
  CHECK(given["PATH"].starts_with("/usr/libexec/outpost/bin:"));
  CHECK(given["TRACEPARENT"].starts_with("00-019e0000000070008000000000000001-"));
  CHECK_FALSE(given.contains("OUTPOST_RESULT_SO_FAR"));

  auto resumed = request_for(story, job::Stage::install);
  resumed.reason = "resume";
  resumed.reboots = 2;
  CHECK(variables(resumed).at("OUTPOST_REASON") == "resume");
  CHECK(variables(resumed).at("OUTPOST_REBOOT_COUNT") == "2");
}

TEST_CASE("closing stages are told how the job went") {
  auto story = story_of_a_claimed_job();
  story.judgement = judge(job::Stage::test, "acme", "test", {job::StepEnding::Kind::exited, 3, {}});
  auto given = variables(request_for(story, job::Stage::collect));
  CHECK(given["OUTPOST_RESULT_SO_FAR"] == "failure");
  CHECK(given["OUTPOST_FAILED_POINT"] == "test");
  CHECK(given["OUTPOST_FAILED_PLUGIN"] == "acme");
  CHECK(given["OUTPOST_EXIT_STATUS"] == "3");
  story.judgement = job::Judgement{.verdict = job::Verdict::killed, .reason = "cancelled"};
  CHECK(variables(request_for(story, job::Stage::release))["OUTPOST_RESULT_SO_FAR"] == "cancelled");
}

TEST_CASE("a hook of DCI's sees its own job, whatever the agent and other hooks have set") {
  auto story = story_of_a_claimed_job();
  story.environment = {{"DCI_JOB_ID", "another"}, {"ACME_MODE", "fast"}};
  ::setenv("DCI_CS_URL", "https://other.example.org", 1);
  hooks::Manifest manifest;
  manifest.dci_variables = true;
  manifest.environment = {"DCI_*"};
  const auto request = request_for(story, job::Stage::install);
  std::multimap<std::string, std::string> seen;
  for (const auto& variable : hook_environment({.request = request, .manifest = &manifest, .server = "https://api.example.org", .now = Timestamp{}}))
    seen.emplace(variable.substr(0, variable.find('=')), variable.substr(variable.find('=') + 1));
  ::unsetenv("DCI_CS_URL");
  CHECK(seen.count("DCI_JOB_ID") == 1);
  CHECK(seen.find("DCI_JOB_ID")->second == story.claim.external_ref);
  CHECK(seen.count("DCI_CS_URL") == 1);
  CHECK(seen.find("DCI_CS_URL")->second == "https://api.example.org");
  CHECK(seen.find("ACME_MODE")->second == "fast");
}

TEST_CASE("nothing that a server says can make a second variable or cut one short") {
  auto story = story_of_a_claimed_job();
  story.job.components[0].version = std::string{"4\0LD_PRELOAD=/x", 15};
  story.job.components[1].type = "a=b\nLD_PRELOAD";
  const auto request = request_for(story, job::Stage::install);
  for (const auto& variable : hook_environment({.request = request, .now = Timestamp{}})) {
    CHECK(variable.find('\0') == std::string::npos);
    const auto name = variable.substr(0, variable.find('='));
    CHECK(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos);
  }
}
