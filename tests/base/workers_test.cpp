#include "agent/base/workers.hpp"

#include "agent/base/result.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

using namespace outpost;

namespace {

struct Threads { std::thread::id before, inside, after; };

boost::asio::awaitable<Threads> observe(Workers& workers) {
  Threads threads;
  threads.before = std::this_thread::get_id();
  auto work = [] { return std::this_thread::get_id(); };
  threads.inside = co_await workers.run(work);
  threads.after = std::this_thread::get_id();
  co_return threads;
}

boost::asio::awaitable<Result<std::unique_ptr<int>>> move_through(Workers& workers) {
  auto work = [value = std::make_unique<int>(42)]() mutable { return Result<std::unique_ptr<int>>{std::move(value)}; };
  co_return co_await workers.run(std::move(work));
}

boost::asio::awaitable<int> add_up(Workers& workers, int rounds) {
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    auto work = [] { return 1; };
    sum += co_await workers.run(work);
  }
  co_return sum;
}

boost::asio::awaitable<int> side_by_side(Workers& workers) {
  using namespace boost::asio::experimental::awaitable_operators;
  const auto [a, b, c, d] = co_await (add_up(workers, 500) && add_up(workers, 500) && add_up(workers, 500) && add_up(workers, 500));
  co_return a + b + c + d;
}

boost::asio::awaitable<int> fail(Workers& workers) {
  auto work = []() -> int { throw std::runtime_error{"no"}; };
  co_return co_await workers.run(work);
}

/// Takes its time to go away, unless somebody has gone on meanwhile who should have waited.
struct Slow {
  std::atomic<bool>& gone;
  const std::atomic<bool>& gone_on;
  ~Slow() {
    for (int turn = 0; turn < 1000 && !gone_on; ++turn) std::this_thread::yield();
    gone = true;
    gone.notify_all();
  }
};

boost::asio::awaitable<bool> own_something(Workers& workers, bool fails) {
  std::atomic<bool> gone = false, gone_on = false;
  auto owned = std::make_unique<Slow>(gone, gone_on);
  auto work = [owned = std::move(owned), fails] {
    if (fails) throw std::runtime_error{"no"};
    return true;
  };
  try {
    co_await workers.run(std::move(work));
  } catch (const std::runtime_error&) {
  }
  const bool was_gone = gone;
  gone_on = true;
  gone.wait(false);  // Who comes too late writes to it all the same.
  co_return was_gone;
}

}  // namespace

TEST_CASE("coroutines that run side by side and can be cancelled share the workers") {
  Workers workers;
  CHECK(test::await(side_by_side(workers)) == 2000);
}

TEST_CASE("what work throws reaches the caller") {
  Workers workers;
  CHECK_THROWS_WITH(test::await(fail(workers)), "no");
}

TEST_CASE("work runs on another thread and the caller goes on on its own") {
  Workers workers;
  const auto threads = test::await(observe(workers));
  CHECK(threads.before == std::this_thread::get_id());
  CHECK(threads.inside != threads.before);
  CHECK(threads.after == threads.before);
}

TEST_CASE("work may own and return what cannot be copied") {
  Workers workers;
  const auto moved = test::await(move_through(workers));
  REQUIRE(moved);
  CHECK(**moved == 42);
}

TEST_CASE("what work owns is gone before the caller goes on, also when it has thrown") {
  Workers workers;
  const bool fails = GENERATE(false, true);
  bool always = true;
  for (int round = 0; round < 50; ++round) always = test::await(own_something(workers, fails)) && always;
  CHECK(always);
}
