#include "agent/daemon/try_again.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"

#include <utility>
#include <vector>

using namespace outpost;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace asio = boost::asio;

namespace {

/// Something that works at the n-th try; nobody waits.
struct Trial {
  explicit Trial(std::size_t tries) : works_at{tries} {}

  asio::awaitable<bool> attempt() { co_return pauses.size() >= works_at; }
  asio::awaitable<void> sleep(milliseconds pause) {
    pauses.push_back(pause);
    co_return;
  }
  asio::awaitable<bool> run() {
    daemon::Attempt trying = [this] { return attempt(); };
    daemon::Sleep sleeping = [this](milliseconds pause) { return sleep(pause); };
    auto work = daemon::try_again(std::move(trying), std::move(sleeping));
    co_await std::move(work);
    co_return true;
  }

  std::size_t works_at;
  std::vector<milliseconds> pauses;
};

asio::awaitable<bool> slept(milliseconds pause) {
  const auto sleep = daemon::sleep_by_timer();
  auto sleeping = sleep(pause);
  co_await std::move(sleeping);
  co_return true;
}

}  // namespace

TEST_CASE("what does not work is tried again after longer and longer pauses, five minutes at most") {
  Trial trial{9};
  CHECK(test::await(trial.run()));
  CHECK(trial.pauses == std::vector<milliseconds>{5s, 10s, 20s, 40s, 80s, 160s, 300s, 300s, 300s});
}

TEST_CASE("what works is not tried again") {
  Trial trial{1};
  CHECK(test::await(trial.run()));
  CHECK(trial.pauses == std::vector<milliseconds>{5s});
}

TEST_CASE("a pause is one of the loop's") { CHECK(test::await(slept(1ms))); }
