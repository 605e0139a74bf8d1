#include "agent/daemon/try_again.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <stdexcept>
#include <string>
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

  asio::awaitable<bool> attempt() {
    if (pauses.size() <= failures.size()) std::rethrow_exception(failures[pauses.size() - 1]);
    co_return pauses.size() >= works_at;
  }
  asio::awaitable<void> sleep(milliseconds pause) {
    pauses.push_back(pause);
    co_return;
  }
  asio::awaitable<bool> run() {
    daemon::Attempt trying = [this] { return attempt(); };
    daemon::Sleep sleeping = [this](milliseconds pause) { return sleep(pause); };
    daemon::Complain complaining = [this](const std::string& message) { complaints.push_back(message); };
    auto work = daemon::try_again(std::move(trying), std::move(sleeping), std::move(complaining));
    co_await std::move(work);
    co_return true;
  }

  std::size_t works_at;
  std::vector<milliseconds> pauses;
  std::vector<std::exception_ptr> failures;  ///< What the first tries throw.
  std::vector<std::string> complaints;
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

TEST_CASE("a try that throws is one that did not work, and is told") {
  Trial trial{1};
  trial.failures = {std::make_exception_ptr(std::runtime_error{"out of luck"}),
                    std::make_exception_ptr(boost::system::system_error{asio::error::access_denied})};
  CHECK(test::await(trial.run()));
  CHECK(trial.pauses == std::vector<milliseconds>{5s, 10s, 20s});
  REQUIRE(trial.complaints.size() == 2);
  CHECK(trial.complaints[0] == "out of luck");
}

TEST_CASE("what is cancelled is not tried again") {
  Trial trial{1};
  trial.failures = {std::make_exception_ptr(boost::system::system_error{asio::error::operation_aborted})};
  CHECK_THROWS_AS(test::await(trial.run()), boost::system::system_error);
  CHECK(trial.pauses.size() == 1);
  CHECK(trial.complaints.empty());
}

TEST_CASE("a pause is one of the loop's") { CHECK(test::await(slept(1ms))); }
