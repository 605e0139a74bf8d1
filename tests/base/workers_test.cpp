#include "agent/base/workers.hpp"

#include "agent/base/result.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <memory>
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

}  // namespace

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
