#include "agent/daemon/spool_keeper.hpp"

#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

struct World {
  /// An event of a job, and the item that "dci" made of it, with a file.
  void add(std::string_view type, const std::string& key, std::uint64_t bytes, std::string reporter = "dci") {
    job::Event draft;
    draft.type = type;
    draft.job_id = "job-1";
    std::vector<job::Event> drafts{draft};
    const auto written = await(loop, journal.append(std::move(drafts)));
    journal::Item item;
    item.key = key;
    item.job_id = "job-1";
    item.blob = job::Blob{"files/" + key, "", bytes, "", "", {}};
    write_file(jobs.path / "job-1/files" / key, std::string(bytes, 'x'));
    std::vector<journal::Item> items{item};
    REQUIRE(await(loop, journal.expand(std::move(reporter), written->front().seq, std::move(items))));
  }
  void enforce(std::uint64_t logs, std::uint64_t artifacts) {
    const auto work = [](daemon::SpoolKeeper& it, daemon::SpoolKeeper::Limits limits) -> boost::asio::awaitable<bool> {
      co_await it.enforce(limits);
      co_return true;
    };
    await(loop, work(keeper, {logs, artifacts}));
  }
  /// The keys whose bytes were given up.
  [[nodiscard]] std::string dropped(const std::string& reporter = "dci") {
    std::string keys;
    for (const auto& row : *journal.of_job(reporter, "job-1"))
      if (row.item.body.contains("content")) keys += row.item.key + " ";
    return keys;
  }
  [[nodiscard]] bool has_file(const char* key) const { return std::filesystem::exists(jobs.path / "job-1/files" / key); }

  boost::asio::io_context loop;
  TemporaryDirectory jobs;
  FakeJournal journal;
  Workers workers;
  SystemClock clock;
  daemon::Logger logger;
  daemon::Alarms alarms{journal, clock, logger, loop.get_executor(), daemon::Alarms::Ways{}};
  daemon::SpoolKeeper keeper{{journal, journal, workers, logger, alarms}, jobs.path};
};

}  // namespace

TEST_CASE("beyond the limit the oldest logs give up their bytes, results never do") {
  World world;
  world.add(event::log_cut, "a", 400);
  world.add(event::result_found, "b", 400);
  world.add(event::log_cut, "c", 400);
  world.add(event::log_cut, "d", 400);
  world.enforce(1600, 1600);
  CHECK(world.dropped().empty());
  CHECK(world.keeper.waiting().logs == 1600);
  world.enforce(1000, 1000);
  CHECK(world.dropped() == "a c ");
  CHECK(world.journal.get("dci", "a").value()->item.body.at("content") == "[gap: 400 bytes, spool-full]\n");
  CHECK(world.keeper.waiting().logs == 800);
  CHECK(world.keeper.waiting().given_up == 800);
  CHECK(world.alarms.active().contains("spool:logs"));
  const auto told = world.journal.read({.types = {std::string{event::spool_dropped}}}).value();
  REQUIRE(told.size() == 1);
  CHECK(job::number_at(told.front().data, "bytes") == 800);
  world.enforce(100, 1000);
  CHECK(world.dropped() == "a c d ");
  CHECK(world.keeper.waiting().logs == 400);  // The result.
}

TEST_CASE("what has been tried is left alone, and the alarm ends when half of the limit is free") {
  World world;
  world.add(event::log_cut, "a", 400);
  world.add(event::log_cut, "b", 400);
  REQUIRE(await(world.loop, world.journal.mark_attempting("dci", "a")));
  world.enforce(500, 500);
  CHECK(world.dropped() == "b ");
  REQUIRE(await(world.loop, world.journal.mark_delivered("dci", "a", "ref")));
  world.enforce(500, 500);
  CHECK_FALSE(world.alarms.active().contains("spool:logs"));
}

TEST_CASE("artifacts have a limit of their own, and their files go unless another reporter wants them") {
  World world;
  world.add(event::artifact_found, "a", 400);
  world.add(event::artifact_found, "b", 400);
  world.add(event::log_cut, "c", 400);
  world.add(event::artifact_found, "b", 400, "dlrn");
  world.enforce(5000, 100);
  CHECK(world.dropped() == "a b ");
  CHECK(world.dropped("dlrn") == "b ");
  CHECK_FALSE(world.has_file("a"));
  CHECK_FALSE(world.has_file("b"));
  CHECK(world.has_file("c"));
}

TEST_CASE("a file that another reporter still sends stays") {
  World world;
  world.add(event::artifact_found, "a", 400);
  world.add(event::artifact_found, "a", 400, "dlrn");
  REQUIRE(await(world.loop, world.journal.mark_attempting("dlrn", "a")));
  world.enforce(5000, 500);
  CHECK(world.dropped() == "a ");
  CHECK(world.has_file("a"));
}

TEST_CASE("somebody who wants their room has logs and artifacts given up that have not been tried, results never") {
  World world;
  world.add(event::log_cut, "a", 400);
  world.add(event::artifact_found, "b", 400);
  world.add(event::result_found, "c", 400);
  world.add(event::log_cut, "d", 400);
  world.add(event::log_cut, "a", 400, "dlrn");
  REQUIRE(await(world.loop, world.journal.mark_attempting("dci", "d")));
  const auto give_up = [&](std::string reporter, Timestamp before, bool only_look) {
    return await(world.loop, world.keeper.give_up(std::move(reporter), before, only_look));
  };
  const Timestamp now = SystemClock{}.now(), later = now + std::chrono::hours{1};
  CHECK(give_up("nobody", later, false).error().fault == Fault::unavailable);
  CHECK(give_up("dci", Timestamp{} - std::chrono::hours{1}, false)->items == 0);  // Nothing has waited so long.
  const auto would = give_up("dci", later, true);
  CHECK(would->items == 2);
  CHECK(would->bytes == 800);
  CHECK(world.dropped().empty());
  CHECK(give_up("dci", later, false)->bytes == 800);
  CHECK(world.dropped() == "a b ");
  CHECK(world.journal.get("dci", "a").value()->item.body.at("content") == "[gap: 400 bytes, given up by an operator]\n");
  CHECK_FALSE(world.has_file("b"));
  CHECK(world.dropped("dlrn").empty());
  CHECK(give_up("", later, false)->items == 1);
  CHECK(world.dropped("dlrn") == "a ");
}
