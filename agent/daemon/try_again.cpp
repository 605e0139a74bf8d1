#include "agent/daemon/try_again.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

/// By reference: whoever waits for it has them.
asio::awaitable<bool> try_once(const Attempt& attempt, const Complain& complain) {
  try {
    auto trying = attempt();
    co_return co_await std::move(trying);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() == asio::error::operation_aborted) throw;
    complain(failure.what());
  } catch (const std::exception& failure) {
    complain(failure.what());
  }
  co_return false;
}

}  // namespace

asio::awaitable<void> try_again(Attempt attempt, Sleep sleep, Complain complain, Pauses pauses) {
  for (auto pause = std::min(pauses.first, pauses.longest);; pause = std::min(pause * 2, pauses.longest)) {
    auto sleeping = sleep(pause);
    co_await std::move(sleeping);
    auto trying = try_once(attempt, complain);
    if (co_await std::move(trying)) co_return;
  }
}

namespace {

asio::awaitable<void> sleep_for(std::chrono::milliseconds pause) {
  asio::steady_timer timer{co_await asio::this_coro::executor, pause};
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

Sleep sleep_by_timer() { return sleep_for; }

}  // namespace outpost::daemon
