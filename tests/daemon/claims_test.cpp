// pause, resume and drain: what is claimed, what is not, and what a restart makes of it.
#include "daemon/agent_world.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;
namespace json = boost::json;

namespace {

struct ClaimsWorld : AgentWorld {
  template <class Answer>
  Answer wait_for(std::function<boost::asio::awaitable<Answer>()> call) {
    std::optional<Answer> answer;
    boost::asio::co_spawn(*loop, std::move(call), [&](std::exception_ptr error, Answer given) {
      thrown = error;
      answer = std::move(given);
    });
    until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  using Answer = Result<json::object>;
  Answer ask(std::function<boost::asio::awaitable<Answer>()> call) { return wait_for<Answer>(std::move(call)); }
  Result<void> tell(std::function<boost::asio::awaitable<Result<void>>()> call) { return wait_for<Result<void>>(std::move(call)); }
  Result<std::string> make(std::function<boost::asio::awaitable<Result<std::string>>()> call) { return wait_for<Result<std::string>>(std::move(call)); }
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

TEST_CASE("who has asked for a change stands in the journal, and is no matter of a job") {
  ClaimsWorld world;
  world.run_until_hook();
  REQUIRE(world.tell([&world]() -> boost::asio::awaitable<Result<void>> {
    control::Asked asked{"uid 1000", "jobs/*/cancel", "j1"};
    co_await world.agent->note_asked(std::move(asked));
    co_return Result<void>{};
  }));
  const auto noted = world.journal.read({.types = {std::string{event::change_asked}}});
  REQUIRE(noted->size() == 1);
  CHECK(noted->front().actor == "uid 1000");
  CHECK(noted->front().job_id.empty());
  CHECK(noted->front().data == json::object{{"what", "jobs/*/cancel"}, {"about", "j1"}});
}

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

TEST_CASE("an agent that is to be stopped lets running jobs end and claims nothing more, whatever an operator says") {
  ClaimsWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  const auto finish = [&](std::chrono::steady_clock::time_point until) {
    auto finished = std::make_shared<bool>(false);
    boost::asio::co_spawn(*world.loop, world.agent->finish_jobs("stopping", until), [finished](std::exception_ptr) { *finished = true; });
    world.settle();
    return finished;
  };
  SECTION("until they have") {
    const auto finished = finish(std::chrono::steady_clock::time_point::max());
    CHECK_FALSE(*finished);
    CHECK(world.claims_state() == "draining");
    CHECK(job::text_at(world.agent->status(), "state_reason") == "stopping");
    CHECK(world.waits_for() == "stopping");
    CHECK(world.resume().error().fault == Fault::refused);
    world.steps.hangs.clear();
    REQUIRE(world.cancel(world.job_ids()[0], "enough"));
    world.until([&] { return *finished; });
    CHECK(world.agent->at_work() == 0);
    CHECK(world.state(0) == "killed");
    CHECK(world.claims_state() == "drained");
  }
  SECTION("or the time is over") {
    const auto finished = finish(std::chrono::steady_clock::now() + std::chrono::milliseconds{1});
    world.until([&] { return *finished; });
    CHECK(world.agent->at_work() == 1);
    CHECK(world.state(0) == "running: install");
  }
  world.stop();
  world.until_ended();
  CHECK(world.state(0) == "killed");
  CHECK(world.state(1) == "waiting");
}

TEST_CASE("a job that waits is held until it is released, also through a restart") {
  ClaimsWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  const std::string first = world.job_ids()[0], second = world.job_ids()[1];
  REQUIRE(world.tell([&] { return world.agent->hold_job(second, "not yet"); }));
  CHECK(world.waits_for() == "held: not yet");
  CHECK(world.tell([&] { return world.agent->hold_job(first, ""); }).error().fault == Fault::refused);
  CHECK(world.tell([&] { return world.agent->release_job(first); }).error().fault == Fault::refused);
  world.steps.hangs.clear();
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.poll();
  CHECK(world.state(1) == "waiting");
  CHECK(world.waits_for() == "held: not yet");
  REQUIRE(world.tell([&] { return world.agent->release_job(second); }));
  world.until([&] { return world.state(1) == "success"; });
}

TEST_CASE("a held job that has given way to a newer one, or was cancelled, is not held any more") {
  ClaimsWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  const std::string second = world.job_ids()[1];
  REQUIRE(world.tell([&] { return world.agent->hold_job(second, "not yet"); }));
  SECTION("a newer one has come") {
    world.offer({"3", "2", "1"});
    world.poll();
  }
  SECTION("cancelled") { REQUIRE(world.cancel(second, "enough")); }
  world.until([&] { return world.state(1) == "withdrawn"; });
  CHECK(world.tell([&] { return world.agent->release_job(second); }).error().fault == Fault::refused);
  CHECK(world.count(event::job_released) == 0);
}

TEST_CASE("a job is run now, or once more, because somebody asks for it") {
  ClaimsWorld world;
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  const auto again = world.make([&] { return world.agent->retry_job(world.job_ids()[0]); });
  REQUIRE(again);
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.story(1).job.id == *again);
  CHECK(world.story(1).job.components.front().id == "1");
  REQUIRE(world.make([&] { return world.agent->run_job("nightly"); }));
  world.until([&] { return world.count(event::job_ended) == 3; });
  CHECK(world.make([&] { return world.agent->run_job("weekly"); }).error().fault == Fault::unavailable);
  CHECK(world.make([&] { return world.agent->retry_job("nonsense"); }).error().fault == Fault::unavailable);
  world.source.offers[0].components.clear();
  CHECK(world.make([&] { return world.agent->run_job("nightly"); }).error().fault == Fault::unavailable);
  world.source.poll_failure = Error{Fault::retry_later, "connection refused"};
  CHECK(world.make([&] { return world.agent->run_job("nightly"); }).error().fault == Fault::retry_later);
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

TEST_CASE("resources of a job that could not release them are paused, also for the next start, until an operator resumes them") {
  ClaimsWorld world;
  world.settings.resources["cluster4"] = {.name = "cluster4", .hosts = {}};
  world.settings.jobs[0].resources = {"cluster4"};
  world.steps.endings["release.acme"] = {{job::StepEnding::Kind::exited, 1, {}}};
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.start();
  world.offer({"2", "1"});
  world.poll();
  CHECK(world.state(1) == "waiting");
  const std::string job = world.job_ids().front();
  CHECK(world.waits_for() == "resource cluster4 is paused: release of job " + job + " failed: acme/release exited with status 1");
  REQUIRE(world.alarms->active().contains("release:cluster4"));
  REQUIRE(world.resume({.source = {}, .resource = "cluster4"}));
  CHECK_FALSE(world.alarms->active().contains("release:cluster4"));
  world.until([&] { return world.count(event::job_ended) == 2; });
}

TEST_CASE("a health hook that fails stops claiming, visibly, until it passes again") {
  ClaimsWorld world;
  world.settings.jobs[0].plugins = {"acme"};
  world.settings.health_interval = std::chrono::milliseconds{1};
  world.steps.plugins[job::Stage::health] = {"acme"};
  world.steps.reports["health.acme"] = "checking\nthe switch does not answer\n";
  world.steps.endings["health.acme"] = std::deque<job::StepEnding>(1, {job::StepEnding::Kind::exited, 1, {}});
  bool may_pass = false;
  world.steps.on_run = [&](const std::string& id) {
    if (id == "health.acme" && !may_pass) world.steps.endings[id] = {{job::StepEnding::Kind::exited, 1, {}}};
  };
  world.start();
  world.until([&] { return world.alarms->active().contains("health:acme"); });
  world.until([&] { return !world.agent->status().at("jobs").at("waiting").as_array().empty(); });
  CHECK(world.claims_state() == "unhealthy");
  const std::string why = "acme: health exited with status 1: the switch does not answer";
  CHECK(world.waits_for() == "unhealthy: " + why);
  CHECK(job::text_at(world.agent->status(), "state_reason") == why);
  CHECK(world.source.claims == 0);
  may_pass = true;
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.claims_state() == "open");
  CHECK_FALSE(world.alarms->active().contains("health:acme"));
}

TEST_CASE("hooks of agent-start come before the first claim, those of agent-stop after the last job") {
  ClaimsWorld world;
  world.settings.jobs[0].plugins = {"acme"};
  for (const auto point : {job::Stage::agent_start, job::Stage::agent_stop}) world.steps.plugins[point] = {"acme"};
  world.steps.endings["agent-start.acme"] = {{job::StepEnding::Kind::exited, 3, {}}};
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.steps.ran.front() == "agent-start.acme");
  REQUIRE(world.alarms->active().contains("agent-start:acme"));
  CHECK(world.alarms->active().at("agent-start:acme").message == "acme/agent-start exited with status 3: output of agent-start.acme");
  world.stop();
  world.until_ended();
  CHECK(world.steps.ran.back() == "agent-stop.acme");
  CHECK(world.steps.reasons.back() == "agent-stop");
}

TEST_CASE("a health hook that runs when the agent stops is stopped, and agent-stop follows") {
  ClaimsWorld world;
  world.settings.jobs[0].plugins = {"acme"};
  for (const auto point : {job::Stage::health, job::Stage::agent_stop}) world.steps.plugins[point] = {"acme"};
  world.steps.hangs = "health.acme";
  world.start();
  world.until([&] { return !world.steps.ran.empty(); });
  world.stop();
  world.until_ended();
  CHECK(world.steps.ran == std::vector<std::string>{"health.acme", "agent-stop.acme"});
  CHECK(world.source.claims == 0);
  CHECK_FALSE(world.alarms->active().contains("health:acme"));
}
