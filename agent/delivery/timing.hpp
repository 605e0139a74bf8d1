#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace outpost::delivery {

using Moment = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

/// Time and chance as one dispatcher sees them; tests turn both by hand.
class Timing {
 public:
  virtual ~Timing() = default;

  [[nodiscard]] virtual Moment now() const = 0;
  /// Evenly spread in [0, 1).
  [[nodiscard]] virtual double random() = 0;
  /// Calls `ring` on the loop, once, at `when` or soon after; replaces what was asked before. Moment::max(): never.
  virtual void ring_at(Moment when, std::function<void()> ring) = 0;
};

[[nodiscard]] std::unique_ptr<Timing> system_timing(const boost::asio::any_io_executor& loop);

/// How long to wait after the n-th failure in a row (n >= 1): anything up to base * 2^(n-1), at most `cap`. Full
/// jitter, because a hundred agents that lost the same server must not come back together.
[[nodiscard]] Milliseconds backoff(unsigned failures, Milliseconds base, Milliseconds cap, double random);

}  // namespace outpost::delivery
