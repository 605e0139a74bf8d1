// What the agent leaves when it stops or dies, and what its next start makes of that.
#include "daemon/agent_world.hpp"

#include <algorithm>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

TEST_CASE("after a crash open jobs go on in their order, and nothing runs twice") {
  BusyWorld world;
  world.settings.jobs.push_back({.name = "weekly", .source = "fake", .topic = "T", .reporters = {"fake"}});
  world.start();  // The first died while a hook of it ran.
  world.steps.hangs.clear();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(0) == "error");
  CHECK(world.story(0).judgement->reason == "agent-restarted");
  CHECK(world.state(1) == "success");
  CHECK(world.source.jobs.size() == 2);
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "install.acme") == 2);
}

TEST_CASE("a job whose events a damaged journal may have lost is closed as error, and none of its hooks runs again") {
  BusyWorld world;
  world.appear({"2", "1"});
  world.kill();
  const auto ran = world.steps.ran;
  for (const auto& id : world.job_ids()) world.append(daemon::make_event(event::job_history_lost, id, {{"message", "damaged"}}));
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) + world.count(event::job_withdrawn) == 2; });
  CHECK(world.state(0) == "error");
  CHECK(world.story(0).judgement->reason == "journal-damaged");
  CHECK(world.state(1) == "withdrawn");
  CHECK(world.source.jobs.size() == 1);
  std::vector<std::string> since{world.steps.ran.begin() + static_cast<std::ptrdiff_t>(ran.size()), world.steps.ran.end()};
  CHECK(since == std::vector<std::string>{"collect.acme", "release.acme", "cleanup.acme"});
}

TEST_CASE("what a job was made for counts as seen, also when a damaged journal has lost that event") {
  BusyWorld world;
  world.kill();
  world.journal.lose(event::component_seen);
  world.start();
  world.settle();
  world.poll();
  CHECK(world.count(event::job_queued) == 1);
}

TEST_CASE("jobs that waited before a crash are claimed in the order in which they were queued") {
  BusyWorld world;
  for (const char* name : {"b", "c"}) world.settings.jobs.push_back({.name = name, .source = "fake", .topic = "T", .reporters = {"fake"}});
  world.steps.hangs = "collect.acme";
  world.start();
  world.until([&] { return world.job_ids().size() == 3; });
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 3; });
  std::vector<std::string> claimed;
  for (const auto& granted : world.events(event::claim_granted)) claimed.push_back(granted.job_id);
  CHECK(claimed == world.job_ids());
}

TEST_CASE("stopping, a job that waits is left for the next start") {
  BusyWorld world;
  world.appear({"2", "1"});
  world.stop();
  world.until_ended();
  CHECK(world.state(0) == "killed");
  CHECK(world.steps.reasons.back() == "agent-stop");
  CHECK(world.steps.ran.back() == "cleanup.acme");
  CHECK(world.state(1) == "waiting");
  CHECK(world.count(event::agent_stopping) == 1);
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(1) == "success");
}

TEST_CASE("stopping, a claim whose server is away is left for the next start, which finds it") {
  AgentWorld world;
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  world.source.failed_claim_happened = true;
  world.source.find_failures.assign(1000, Error{Fault::retry_later, "connection refused"});
  world.start();
  world.until([&] { return world.source.finds >= 2; });
  world.stop();
  world.until_ended();
  CHECK(world.state(0) == "claiming");
  world.source.find_failures.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "success");
  CHECK(world.source.jobs.size() == 1);
}

TEST_CASE("stopping, a job that is being closed is closed to its end, with its verdict") {
  AgentWorld world;
  world.checkpoint = [&](std::string_view point) {
    if (point == "job.verdict") world.agent->stop("SIGTERM");
  };
  world.start();
  world.until_ended();
  CHECK(world.state(0) == "success");
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("stopping, a journal that cannot be written does not keep the agent for ever") {
  BusyWorld world;
  world.agent_options.journal_patience = std::chrono::milliseconds{0};
  world.steps.hangs = "install.acme";
  world.start();
  world.steps.ran.clear();
  world.offer({"2", "1"});
  world.poll();
  world.until([&] { return !world.steps.ran.empty() && world.steps.ran.back() == "install.acme"; });
  world.journal.disk_full = true;
  world.stop();
  world.until_ended();
  CHECK(world.alarmed("journal"));
  CHECK_FALSE(world.story(1).ended);
  world.journal.disk_full = false;
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.story(1).judgement->reason == "agent-restarted");
}

