#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>

namespace outpost::delivery {

/// Wakes coroutines of one loop. Take count(), look whether there is something to do, then wait(count): a ring in
/// between is not lost.
class Bell {
 public:
  explicit Bell(const boost::asio::any_io_executor& loop)
      : timer_{loop, boost::asio::steady_timer::time_point::max()} {}

  void ring() {
    ++count_;
    timer_.cancel();
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Returns after a ring that came after `seen`, and when the caller is cancelled.
  boost::asio::awaitable<void> wait(std::uint64_t seen);

 private:
  boost::asio::steady_timer timer_;  ///< Never expires; cancelling it wakes all who wait.
  std::uint64_t count_ = 0;
};

}  // namespace outpost::delivery
