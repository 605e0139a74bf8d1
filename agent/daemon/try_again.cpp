#include "agent/daemon/try_again.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;

asio::awaitable<void> try_again(Attempt attempt, Sleep sleep, Pauses pauses) {
  for (auto pause = std::min(pauses.first, pauses.longest);; pause = std::min(pause * 2, pauses.longest)) {
    auto sleeping = sleep(pause);
    co_await std::move(sleeping);
    auto trying = attempt();
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
