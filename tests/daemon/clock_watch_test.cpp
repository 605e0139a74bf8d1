#include "agent/daemon/clock_watch.hpp"

#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

using namespace outpost;
using namespace std::chrono_literals;

namespace {

struct TurnedClock final : Clock {
  [[nodiscard]] Timestamp now() const override { return Timestamp{1'000'000s + turned + boot}; }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return boot; }
  std::chrono::microseconds turned{}, boot{};
};

/// A kernel that says when the clock may have been set.
struct World {
  void kernel_says_so() const {
    const std::uint64_t one = 1;
    REQUIRE(::write(kernel, &one, sizeof one) == sizeof one);
  }
  void run_for_a_moment() {
    loop.restart();
    loop.run_for(20ms);
  }

  boost::asio::io_context loop;
  TurnedClock clock;
  int kernel = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int told = 0;
  daemon::ClockWatch watch{loop.get_executor(), clock, [this] { ++told; }, kernel, 1ms};
};

}  // namespace

TEST_CASE("a clock that is set is noticed, each time, forwards and backwards") {
  World world;
  for (const auto by : {1h, -24h}) {
    world.clock.turned += by;
    world.kernel_says_so();
    const int before = world.told;
    while (world.told == before) world.loop.run_one_for(10s);
    CHECK(world.told == before + 1);
  }
}

TEST_CASE("a clock that goes on, or is moved by less than a second, was not set") {
  World world;
  world.clock.boot += 5h;
  world.kernel_says_so();
  world.run_for_a_moment();
  world.clock.turned += 900ms;
  world.kernel_says_so();
  world.run_for_a_moment();
  CHECK(world.told == 0);
}

TEST_CASE("a clock that is set again during the pause is noticed at its end") {
  World world;
  world.clock.turned += 1h;
  world.kernel_says_so();
  while (world.told == 0) world.loop.run_one_for(10s);
  world.clock.turned -= 1h;  // The kernel has nobody to tell.
  while (world.told == 1) world.loop.run_one_for(10s);
  CHECK(world.told == 2);
}

TEST_CASE("the kernel's own timer is waited for without a sound") {
  boost::asio::io_context loop;
  const SystemClock clock;
  int told = 0;
  const daemon::ClockWatch watch{loop.get_executor(), clock, [&] { ++told; }};
  CHECK(loop.run_for(20ms) == 0);
  CHECK(told == 0);
}
