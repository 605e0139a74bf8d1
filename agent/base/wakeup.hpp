#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <utility>

namespace outpost {

/// Lets one coroutine wait until another, on the same loop, has something for it. A notify() that comes before wait()
/// is not lost.
class Wakeup {
 public:
  explicit Wakeup(boost::asio::any_io_executor executor) : timer_{std::move(executor)} {}

  void notify() {
    notified_ = true;
    timer_.cancel();
  }

  /// Returns after notify() (true), or when `limit` has passed. Throws operation_aborted when the coroutine is
  /// cancelled.
  boost::asio::awaitable<bool> wait(std::chrono::steady_clock::duration limit = std::chrono::hours{24 * 365}) {
    if (!notified_) {
      timer_.expires_after(limit);
      // A cancelled timer is how notify() arrives; a cancelled coroutine throws at the next suspension.
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return std::exchange(notified_, false);
  }

 private:
  boost::asio::steady_timer timer_;
  bool notified_ = false;
};

}  // namespace outpost
