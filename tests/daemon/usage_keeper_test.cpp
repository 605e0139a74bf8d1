#include "agent/daemon/usage_keeper.hpp"

#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <filesystem>

using namespace outpost;
using namespace std::chrono_literals;
namespace event = job::event;
namespace json = boost::json;

namespace {

struct World {
  test::TemporaryDirectory directory;
  boost::asio::io_context loop;
  test::FakeJournal journal;
  Workers workers;
  test::FixedClock clock;
  std::vector<std::string> asked;
  daemon::UsageKeeper keeper{{loop.get_executor(), journal, workers, clock},
                             directory.path,
                             [this](const job::Story& story, const std::string& step) -> process::Probe {
                               asked.push_back(story.job.id + "/" + step + " in slot " + std::to_string(story.slot));
                               return [] { return std::optional{process::Usage{.cpu_us = 5, .memory = 6, .tasks = 7}}; };
                             },
                             [](const std::string&) { return std::optional<std::uint64_t>{8}; },
                             {.file = {}, .first = 1ms, .interval = 1ms}};

  void note(std::string_view type, json::object data, std::string step = {}) {
    job::Event happened;
    happened.type = type;
    happened.job_id = "j1";
    happened.step_id = std::move(step);
    happened.data = std::move(data);
    std::vector<job::Event> drafts{std::move(happened)};
    bool written = false;
    boost::asio::co_spawn(loop, journal.append(std::move(drafts)), [&](std::exception_ptr, const Result<std::vector<job::Event>>&) { written = true; });
    loop.restart();
    while (!written) loop.run_one();
  }
  std::filesystem::path file(const std::string& step) { return directory.path / "j1/usage" / (step + ".txt"); }
};

}  // namespace

TEST_CASE("a step is measured from its start to its end, and the agent's own steps are not") {
  World world;
  world.note(event::job_queued, {});
  world.note(event::claim_requested, {{"claim_id", "c"}, {"slot", 3}});
  world.note(event::step_started, {{"plugin", "outpost"}, {"hook", "download"}}, "pre-run-0");
  CHECK(world.keeper.running() == 0);
  world.note(event::step_started, {{"plugin", "acme"}, {"hook", "test"}}, "test-1");
  CHECK(world.keeper.running() == 1);
  while (pipeline::read_usage(world.file("test-1")).size() < 2) world.loop.run_one();
  CHECK(world.asked.front() == "j1/test-1 in slot 3");
  const auto samples = pipeline::read_usage(world.file("test-1"));
  CHECK(samples.at(0).usage.memory == 6U);
  CHECK(samples.at(0).workspace == 8U);
  world.note(event::step_ended, {{"plugin", "acme"}}, "test-1");
  CHECK(world.keeper.running() == 0);
  world.loop.restart();
  world.loop.run();  // Nothing is left of it.
  CHECK_FALSE(std::filesystem::exists(world.file("pre-run-0")));
}

TEST_CASE("a step that is taken over is measured on, and the end of a job ends all") {
  World world;
  world.note(event::step_adopted, {{"plugin", "acme"}, {"hook", "test"}, {"begun", true}}, "test-1");
  world.note(event::step_started, {{"plugin", "acme"}, {"hook", "on-cancel"}}, "on-cancel-2");
  CHECK(world.keeper.running() == 2);
  world.note(event::job_ended, {{"verdict", "killed"}});
  CHECK(world.keeper.running() == 0);
}
