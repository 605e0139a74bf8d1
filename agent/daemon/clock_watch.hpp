#pragma once

#include "agent/base/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>

namespace outpost::daemon {

/// Notices that somebody set this machine's clock: an administrator, or a time service that found it far off. Wakes
/// nobody up otherwise. What is slowly brought right is not noticed, nor a step of less than a second.
class ClockWatch {
 public:
  static constexpr std::chrono::milliseconds usual_pause = std::chrono::seconds{10};

  /// `was_set` is called on the loop, at once, but not again within the pause: then at its end. Clock and loop outlive
  /// it. A kernel that cannot tell leaves it silent.
  ClockWatch(boost::asio::any_io_executor loop, const Clock& clock, std::function<void()> was_set);
  /// With a descriptor of its own that becomes readable when the clock may have been set.
  ClockWatch(boost::asio::any_io_executor loop, const Clock& clock, std::function<void()> was_set, int descriptor,
             std::chrono::milliseconds pause);
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

 private:
  void watch();
  [[nodiscard]] std::chrono::microseconds booted_at() const;

  boost::asio::posix::stream_descriptor timer_;
  boost::asio::steady_timer pause_timer_;
  const Clock& clock_;
  std::function<void()> was_set_;
  std::chrono::milliseconds pause_;
  std::chrono::microseconds known_{};  ///< booted_at() as it was last told; only setting the clock moves it.
};

}  // namespace outpost::daemon
