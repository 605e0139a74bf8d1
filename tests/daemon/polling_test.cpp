// Sources that refuse, keep silent or cannot be understood: what is claimed meanwhile, and what is said about it.
#include "daemon/agent_world.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

TEST_CASE("a source that refuses us is an alarm until it does not, and nothing of it is claimed meanwhile") {
  BusyWorld world;
  world.appear({"2", "1"});
  world.source.poll_failure = Error{Fault::credentials, "the signature is wrong"};
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.alarmed("credentials:fake"); });
  world.until([&] { return world.count(event::job_ended) == 1; });  // What was claimed is finished.
  world.settle();
  CHECK(world.state(1) == "waiting");
  CHECK(world.agent->status()["state"] == "degraded");
  world.start();
  CHECK(world.alarmed("credentials:fake"));
  world.source.poll_failure.reset();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK_FALSE(world.alarmed("credentials:fake"));
  CHECK(world.state(1) == "success");
}

TEST_CASE("answers that nobody can read are an alarm, silence is one after a while") {
  AgentWorld world;
  SECTION("malformed") {
    world.source.poll_failure = Error{Fault::malformed, "HTML where JSON was due"};
    world.start();
    world.until([&] { return world.alarmed("poll:fake"); });
  }
  SECTION("away") {
    world.source.poll_failure = Error{Fault::retry_later, "connection refused"};
    world.start();
    world.until([&] { return world.source.polls == 1; });
    world.poll();
    CHECK_FALSE(world.alarmed("poll:fake"));
    world.clock.moved = std::chrono::minutes{20};
    world.poll();
    CHECK(world.alarmed("poll:fake"));
  }
  world.source.poll_failure.reset();
  world.poll();
  CHECK_FALSE(world.alarmed("poll:fake"));
}

TEST_CASE("one definition that its source refuses does not hold up another") {
  AgentWorld world;
  world.settings.jobs.push_back({.name = "broken", .source = "fake", .topic = "unknown", .reporters = {"fake"}});
  world.source.poll_failures.emplace("broken", Error{Fault::refused, "topic \"unknown\": not found"});
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "success");
  CHECK_FALSE(world.alarmed("credentials:fake"));
}

TEST_CASE("each definition whose topic is not there has an alarm of its own, which ends by itself") {
  AgentWorld world;
  for (const char* name : {"lost", "mistyped"}) {
    world.settings.jobs.push_back({.name = name, .source = "fake", .topic = name, .reporters = {"fake"}});
    world.source.poll_failures.emplace(name, Error{Fault::refused, std::string{"topic \""} + name + "\": not found"});
  }
  world.start();
  world.until([&] { return world.alarmed("topic:lost") && world.alarmed("topic:mistyped"); });
  const auto& alarm = world.alarms->active().at("topic:lost");
  CHECK(alarm.kind == "topic");
  CHECK_THAT(alarm.message, holds("jobs.lost: topic \"lost\": not found; correct the job"));
  CHECK(daemon::fix_of(alarm) == "outpost doctor D09");
  CHECK_FALSE(world.alarmed("topic:nightly"));
  CHECK_FALSE(world.alarmed("credentials:fake"));
  world.until([&] { return !world.agent->status()["sources"].at(0).at("last_error").as_string().empty(); });
  CHECK_THAT(std::string{world.agent->status()["sources"].at(0).at("last_error").as_string()}, holds("jobs.lost: topic \"lost\": not found; and 1 more job is refused"));
  world.source.poll_failures.erase("lost");
  world.poll();
  world.until([&] { return !world.alarmed("topic:lost"); });
  CHECK(world.alarmed("topic:mistyped"));
  world.source.poll_failures.clear();
  world.poll();
  world.until([&] { return !world.alarmed("topic:mistyped"); });
  CHECK(world.agent->status()["sources"].at(0).at("last_error") == "");
}

TEST_CASE("what is waiting for a topic that is refused meanwhile is not claimed before it is there again") {
  BusyWorld world;
  world.appear({"2", "1"});
  world.source.poll_failure = Error{Fault::refused, "topic \"T\": not found"};
  world.start();
  world.until([&] { return world.alarmed("topic:nightly"); });
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });  // What was claimed is finished.
  world.settle();
  CHECK(world.state(1) == "waiting");
  CHECK_THAT(std::string{world.agent->status()["jobs"].at("waiting").at(0).at("waits_for").as_string()}, holds("topic \"T\": not found"));
  world.source.poll_failure.reset();
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(1) == "success");
}

TEST_CASE("a definition that is refused is asked for ever more seldom, the others as before") {
  AgentWorld world;
  world.settings.sources["fake"].poll = std::chrono::milliseconds{1};
  world.settings.jobs.push_back({.name = "broken", .source = "fake", .topic = "unknown", .reporters = {"fake"}});
  world.source.poll_failures.emplace("broken", Error{Fault::refused, "topic \"unknown\": not found"});
  world.start();
  world.until([&] { return world.source.polls_of["nightly"] >= 64; });
  CHECK(world.source.polls_of["broken"] >= 2);
  CHECK(world.source.polls_of["broken"] <= 7);  // After 1, 3, 7, 15, 31 and 63.
}

TEST_CASE("a definition that was left out of polls is asked for in each while none is answered") {
  AgentWorld world;
  world.settings.sources["fake"].poll = std::chrono::milliseconds{1};
  world.settings.sources["fake"].credentials_retry = std::chrono::milliseconds{1};
  world.settings.jobs.push_back({.name = "broken", .source = "fake", .topic = "unknown", .reporters = {"fake"}});
  world.source.poll_failures.emplace("broken", Error{Fault::refused, "topic \"unknown\": not found"});
  world.start();
  world.until([&] { return world.source.polls_of["nightly"] >= 64; });  // It is left out of the next 60.
  Fault fault{};
  SECTION("because the other is refused too") { fault = Fault::refused; }
  SECTION("because our credentials are refused") { fault = Fault::credentials; }
  SECTION("because the server is silent") { fault = Fault::retry_later; }
  world.source.poll_failures.emplace("nightly", Error{fault, "no"});
  const unsigned others = world.source.polls_of["nightly"], before = world.source.polls_of["broken"];
  world.until([&] { return world.source.polls_of["nightly"] >= others + 4; });
  CHECK(world.source.polls_of["broken"] >= before + 2);
}

TEST_CASE("a selection that nothing can ever match is an alarm of its definition") {
  AgentWorld world;
  world.source.offers.push_back({"opc", {}, "the topic T has no component type \"opc\""});
  world.start();
  world.until([&] { return world.alarmed("topic:nightly"); });
  CHECK_THAT(world.alarms->active().at("topic:nightly").message, holds("jobs.nightly: the topic T has no component type"));
  world.source.offers.pop_back();
  world.poll();
  world.until([&] { return !world.alarmed("topic:nightly"); });
}

TEST_CASE("a poll that does not begin when it is due is overdue, one that takes long is not", "[agent]") {
  AgentWorld world;
  world.settings.sources["fake"].poll = std::chrono::minutes{10};
  world.start();
  world.until([&] { return world.source.polls > 0; });
  world.settle();
  const auto now = std::chrono::steady_clock::now();
  CHECK(world.agent->overdue(now) == "");
  CHECK(world.agent->overdue(now + std::chrono::minutes{7}) == "");  // It is due after 7.5 to 12.5 minutes.
  CHECK_THAT(world.agent->overdue(now + std::chrono::minutes{20}), holds("a poll of fake should have begun"));
  world.stop();
  world.until_ended();
  CHECK(world.agent->overdue(now + std::chrono::minutes{20}) == "");
}
