// The agent with fakes around it: from what a source offers to jobs that end.
#include "agent/daemon/story_view.hpp"
#include "daemon/agent_world.hpp"

#include <boost/asio/detached.hpp>
#include <boost/json/serialize.hpp>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

std::string component_of(const job::Story& story) { return story.job.components.front().id; }

}  // namespace

TEST_CASE("a component that appears becomes a job, once") {
  AgentWorld world;
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "success");
  world.poll();
  CHECK(world.job_ids().size() == 1);
  world.start();  // What was seen is remembered.
  world.until([&] { return world.source.polls == 3; });
  world.settle();
  CHECK(world.job_ids().size() == 1);
}

TEST_CASE("a job whose plugins are not right is not claimed, and is once they are") {
  AgentWorld world;
  world.steps.checked = Error{Fault::refused, "plugin.yml:4:1: PL005 unknown key \"oder\" (did you mean \"order\"?)"};
  world.start();
  world.until([&] { return !world.alarms->active().empty(); });
  CHECK(world.alarms->active().begin()->first.starts_with("plugins:"));
  CHECK(world.alarms->active().begin()->second.message.find("PL005") != std::string::npos);
  CHECK(world.source.claims == 0);
  SECTION("put right") {
    world.steps.checked = {};
    world.start();
    world.until([&] { return world.count(event::job_ended) == 1; });
    CHECK(world.state(0) == "success");
  }
  SECTION("cancelled") { REQUIRE(world.cancel(world.job_ids()[0], "enough")); }
  CHECK(world.alarms->active().empty());
}

TEST_CASE("the backlog decides what a first start makes of history") {
  AgentWorld world;
  world.offer({"3", "2", "1"});
  SECTION("newest") {
    world.start();
    world.until([&] { return world.count(event::job_ended) == 1; });
    CHECK(component_of(world.story(0)) == "3");
    CHECK(world.count(event::component_superseded) == 2);
  }
  SECTION("none") {
    world.settings.jobs[0].backlog = config::Backlog::none;
    world.start();
    world.until([&] { return world.count(event::component_seen) == 3; });
    world.settle();
    CHECK(world.job_ids().empty());
    world.offer({"4", "3", "2", "1"});
    world.poll();
    world.until([&] { return world.count(event::job_ended) == 1; });
    CHECK(component_of(world.story(0)) == "4");
  }
  SECTION("all, oldest first, however long it is") {
    world.settings.jobs[0].backlog = config::Backlog::all;
    world.start();
    world.until([&] { return world.count(event::job_ended) == 3; });
    for (std::size_t number = 0; number < 3; ++number) CHECK(component_of(world.story(number)) == std::to_string(number + 1));
    CHECK(world.source.deepest_poll > 20);
  }
  world.stop();
  world.until_ended();
}

TEST_CASE("a job that waits gives way to a newer component, and both are written down") {
  BusyWorld world;
  world.appear({"2", "1"});
  CHECK(world.state(1) == "waiting");
  world.appear({"3", "2", "1"});
  CHECK(world.state(1) == "withdrawn");
  CHECK(world.state(2) == "waiting");
  REQUIRE(world.count(event::component_superseded) == 1);
  const auto superseded = world.events(event::component_superseded).front();
  CHECK(job::texts_at(superseded.data, "components") == std::vector<std::string>{"2"});
  CHECK(job::text_at(superseded.data, "by") == world.job_ids()[2]);
  CHECK(job::text_at(world.events(event::job_withdrawn).front().data, "by") == world.job_ids()[2]);
}

TEST_CASE("a job that waits is withdrawn when somebody cancels it, one that runs is killed") {
  BusyWorld world;
  world.appear({"2", "1"});
  REQUIRE(world.cancel(world.job_ids()[1], "not\x1bneeded"));
  world.until([&] { return world.state(1) == "withdrawn"; });
  CHECK(job::text_at(world.events(event::job_withdrawn).front().data, "reason") == "cancelled while it waited: not\\x1bneeded");
  CHECK(world.cancel(world.job_ids()[1], "again").error().fault == Fault::refused);
  CHECK(world.cancel("nonsense", "x").error().fault == Fault::unavailable);
  REQUIRE(world.cancel(world.job_ids()[0], "enough"));
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "killed");
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("a job that is set to killed at its server is cancelled") {
  BusyWorld world;
  world.source.watched = {true, "set to killed at the control server"};
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "killed");
  CHECK(world.story(0).cancel_by == "server");
}

TEST_CASE("a job that is set to killed is cancelled soon, however seldom its server is polled") {
  AgentWorld world;
  world.settings.sources["fake"].poll = std::chrono::milliseconds{5};
  world.steps.hangs = "install.acme";
  world.start();
  world.until([&] { return !world.steps.ran.empty() && world.steps.ran.back() == "install.acme"; });
  world.source.poll_failure = Error{Fault::credentials, "not ours"};  // The next poll is 20 minutes away.
  world.until([&] { return world.alarmed("credentials:fake"); });
  world.source.watched = {true, "set to killed at the control server"};
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "killed");
}

TEST_CASE("an agent without jobs does not wake up to watch them") {
  AgentWorld world;
  world.settings.sources["fake"].poll = std::chrono::milliseconds{5};
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  world.until([&] { return world.source.polls > 3; });
  world.settle();
  const unsigned watched = world.source.watches, polled = world.source.polls;
  world.until([&] { return world.source.polls > polled + 3; });
  CHECK(world.source.watches == watched);
}

