#include "agent/daemon/retention.hpp"

#include "agent/base/ids.hpp"
#include "agent/job/event_types.hpp"
#include "daemon/agent_world.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/array.hpp>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

/// Six jobs, "job-1" the oldest: five have ended, the last one is open. Two reporters have read all of it.
struct World {
  World() {
    for (int number = 1; number <= 6; ++number) {
      const std::string id = "job-" + std::to_string(number);
      append(id, event::job_queued, {{"reporters", {"first", "second"}}});
      if (number < 6) append(id, event::job_ended);
      std::filesystem::create_directories(jobs.path / id / "logs");
    }
    std::filesystem::create_directories(jobs.path / "unknown");
    for (const char* reporter : {"first", "second"}) expand(reporter, journal.last());
  }

  void append(std::string id, std::string_view type, boost::json::object data = {}) {
    job::Event draft;
    draft.type = type;
    draft.job_id = std::move(id);
    draft.data = std::move(data);
    std::vector<job::Event> drafts{std::move(draft)};
    REQUIRE(await(loop, journal.append(std::move(drafts))));
  }
  void expand(std::string reporter, job::Seq upto, std::vector<journal::Item> items = {}) {
    REQUIRE(await(loop, journal.expand(std::move(reporter), upto, std::move(items))));
  }
  void sweep(config::History keep) {
    daemon::Retention retention{{journal, journal, workers, clock, logger, alarms}, jobs.path, keep};
    await(loop, swept(retention));
  }
  void sweep(std::size_t keep) { sweep(config::History{.jobs = keep}); }
  static boost::asio::awaitable<bool> swept(daemon::Retention& retention) {
    co_await retention.sweep();
    co_return true;
  }
  /// The jobs that are kept, as digits: those in the journal are those that have a directory.
  [[nodiscard]] std::string kept() {
    std::string numbers;
    for (int number = 1; number <= 6; ++number) {
      const std::string id = "job-" + std::to_string(number);
      const bool is_known = !journal.read({.job_id = id})->empty();
      CHECK(is_known == std::filesystem::exists(jobs.path / id));
      if (is_known) numbers += std::to_string(number);
    }
    return numbers;
  }
  void fill(const std::string& id, std::size_t bytes) { write_file(jobs.path / id / "logs/step.log", std::string(bytes, 'x')); }
  [[nodiscard]] std::vector<job::Event> tombstones() { return *journal.read({.types = {std::string{event::history_removed}}}); }

  boost::asio::io_context loop;
  TemporaryDirectory jobs;
  FakeJournal journal;
  Workers workers;
  daemon::Logger logger;
  MovedClock clock;
  daemon::Alarms alarms{journal, clock, logger, loop.get_executor(), daemon::Alarms::Ways{}};
};

}  // namespace

TEST_CASE("the newest ended jobs are kept, and so are open jobs and what nobody knows") {
  World world;
  world.sweep(5);
  CHECK(world.kept() == "123456");
  world.sweep(2);
  CHECK(world.kept() == "456");
  CHECK(std::filesystem::exists(world.jobs.path / "unknown"));
}

TEST_CASE("a job is kept until each of its reporters has settled everything") {
  World world;
  journal::Item item;
  item.key = "file";
  item.job_id = "job-1";
  world.expand("second", world.journal.last(), {item});
  world.sweep(2);
  CHECK(world.kept() == "1456");
  SECTION("parked") { REQUIRE(await(world.loop, world.journal.mark_parked("second", "file", "too large"))); }
  SECTION("delivered") { REQUIRE(await(world.loop, world.journal.mark_delivered("second", "file", "ref"))); }
  world.sweep(2);
  CHECK(world.kept() == "456");
}

TEST_CASE("a reporter that has not read to the end of a job may still want its files") {
  World world;
  world.append("job-7", event::job_queued, {{"reporters", {"late"}}});
  world.append("job-7", event::job_ended);
  std::filesystem::create_directories(world.jobs.path / "job-7");
  SECTION("but not for ever: it can be forgotten") {
    world.expand("late", 1);
    job::Event told;
    told.type = event::reporter_forgotten;
    REQUIRE(await(world.loop, world.journal.forget_reporter("late", told)));
    world.sweep(0);
    CHECK_FALSE(std::filesystem::exists(world.jobs.path / "job-7"));
    return;
  }
  const auto is_there = [&] { return std::filesystem::exists(world.jobs.path / "job-7"); };
  world.sweep(0);
  CHECK(is_there());  // It was never registered.
  world.expand("late", world.journal.last() - 1);
  world.sweep(0);
  CHECK(is_there());
  world.expand("late", world.journal.last());
  world.sweep(0);
  CHECK_FALSE(is_there());
}

TEST_CASE("jobs that have ended too long ago go, whatever their number") {
  World world;
  world.clock.moved = std::chrono::hours{24 * 91};
  world.append("job-7", event::job_queued, {{"reporters", boost::json::array{}}});
  world.sweep(config::History{.jobs = 100, .age = std::chrono::hours{24 * 92}});
  CHECK(world.kept() == "123456");
  world.sweep(config::History{.jobs = 100, .age = std::chrono::hours{24 * 90}});
  CHECK(world.kept() == "6");
}

TEST_CASE("a job that ended while the clock was ahead keeps no other") {
  World world;
  world.clock.moved = std::chrono::hours{24 * 91};
  world.journal.date("job-1", world.clock.now() + std::chrono::hours{24});
  world.sweep(config::History{.jobs = 100, .age = std::chrono::hours{24 * 90}});
  CHECK(world.kept() == "16");
}

