// pause, resume and drain: what is claimed, what is not, and what a restart makes of it.
#include "daemon/agent_world.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;
namespace json = boost::json;

namespace {

struct ClaimsWorld : AgentWorld {
  using Answer = Result<json::object>;
  Answer ask(std::function<boost::asio::awaitable<Answer>()> call) {
    std::optional<Answer> answer;
    boost::asio::co_spawn(*loop, std::move(call), [&](std::exception_ptr error, Answer given) {
      thrown = error;
      answer = std::move(given);
    });
    until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  Answer pause(control::Scope scope = {}, std::string reason = "why") {
    return ask([this, scope, reason] { return agent->pause(scope, reason); });
  }
  Answer resume(control::Scope scope = {}, bool all = false) {
    return ask([this, scope, all] { return agent->resume(scope, all); });
  }
  Answer drain() {
    return ask([this] { return agent->drain("new switch"); });
  }
  std::string claims_state() { return job::text_at(agent->claims(), "state"); }
  std::string waits_for() { return job::text_at(agent->status().at("jobs").at("waiting").at(0).as_object(), "waits_for"); }
  void run_until_hook() {
    steps.hangs = "install.acme";
    start();
    until([this] { return !steps.ran.empty() && steps.ran.back() == "install.acme"; });
  }
};

}  // namespace

TEST_CASE("paused, nothing is claimed and what runs goes on; resumed, what waited is claimed") {
  ClaimsWorld world;
  world.settings.slots = 2;
  world.run_until_hook();
  REQUIRE(world.pause());
  world.offer({"2", "1"});
  world.poll();
  CHECK(world.state(1) == "waiting");
  CHECK(world.waits_for() == "paused: why");
  CHECK(world.state(0) == "running: install");
  CHECK(job::text_at(world.agent->status(), "state") == "paused");
  world.steps.hangs.clear();
  REQUIRE(world.resume());
  world.until([&] { return world.state(1) == "success"; });
  CHECK(world.resume().error().fault == Fault::refused);
}

TEST_CASE("a pause survives a restart, a drain does not") {
  ClaimsWorld world;
  world.offer({});
  world.start();
  world.poll();
  REQUIRE(world.pause());
  REQUIRE(world.drain());
  CHECK(world.claims_state() == "drained");
  world.start();
  CHECK(world.claims_state() == "paused");
  CHECK(job::text_at(world.agent->claims(), "reason") == "why");
  world.offer({"1"});
  world.until([&] { return world.job_ids().size() == 1; });
  world.settle();
  CHECK(world.state(0) == "waiting");
  REQUIRE(world.resume());
  world.until([&] { return world.state(0) == "success"; });
}

TEST_CASE("a pause of one source or one resource leaves the others alone") {
  ClaimsWorld world;
  world.offer({});
  world.settings.resources["cluster4"] = {.name = "cluster4"};
  world.settings.jobs.push_back({.name = "on cluster4", .source = "fake", .topic = "T", .resources = {"cluster4"}, .reporters = {"fake"}});
  world.start();
  REQUIRE(world.pause({.resource = "cluster4"}, ""));
  CHECK(world.pause({.resource = "cluster5"}).error().fault == Fault::unavailable);
  CHECK(world.pause({.source = "fake", .resource = "cluster4"}).error().fault == Fault::malformed);
  world.offer({"1"});
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.claims_state() == "open");
  CHECK(world.waits_for() == "resource cluster4 is paused");
  SECTION("resumed by its name") { REQUIRE(world.resume({.resource = "cluster4"})); }
  SECTION("resumed with all") {
    REQUIRE(world.pause({.source = "fake"}));
    REQUIRE(world.resume({}, true));
  }
  world.until([&] { return world.count(event::job_ended) == 2; });
}

TEST_CASE("draining, running jobs end, nothing more is claimed, and the end is written down") {
  ClaimsWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  REQUIRE(world.drain());
  CHECK(world.claims_state() == "draining");
  CHECK(world.count(event::drain_finished) == 0);
  REQUIRE(world.cancel(world.job_ids()[0], "enough"));
  world.until([&] { return world.count(event::drain_finished) == 1; });
  CHECK(world.claims_state() == "drained");
  CHECK(world.state(1) == "waiting");
  world.steps.hangs.clear();
  REQUIRE(world.resume());
  world.until([&] { return world.state(1) == "success"; });
  CHECK(world.count(event::drain_ended) == 1);
}

TEST_CASE("a claim that waits for its server is taken back when everything is paused") {
  ClaimsWorld world;
  world.source.claim_failures = {Error{Fault::credentials, "no"}};
  world.start();
  world.until([&] { return world.alarmed("credentials:fake"); });
  REQUIRE(world.pause());
  world.until([&] { return world.count(event::claim_postponed) == 1; });
  CHECK(world.state(0) == "waiting");
}