TEST_CASE("with a backlog of none the first component of an empty topic is run, also after a restart") {
  AgentWorld world;
  world.settings.jobs[0].backlog = config::Backlog::none;
  world.offer({});
  world.start();
  world.until([&] { return world.count(event::history_looked_at) == 1; });
  world.poll();
  CHECK(world.count(event::history_looked_at) == 1);
  world.offer({"1"});
  SECTION("at once") { world.poll(); }
  SECTION("after a restart") { world.start(); }
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(component_of(world.story(0)) == "1");
}

TEST_CASE("a bug costs one job, not its slot or the agent") {
  AgentWorld world;
  world.steps.throws = "install.acme";
  SECTION("the closing stages still work") {
    world.start();
    world.until([&] { return world.count(event::job_ended) == 1; });
    CHECK(world.story(0).judgement->reason == "agent-restarted");
    CHECK(world.steps.ran.back() == "cleanup.acme");
  }
  SECTION("not even they do") {
    world.steps.throws = "collect.acme";
    world.steps.plugins[job::Stage::collect] = {"acme", "acme"};
    world.start();
    world.until([&] { return world.count(event::job_ended) == 1; });
    CHECK(world.state(0) == "success");  // The verdict was there before.
  }
  CHECK(world.alarmed("bug:job " + world.job_ids()[0]));
  world.steps.throws.clear();
  world.offer({"2", "1"});
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(1) == "success");
}

TEST_CASE("a reporter is forgotten only when nobody uses it and nothing waits, or with a word") {
  AgentWorld world;
  world.start();
  journal::Item item;
  item.key = "file";
  std::vector<journal::Item> items{item};
  bool known = false;
  const auto register_old = [&]() -> boost::asio::awaitable<void> {
    known = (co_await world.journal.expand("old", 1, std::move(items))).has_value();
  };
  boost::asio::co_spawn(*world.loop, register_old(), boost::asio::detached);
  world.until([&] { return known; });
  std::optional<Result<boost::json::object>> told;
  const auto forget = [&](std::string name, bool drop) {
    told.reset();
    const auto asking = [&world, &told, name, drop]() -> boost::asio::awaitable<void> { told = co_await world.agent->forget_reporter(name, drop); };
    boost::asio::co_spawn(*world.loop, asking, boost::asio::detached);
    world.until([&] { return told.has_value(); });
    return *told;
  };
  CHECK(world.agent->reporters()->size() == 2);
  CHECK(forget("fake", true).error().fault == Fault::refused);  // It is configured.
  CHECK(forget("ghost", true).error().fault == Fault::unavailable);
  const auto kept = forget("old", false);
  REQUIRE_FALSE(kept);
  CHECK(kept.error().message == "1 items (0 bytes of files) still wait for reporter old and would be dropped");
  CHECK(world.journal.open("old")->size() == 1);
  CHECK(forget("old", true)->at("dropped") == 1);
  CHECK(world.journal.open("old")->empty());
  CHECK(world.agent->reporters()->size() == 1);
  CHECK(world.count(event::reporter_forgotten) == 1);
}

TEST_CASE("the list of jobs says of each what the job itself says") {
  AgentWorld world;
  world.collector.left["test.acme"] = {{{.name = "suite", .total = 3, .success = 3}}, {}, {}};
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  const auto list = world.agent->jobs(10);
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  auto whole = *world.agent->job(world.job_ids()[0]);
  for (const char* only_there : {"steps", "skipped", "results", "artifacts", "warnings", "locks", "shows"}) whole.erase(only_there);
  const auto results = whole.at("test_results");
  whole.erase("test_results");
  CHECK(list->front().as_object() == whole);
  CHECK(results.at(0).at("name") == "suite");
  CHECK(whole.at("tests").at("total") == 3);
}

TEST_CASE("a download that waits for its next attempt says so in the status, and no more when it goes on") {
  AgentWorld world;
  world.source.fetch_hangs = true;
  const std::string why = "downloading a.tar: attempt 3, next in 20.0s: connection refused";
  world.source.stalls = {why};
  std::string expected = R"([{"text":")" + why + R"(","step_id":"pre-run.outpost.download","kind":"status"}])";
  SECTION("it waits") {}
  SECTION("it goes on") {
    world.source.stalls.emplace_back("");
    expected = "[]";
  }
  world.start();
  world.until([&] { return world.source.fetches == 1; });
  const auto running = world.agent->status().at("jobs").at("running");
  CHECK(boost::json::serialize(running.at(0).at("shows")) == expected);
  CHECK(boost::json::serialize(world.agent->job(world.job_ids()[0])->at("shows")) == expected);
}

TEST_CASE("a job says which hooks it has passed over, and why") {
  AgentWorld world;
  world.steps.skips["install.acme"] = "topic: T matches none of OCP-*";
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  const auto job = *world.agent->job(world.job_ids()[0]);
  CHECK(boost::json::serialize(job.at("skipped")) == R"([{"stage":"install","plugin":"acme","hook":"install","reason":"topic: T matches none of OCP-*"}])");
  for (const auto& step : job.at("steps").as_array()) CHECK(step.at("stage") != "install");
}

TEST_CASE("a hook that was passed over again after a restart is told once, with the newer reason") {
  std::vector<job::Event> events;
  for (const char* reason : {"old", "new"})
    for (const char* hook : {"install/10-a", "install/20-b"}) {
      job::Event event;
      event.type = event::step_skipped;
      event.data = {{"stage", "install"}, {"plugin", "acme"}, {"hook", hook}, {"reason", reason}};
      events.push_back(std::move(event));
    }
  const auto skipped = daemon::skipped_steps(events);
  REQUIRE(skipped.size() == 2);
  CHECK(skipped[0].at("hook") == "install/10-a");
  CHECK(skipped[1].at("reason") == "new");
}
