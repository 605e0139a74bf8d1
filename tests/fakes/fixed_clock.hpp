#pragma once

#include "agent/base/clock.hpp"

namespace outpost::test {

/// A clock that stands until the test moves it.
struct FixedClock final : Clock {
  Timestamp time = *parse_rfc3339("2026-11-20T22:12:12Z");
  [[nodiscard]] Timestamp now() const override { return time; }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return time.time_since_epoch(); }
};

}  // namespace outpost::test