TEST_CASE("the alarm about the journal ends as soon as it can be written again") {
  BusyWorld world;
  world.journal.disk_full = true;
  world.appear({"2", "1"});
  CHECK(world.alarmed("journal"));
  world.journal.disk_full = false;
  world.append(daemon::make_event(event::job_tagged, {}, {}));
  CHECK_FALSE(world.alarmed("journal"));
}

TEST_CASE("a job of a source that is no longer configured is kept until somebody decides") {
  AgentWorld world;
  world.settings.resources["cluster"] = {.name = "cluster"};
  world.settings.jobs[0].resources = {"cluster"};
  world.steps.hangs = "install.acme";
  world.start();
  world.until([&] { return !world.steps.ran.empty() && world.steps.ran.back() == "install.acme"; });
  world.offer({"2", "1"});
  world.poll();
  const auto before = world.settings;
  world.settings.sources.clear();
  world.settings.jobs.clear();
  world.start();
  world.settle();
  for (const auto& id : world.job_ids()) CHECK(world.alarmed("orphan:" + id));
  CHECK(world.agent->status()["resources"].at("cluster").at("held_by") == boost::json::value(world.job_ids()[0]));
  SECTION("configured again, they go on") {
    world.settings = before;
    world.steps.hangs.clear();
    world.start();
    world.until([&] { return world.count(event::job_ended) == 2; });
    CHECK(world.state(0) == "error");
    CHECK(world.state(1) == "success");
  }
  SECTION("cancelled, the one that waited is withdrawn and the other is closed") {
    world.steps.ran.clear();
    for (const auto& id : world.job_ids()) REQUIRE(world.cancel(id, "the server is gone"));
    world.until([&] { return world.count(event::job_ended) == 1; });
    world.settle();
    CHECK(world.state(0) == "killed");
    CHECK(world.steps.ran == std::vector<std::string>{"collect.acme", "release.acme", "cleanup.acme"});
    CHECK(world.state(1) == "withdrawn");
    CHECK(world.agent->status()["resources"].at("cluster").at("held_by").is_null());
  }
  for (const auto& id : world.job_ids()) CHECK_FALSE(world.alarmed("orphan:" + id));
}

TEST_CASE("after a restart it is seen anew whether something is stuck, also when the alarm was acknowledged") {
  AgentWorld world;
  world.start();
  world.alarms->raise("fake/stuck", "stuck", "item x does not get through");
  SECTION("it is up") {}
  SECTION("it was acknowledged") { CHECK(world.alarms->acknowledge("fake/stuck")); }
  world.settle();
  world.start();
  CHECK_FALSE(world.alarmed("fake/stuck"));
  world.alarms->raise("fake/stuck", "stuck", "item y does not get through");
  CHECK(world.alarmed("fake/stuck"));
  world.settle();
}

TEST_CASE("after a restart nobody cannot make out an event until one has come, also when the alarm was acknowledged") {
  AgentWorld world;
  world.start();
  for (const char* key : {"fake/expand/step.ended", "gone/expand/step.ended"}) world.alarms->raise(key, "expand", "its reporter cannot report step.ended");
  world.alarms->raise("fake/parked/expand/x", "parked", "x");
  SECTION("it is up") {}
  SECTION("it was acknowledged") { CHECK(world.alarms->acknowledge("fake/expand/step.ended")); }
  world.settle();
  world.start();
  CHECK_FALSE(world.alarmed("fake/expand/step.ended"));
  CHECK_FALSE(world.alarmed("gone/expand/step.ended"));  // Its source is not configured any more.
  CHECK(world.alarmed("fake/parked/expand/x"));
  world.alarms->raise("fake/expand/step.ended", "expand", "reporter fake cannot report step.ended");
  CHECK(world.alarmed("fake/expand/step.ended"));
  world.settle();
}

TEST_CASE("what is no longer configured raises no alarm after a restart") {
  AgentWorld world;
  world.start();
  for (const char* key : {"credentials:old", "poll:old", "old/credentials", "no-component:gone", "topic:gone", "bug:polling old"}) world.alarms->raise(key, "degraded", "x");
  world.alarms->raise("old/parked/x", "parked", "what never reached its server");
  world.settle();
  world.start();
  world.settle();
  CHECK(world.alarms->active().size() == 1);
}

TEST_CASE("after a restart the first request tells whether a reporter's credentials are still refused") {
  AgentWorld world;
  world.start();
  world.until([&] { return world.source.polls == 1; });
  world.settle();
  world.alarms->raise("fake/credentials", "credentials", "refused");
  world.settle();
  world.start();
  CHECK(world.alarmed("fake/credentials"));
  world.until([&] { return world.source.polls == 2; });
  CHECK_FALSE(world.alarmed("fake/credentials"));
}
