#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace outpost {

/// A moment in UTC.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// Where the time comes from; tests put a clock in that they turn themselves.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
  /// Time since boot, not moved by anybody who sets the clock (CLOCK_BOOTTIME).
  [[nodiscard]] virtual std::chrono::nanoseconds since_boot() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override;
};

/// "2026-11-20T22:12:12.821369Z"
[[nodiscard]] std::string to_rfc3339(Timestamp moment);

/// Reads "2026-11-20T22:12:12[.fraction][Z|+hh:mm]"; no zone means UTC.
[[nodiscard]] std::optional<Timestamp> parse_rfc3339(std::string_view text);

/// "20261120T221212Z", the form that request signatures use.
[[nodiscard]] std::string to_basic_utc(Timestamp moment);

/// Reads the `Date` header of HTTP, "Fri, 20 Nov 2026 22:12:12 GMT" (RFC 9110 §5.6.7, the preferred form only).
[[nodiscard]] std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace outpost
