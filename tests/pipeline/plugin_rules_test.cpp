// What plugins may ask for their steps, and what a job keeps of its plugins.
#include "pipeline/runner_world.hpp"

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;
namespace event = job::event;
using Kind = job::StepEnding::Kind;

TEST_CASE("what a job took of its plugins is written down before its first step") {
  RunnerWorld world{{.name = "nightly", .source = "fake", .plugins = {"acme"}}};
  const auto story = world.run();
  REQUIRE(story.plugins);
  REQUIRE(story.plugins->size() == 1);
  CHECK(story.plugins->front().digest == "digest-of-acme");
  const auto types = world.types();
  const auto taken = std::find(types.begin(), types.end(), event::plugins_taken);
  CHECK(std::count(types.begin(), taken, event::claim_granted) == 1);
  CHECK(std::count(types.begin(), taken, event::step_started) == 0);
  CHECK(world.count(event::plugins_taken) == 1);
}

TEST_CASE("a job whose plugins cannot be taken is an error, and is closed") {
  RunnerWorld world;
  world.steps.taking_fails = Error{Fault::unavailable, "plugin \"acme\" is not installed"};
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "plugin-missing");
  CHECK(world.steps.ran.front() == "collect.acme");
}

TEST_CASE("a step that is passed over is told with the reason, and is no failure") {
  RunnerWorld world;
  world.steps.skips["install.acme"] = "topic: RHEL-9 matches none of OCP-*";
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(std::find(world.steps.ran.begin(), world.steps.ran.end(), "install.acme") == world.steps.ran.end());
  const auto events = *world.journal.read({.job_id = "job-1", .limit = 1000});
  const auto skipped = std::find_if(events.begin(), events.end(), [](const auto& one) { return one.type == event::step_skipped; });
  REQUIRE(skipped != events.end());
  CHECK(job::text_at(skipped->data, "reason") == "topic: RHEL-9 matches none of OCP-*");
}

TEST_CASE("a failing step that says continue fails the job and lets it go on") {
  RunnerWorld world;
  world.steps.rules["certify.acme"].keep_going = true;
  world.steps.endings["certify.acme"] = {{Kind::exited, 3, {}}};
  SECTION("to its end") {
    const auto story = world.run();
    CHECK(story.describe() == "failure");
    CHECK(story.judgement->message == "certify: acme/certify exited with status 3");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "test.acme") == 1);
    CHECK(story.stage(job::Stage::certify)->outcome == "failed");
    CHECK(story.stage(job::Stage::test)->outcome == "ok");
  }
  SECTION("until something fails that does not") {
    world.steps.rules["install.acme"].keep_going = true;
    world.steps.endings["install.acme"] = {{Kind::exited, 2, {}}};
    world.steps.rules["certify.acme"].keep_going = false;
    const auto story = world.run();
    CHECK(story.judgement->message == "install: acme/install exited with status 2");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "test.acme") == 0);
  }
  SECTION("and is not forgotten when the agent dies afterwards") {
    auto story = world.told();
    world.run();
    const auto events = *world.journal.read({.job_id = "job-1", .limit = 1000});
    const auto failing = std::find_if(events.begin(), events.end(), [](const auto& one) { return one.type == event::job_failing; });
    REQUIRE(failing != events.end());
    RunnerWorld next;
    next.steps.rules = world.steps.rules;
    std::vector<job::Event> before{events.begin() + 1, failing + 1};
    REQUIRE(await(next.loop, next.journal.append(before)));
    next.source.jobs.emplace(next.told().claim_id, "remote-1");
    CHECK(next.run().describe() == "failure");
    CHECK(std::count(next.steps.ran.begin(), next.steps.ran.end(), "test.acme") == 1);
  }
}

TEST_CASE("a step is tried again as often as its plugin says, after the statuses that it names") {
  RunnerWorld world;
  world.steps.rules["install.acme"].retries = 2;
  world.steps.rules["install.acme"].retry_on = {69, 1};
  SECTION("and goes well") {
    world.steps.endings["install.acme"] = {{Kind::exited, 1, {}}, {Kind::exited, 69, {}}};
    CHECK(world.run().describe() == "success");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "install.acme") == 3);
  }
  SECTION("and fails as the last one did") {
    world.steps.endings["install.acme"] = {{Kind::exited, 1, {}}, {Kind::exited, 1, {}}, {Kind::exited, 69, {}}};
    const auto story = world.run();
    CHECK(story.judgement->reason == "unavailable");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "install.acme") == 3);
  }
  SECTION("but not after others") {
    world.steps.endings["install.acme"] = {{Kind::exited, 2, {}}};
    CHECK(world.run().describe() == "failure");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "install.acme") == 1);
  }
}

TEST_CASE("the time limit and the grace of a step are its plugin's, within the job's") {
  RunnerWorld world{{.name = "nightly", .source = "fake", .timeout = 1h, .grace = 30s}};
  world.steps.rules["install.acme"] = {.timeout = 5min, .grace = 7s};
  world.steps.rules["test.acme"].timeout = 9h;
  world.run();
  CHECK(world.steps.limits["install.acme"] == std::pair{std::chrono::milliseconds{5min}, std::chrono::milliseconds{7s}});
  CHECK(world.steps.limits["test.acme"].first <= 1h);
  CHECK(world.steps.limits["certify.acme"].second == 30s);
}
