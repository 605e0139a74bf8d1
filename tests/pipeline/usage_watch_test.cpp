#include "agent/pipeline/usage_watch.hpp"

#include "fakes/fixed_clock.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>

using namespace outpost;
using namespace std::chrono_literals;
using pipeline::UsageSample;
using pipeline::UsageWatch;

namespace {

struct World {
  test::TemporaryDirectory directory;
  boost::asio::io_context loop;
  Workers workers;
  test::FixedClock clock;
  std::atomic<unsigned> looks{0};
  bool runs = true;

  UsageWatch::Options options(std::size_t most) { return {.file = directory.path / "usage/step.txt", .first = 1ms, .interval = 1ms, .most = most}; }
  process::Probe probe() {
    return [this]() -> std::optional<process::Usage> {
      ++looks;
      return process::Usage{.cpu_us = 1000 * looks, .memory = 4096, .tasks = {}};
    };
  }
  /// Until so many samples were taken, and the last one is on the disk.
  void watch(std::size_t most, unsigned samples) {
    UsageWatch watch{loop.get_executor(), workers, clock, options(most), [this] { return runs ? probe() : process::Probe{}; }, [] { return std::optional<std::uint64_t>{7}; }};
    loop.restart();
    while (looks <= samples) loop.run_one();
  }
  std::vector<UsageSample> kept() { return pipeline::read_usage(directory.path / "usage/step.txt"); }
};

}  // namespace

TEST_CASE("what was measured of a step is kept, as far as it was measured") {
  World world;
  world.watch(100, 3);
  const auto kept = world.kept();
  REQUIRE(kept.size() >= 3);
  CHECK(kept[0].usage.cpu_us == 1000U);
  CHECK(kept[1].usage.cpu_us == 2000U);
  CHECK(kept[1].usage.memory == 4096U);
  CHECK_FALSE(kept[1].usage.tasks);
  CHECK(kept[1].workspace == 7U);
  CHECK(kept[1].at_ms == std::chrono::duration_cast<std::chrono::milliseconds>(world.clock.time.time_since_epoch()).count());
}

TEST_CASE("a long step leaves no more than a short one: every second sample goes when there are too many") {
  World world;
  world.watch(8, 21);
  const auto kept = world.kept();
  CHECK(kept.size() < 8);
  CHECK(kept.size() >= 4);
  CHECK(kept.front().usage.cpu_us == 1000U);          // The first one always stays.
  CHECK(kept.back().usage.cpu_us.value_or(0) > 15'000U);  // And the end is there.
}

TEST_CASE("a watch after a restart of the agent goes on with what there is") {
  World world;
  world.watch(100, 2);
  const auto before = world.kept().size();
  world.watch(100, world.looks + 2);
  CHECK(world.kept().size() >= before + 2);
  CHECK(world.kept().front().usage.cpu_us == 1000U);
}

TEST_CASE("a step that does not run leaves nothing, and a watch that is given up ends") {
  World world;
  world.runs = false;
  { UsageWatch watch{world.loop.get_executor(), world.workers, world.clock, world.options(5), [&] { return process::Probe{}; }, [] { return std::nullopt; }}; }
  world.loop.run();
  CHECK(world.looks == 0);
  CHECK(world.kept().empty());
}

TEST_CASE("a line of the file is read as it was written, and others are not") {
  const UsageSample sample{.at_ms = 1764187200000, .usage = {.cpu_us = 5, .memory = {}, .tasks = 3}, .workspace = 0};
  CHECK(pipeline::to_line(sample) == "1764187200000 5 - 3 0");
  const auto read = pipeline::usage_sample_in(pipeline::to_line(sample));
  REQUIRE(read);
  CHECK(read->usage.tasks == 3U);
  CHECK_FALSE(read->usage.memory);
  for (const char* line : {"", "x 1 2 3 4", "1 2 3", "1 2 3 -4 5", "1 2x 3 4 5", "1 99999999999999999999999 3 4 5"}) CHECK_FALSE(pipeline::usage_sample_in(line));
}
