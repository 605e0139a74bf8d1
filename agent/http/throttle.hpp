#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace outpost::http {

/// Keeps all who share it below a rate, on average and smoothly: each takes its turn in the order of asking. It wakes
/// nobody up more often than a tenth of a second of its rate is worth.
class Throttle {
 public:
  using Clock = std::chrono::steady_clock;

  /// Told of bytes that may be sent now, in the order in which they leave: for those who show how far an upload is.
  using Told = std::function<void(std::size_t bytes)>;

  explicit Throttle(std::uint64_t bytes_per_second, Told told = nullptr)
      : rate_{bytes_per_second == 0 ? 1 : bytes_per_second}, told_{std::move(told)} {}

  /// Returns, when it is time, how many of `wanted` (> 0) bytes may be sent now: at least one.
  boost::asio::awaitable<std::size_t> take(std::size_t wanted);

  [[nodiscard]] std::uint64_t rate() const { return rate_; }

 private:
  std::uint64_t rate_;
  Told told_;
  Clock::time_point next_{};  ///< When what was given out so far is used up.
};

}  // namespace outpost::http
