// The agent with fakes around it: from what a source offers to jobs that end, through restarts and stops.
#include "daemon/agent_world.hpp"

#include <boost/asio/detached.hpp>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

std::string component_of(const job::Story& story) { return story.job.components.front().id; }

/// The first job runs and hangs, so that the following ones wait.
struct BusyWorld : AgentWorld {
  BusyWorld() {
    steps.hangs = "install.acme";
    start();
    until([this] { return !steps.ran.empty() && steps.ran.back() == "install.acme"; });
  }
  /// A newer component appears while the lab is busy.
  void appear(std::initializer_list<const char*> ids) {
    offer(ids);
    poll();
  }
};

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
  for (const char* only_there : {"steps", "results", "artifacts", "warnings", "locks", "shows"}) whole.erase(only_there);
  const auto results = whole.at("test_results");
  whole.erase("test_results");
  CHECK(list->front().as_object() == whole);
  CHECK(results.at(0).at("name") == "suite");
  CHECK(whole.at("tests").at("total") == 3);
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
