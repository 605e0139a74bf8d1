#include "plugins/hooks/stage_plan.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace std::chrono_literals;
using outpost::test::write_file;

namespace {

struct Site {
  void plugin(const std::string& name, const std::string& manifest, const std::vector<std::string>& stages) {
    if (!manifest.empty()) write_file(directory.path / name / "plugin.yml", "apiVersion: outpost/v1\nname: " + name + "\nversion: 1\n" + manifest);
    for (const auto& stage : stages) write_file(directory.path / name / "hooks" / stage, "#!/bin/sh\n");
    auto read = std::make_shared<const hooks::Plugin>(hooks::read_plugin(directory.path / name, name, "plugin.yml"));
    REQUIRE(hooks::text_of(read->diagnoses) == "");
    plugins.push_back(std::move(read));
  }

  /// "a b(why it is skipped)"
  std::string plan(job::Stage stage) {
    const auto steps = hooks::plan_stage(plugins, story, stage);
    REQUIRE(steps);
    std::string text;
    for (const auto& step : *steps) text += (text.empty() ? "" : " ") + step.plugin + (step.skipped.empty() ? "" : "(" + step.skipped + ")");
    return text;
  }

  test::TemporaryDirectory directory;
  std::vector<std::shared_ptr<const hooks::Plugin>> plugins;
  job::Story story;
};

}  // namespace

TEST_CASE("hooks of a stage run by their plugins' numbers, then as the job lists them; closing stages the other way round") {
  Site site;
  site.plugin("late", "order: 90\n", {"install", "cleanup"});
  site.plugin("plain", "", {"install", "cleanup"});
  site.plugin("middle", "order: 50\n", {"install", "cleanup"});
  site.plugin("early", "order: 0\n", {"install", "cleanup"});
  CHECK(site.plan(job::Stage::install) == "early plain middle late");
  for (const char* name : {"early", "plain", "middle", "late"}) site.story.steps.push_back({.id = name, .stage = job::Stage::install, .plugin = name});
  CHECK(site.plan(job::Stage::cleanup) == "late middle plain early");
}

TEST_CASE("a playbook that the manifest names is the hook of its stage, unless there is one in hooks/ too") {
  Site site;
  site.plugin("a", "hooks: {install: {playbook: plays/site.yml, timeout: 5min}}\n", {"test"});
  const auto steps = hooks::plan_stage(site.plugins, site.story, job::Stage::install);
  REQUIRE(steps);
  REQUIRE(steps->size() == 1);
  CHECK(steps->front().program == site.directory.path / "a/plays/site.yml");
  CHECK(steps->front().hook == "install");
  CHECK(steps->front().rules.timeout == 5min);
  CHECK(site.plan(job::Stage::test) == "a");
  site.plugin("b", "hooks: {install: {playbook: site.yml}}\n", {"install"});
  const auto both = hooks::plan_stage(site.plugins, site.story, job::Stage::install);
  REQUIRE_FALSE(both);
  CHECK(both.error().message.ends_with("hooks/install is there, and plugin.yml names site.yml for install: keep one"));
}

TEST_CASE("a plugin whose filters a job does not match is passed over, with the reason") {
  Site site;
  site.plugin("a", "when: {topic: [\"OCP-4.*\"], component_type: [ocp]}\n", {"install"});
  site.plugin("b", "when: {job: [\"*-nightly\"]}\n", {"install"});
  site.story.job.definition.topic = "RHEL-9";
  site.story.job.definition.name = "acme-nightly";
  CHECK(site.plan(job::Stage::install) == "a(topic: RHEL-9 matches none of OCP-4.*) b");
  site.story.job.definition.topic = "OCP-4.16";
  site.story.job.components = {{.type = "rhel"}};
  CHECK(site.plan(job::Stage::install) == "a(component_type: rhel matches none of ocp) b");
  site.story.job.components.push_back({.type = "ocp"});
  site.story.job.definition.name = "acme-weekly";
  CHECK(site.plan(job::Stage::install) == "a b(job: acme-weekly matches none of *-nightly)");
}

TEST_CASE("a plugin closes only what it has begun, unless it has nothing to begin") {
  Site site;
  site.plugin("installer", "order: 1\n", {"install", "collect"});
  site.plugin("tester", "order: 2\n", {"test", "collect"});
  site.plugin("watcher", "order: 3\n", {"collect"});
  site.plugin("plain", "", {"test", "collect"});
  site.story.steps.push_back({.id = "install.installer", .stage = job::Stage::install, .plugin = "installer"});
  CHECK(site.plan(job::Stage::collect) == "plain watcher tester(none of its hooks has run before) installer");
}

TEST_CASE("a step carries what the manifest says of its stage") {
  Site site;
  site.plugin("a", "hooks: {install: {timeout: 2h, grace: 5s, retries: 3, continue: true}}\nlimits: {log: 1MiB}\n", {"install", "test"});
  const auto install = hooks::plan_stage(site.plugins, site.story, job::Stage::install)->front().rules;
  CHECK(install.timeout == 2h);
  CHECK(install.grace == 5s);
  CHECK(install.retries == 3);
  CHECK(install.retry_on == std::vector<int>{69});
  CHECK(install.keep_going);
  CHECK(install.log_limit == 1ULL << 20);
  const auto other = hooks::plan_stage(site.plugins, site.story, job::Stage::test)->front().rules;
  CHECK_FALSE(other.timeout);
  CHECK(other.retries == 0);
}

TEST_CASE("who is told of the outcome, or looks at what hangs, need not have begun anything, and comes in the usual order") {
  Site site;
  for (const char* name : {"a", "b"}) site.plugin(name, "", {"test", "success", "failure", "on-timeout", "on-cancel"});
  site.plugin("c", "order: 1\n", {"test", "success", "failure", "on-timeout", "on-cancel"});
  for (const auto stage : {job::Stage::success, job::Stage::failure, job::Stage::on_timeout, job::Stage::on_cancel}) CHECK(site.plan(stage) == "c a b");
}