TEST_CASE("somebody may have all jobs removed that are delivered, but none of which something is parked") {
  World world;
  journal::Item item;
  item.key = "file";
  item.job_id = "job-1";
  world.expand("second", world.journal.last(), {item});
  REQUIRE(await(world.loop, world.journal.mark_parked("second", "file", "too large")));
  daemon::Retention retention{{world.journal, world.journal, world.workers, world.clock, world.logger, world.alarms}, world.jobs.path, config::History{}};
  const auto prune = [&](Timestamp before, bool only_look) { return await(world.loop, retention.prune(before, only_look)); };
  CHECK(prune(Timestamp{} - std::chrono::hours{1}, false)->jobs == 0);
  const Timestamp later = SystemClock{}.now() + std::chrono::hours{1};
  const auto would = prune(later, true);
  CHECK(would->jobs == 4);
  CHECK(would->bytes > 0);
  CHECK(world.kept() == "123456");
  CHECK(prune(later, false)->jobs == 4);
  CHECK(world.kept() == "16");  // One has something parked, one is open.
  CHECK(world.tombstones().size() == 1);
}

TEST_CASE("when the directories are too large together, the oldest jobs go") {
  World world;
  for (int number = 1; number <= 6; ++number) world.fill("job-" + std::to_string(number), 100'000);
  world.sweep(config::History{.jobs = 100, .size = 10'000'000});
  CHECK(world.kept() == "123456");
  world.sweep(config::History{.jobs = 100, .size = 350'000});
  CHECK(world.kept() == "456");
}

TEST_CASE("an event says what goes before it goes, and a crash in between is made good") {
  World world;
  world.sweep(3);
  REQUIRE(world.tombstones().size() == 1);
  CHECK(job::texts_at(world.tombstones().front().data, "jobs") == std::vector<std::string>{"job-1", "job-2"});
  // As if the agent had died before the files went: the next sweep finds them by the event, others stay.
  const std::string id = new_id(world.clock.now()), other = new_id(world.clock.now());
  world.append("", event::history_removed, {{"jobs", boost::json::array{id}}});
  for (const auto& name : {id, other}) std::filesystem::create_directories(world.jobs.path / name / "logs");
  world.sweep(3);
  CHECK_FALSE(std::filesystem::exists(world.jobs.path / id));
  CHECK(std::filesystem::exists(world.jobs.path / other));
  // A directory that no journal knows goes when a job of its age would.
  world.clock.moved = std::chrono::hours{24 * 91};
  world.sweep(3);
  CHECK_FALSE(std::filesystem::exists(world.jobs.path / other));
  CHECK(std::filesystem::exists(world.jobs.path / "unknown"));  // Not a name of ours.
}

TEST_CASE("what the agent noted about itself goes with age, but not what was seen and what is up") {
  World world;
  world.append("", event::agent_started);
  world.append("", event::component_seen);
  world.alarms.raise("disk", "degraded", "full");
  world.loop.restart();
  world.loop.run();
  world.append("", event::agent_stopping);
  const auto types = [&] {
    std::vector<std::string> found;
    for (const auto& one : *world.journal.read({}))
      if (one.job_id.empty() && one.type != event::history_removed) found.push_back(one.type);
    return found;
  };
  world.clock.moved = std::chrono::hours{24 * 91};
  world.sweep(config::History{});
  CHECK(types() == std::vector<std::string>{"component.seen", "alarm.raised", "agent.stopping"});
  world.alarms.clear("disk");
  world.loop.restart();
  world.loop.run();
  world.sweep(config::History{});
  CHECK(types() == std::vector<std::string>{"component.seen"});
  CHECK(world.journal.last() > 0);
}

TEST_CASE("an acknowledgement is kept as long as its alarm may come back, and no longer than the alarm's end") {
  World world;
  const auto written = [&] {
    world.loop.restart();
    world.loop.run();
  };
  const auto alarms = [&] {
    std::vector<std::string> found;
    for (const auto& one : *world.journal.read({}))
      if (one.type.starts_with("alarm.")) found.push_back(one.type);
    return found;
  };
  const auto comes_after_a_restart = [&] {
    daemon::Alarms next{world.journal, world.clock, world.logger, world.loop.get_executor(), daemon::Alarms::Ways{}};
    REQUIRE(next.restore());
    next.raise("disk", "degraded", "full again");
    return next.active().contains("disk");
  };
  world.alarms.raise("disk", "degraded", "full");
  written();
  REQUIRE(world.alarms.acknowledge("disk"));
  written();
  world.clock.moved = std::chrono::hours{24 * 91};
  world.sweep(config::History{});
  CHECK(alarms() == std::vector<std::string>{"alarm.acknowledged"});
  CHECK_FALSE(comes_after_a_restart());

  world.alarms.clear("disk");
  written();
  world.clock.moved = std::chrono::hours{24 * 200};
  world.append("", event::agent_stopping);
  world.sweep(config::History{});
  CHECK(alarms().empty());
  CHECK(comes_after_a_restart());
}

TEST_CASE("the alarm about an item that was parked ends with its job") {
  World world;
  world.alarms.raise("dci/parked/job-1/file/x", "parked", "too large");
  world.alarms.raise("dci/parked/job-5/file/x", "parked", "too large");
  world.sweep(2);
  CHECK_FALSE(world.alarms.active().contains("dci/parked/job-1/file/x"));
  CHECK(world.alarms.active().contains("dci/parked/job-5/file/x"));
}
