// What becomes of a job when its source does not simply grant the claim.
#include "daemon/agent_world.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

TEST_CASE("a claim that is refused for good is an alarm until the next is granted") {
  AgentWorld world;
  world.source.claim_failures = {Error{Fault::refused, "topic is not active"}};
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.until([&] { return world.alarmed("claim:nightly"); });
  const auto& alarm = world.alarms->active().at("claim:nightly");
  CHECK(alarm.kind == "claim");
  CHECK(alarm.message.find("topic is not active") != std::string::npos);
  CHECK(alarm.message.find(world.job_ids()[0]) != std::string::npos);
  world.settle();
  world.offer({"2", "1"});
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(1) == "success");
  CHECK_FALSE(world.alarmed("claim:nightly"));
}

TEST_CASE("a claim that meets refused credentials waits with an alarm until a poll is answered") {
  AgentWorld world;
  world.source.claim_failures = {Error{Fault::credentials, "the signature is wrong"}};
  world.start();
  world.until([&] { return world.alarmed("credentials:fake"); });
  CHECK_THAT(world.alarms->active().at("credentials:fake").message, holds("waits to be claimed: the signature is wrong"));
  CHECK(world.state(0) == "claiming");
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "success");
  CHECK_FALSE(world.alarmed("credentials:fake"));
}

TEST_CASE("a claim that the server neither grants nor refuses is shown, and is an alarm after a while") {
  AgentWorld world;
  world.source.claim_failures.assign(3, Error{Fault::retry_later, "500 on POST /jobs"});
  std::vector<std::string> shown;
  world.source.on_ask = [&] {
    if (world.source.claims == 2 && shown.empty()) {
      shown.emplace_back(world.agent->status()["jobs"].at("running").at(0).at("claim_error").as_string());
      CHECK_FALSE(world.alarmed("claiming:nightly/" + world.job_ids().at(0)));
      world.clock.moved = std::chrono::minutes{20};
    }
    if (world.source.claims == 3) {
      REQUIRE(world.alarmed("claiming:nightly/" + world.job_ids().at(0)));
      shown.push_back(world.alarms->active().at("claiming:nightly/" + world.job_ids().at(0)).message);
    }
  };
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.settle();
  CHECK(world.state(0) == "success");
  REQUIRE(shown.size() >= 2);
  CHECK(shown[0] == "500 on POST /jobs");
  CHECK_THAT(shown.back(), holds("is not claimed since 2") && holds("500 on POST /jobs; it is tried again"));
  CHECK_FALSE(world.alarmed("claiming:nightly/" + world.job_ids().at(0)));
}

TEST_CASE("a claim that is given up does not take back the alarm of another of its definition") {
  AgentWorld world;
  world.settings.slots = 2;
  world.settings.jobs[0].backlog = config::Backlog::all;
  world.offer({"2", "1"});
  world.source.claim_failures.assign(1000, Error{Fault::retry_later, "500 on POST /jobs"});
  world.start();
  world.until([&] { return world.count(event::job_queued) == 2; });
  const auto ids = world.job_ids();
  const std::string first = "claiming:nightly/" + ids[0], second = "claiming:nightly/" + ids[1];
  world.until([&] {
    world.clock.moved += std::chrono::minutes{1};
    return world.alarmed(first) && world.alarmed(second);
  });
  CHECK_THAT(world.alarms->active().at(first).message, holds("outpost job cancel " + ids[0] + " gives it up as soon as the server says"));
  REQUIRE(world.cancel(ids[0], "not worth it"));
  world.until([&] { return !world.alarmed(first); });
  world.settle();
  CHECK(world.alarmed(second));
  world.source.claim_failures.clear();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.settle();
  CHECK_FALSE(world.alarmed(second));
}

TEST_CASE("a job that is not claimed before its window closes waits, and gives way to a newer one") {
  AgentWorld world;
  world.settings.jobs[0].windows = {*config::Window::parse("18:00-06:00 UTC")};
  const auto evening = *parse_rfc3339("2026-11-26T19:00:00Z") - SystemClock{}.now();
  const auto noon = evening + std::chrono::hours{17};
  world.clock.moved = std::chrono::duration_cast<std::chrono::microseconds>(evening);
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  world.source.on_ask = [&] { world.clock.moved = std::chrono::duration_cast<std::chrono::microseconds>(noon); };
  world.start();
  world.until([&] { return world.count(event::claim_postponed) == 1; });
  world.settle();
  CHECK(world.state(0) == "waiting");
  CHECK(world.agent->status()["slots"].at("busy") == 0);
  world.start();  // It waits after a restart too, without asking anybody.
  world.settle();
  CHECK(world.state(0) == "waiting");
  world.source.on_ask = nullptr;
  SECTION("the window opens again") {
    world.clock.moved += std::chrono::hours{7};
    world.poll();
    world.offer({"2", "1"});
    world.poll();
  }
  SECTION("a newer component comes first") {
    world.offer({"2", "1"});
    world.poll();
    CHECK(world.state(0) == "withdrawn");
    world.clock.moved += std::chrono::hours{7};
    world.offer({"3", "2", "1"});
    world.poll();
  }
  world.until([&] { return world.count(event::job_ended) >= 1; });
}
