#include "agent/daemon/retention.hpp"

#include "agent/job/event_types.hpp"
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
  void sweep(std::size_t keep) {
    daemon::Retention retention{journal, journal, workers, logger, {jobs.path, keep}};
    await(loop, swept(retention));
  }
  static boost::asio::awaitable<bool> swept(daemon::Retention& retention) {
    co_await retention.sweep();
    co_return true;
  }
  /// The jobs that still have a directory, as digits.
  [[nodiscard]] std::string kept() const {
    std::string numbers;
    for (int number = 1; number <= 6; ++number)
      if (std::filesystem::exists(jobs.path / ("job-" + std::to_string(number)))) numbers += std::to_string(number);
    return numbers;
  }

  boost::asio::io_context loop;
  TemporaryDirectory jobs;
  FakeJournal journal;
  Workers workers;
  daemon::Logger logger;
};

}  // namespace

TEST_CASE("the newest ended jobs keep their directories, and so do open jobs and what nobody knows") {
  World world;
  world.sweep(5);
  CHECK(world.kept() == "123456");
  world.sweep(2);
  CHECK(world.kept() == "456");
  CHECK(std::filesystem::exists(world.jobs.path / "unknown"));
}

TEST_CASE("a job keeps its directory until each of its reporters has settled everything") {
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
