#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace outpost::config {

/// The rules of one time zone. A cheap value; nothing of the process (TZ, localtime) is touched.
class TimeZone {
 public:
  /// UTC.
  TimeZone() = default;

  /// Reads the content of a compiled zone file (TZif, RFC 8536), its footer included.
  [[nodiscard]] static Result<TimeZone> from_tzif(std::string_view bytes);
  /// Reads the rule form of POSIX: "CET-1CEST,M3.5.0,M10.5.0/3".
  [[nodiscard]] static Result<TimeZone> from_rule(std::string_view text);

  /// What a clock on the wall shows at that moment.
  [[nodiscard]] std::chrono::local_seconds local(Timestamp moment) const;
  /// Added to UTC at that moment; positive in the east.
  [[nodiscard]] std::chrono::seconds offset(Timestamp moment) const;

 private:
  struct Rules;
  std::shared_ptr<const Rules> rules_;  ///< None: UTC.
};

/// Finds a zone by its name; "" asks for the zone of this machine.
using ZoneLookup = std::function<Result<TimeZone>(std::string_view name)>;

/// "Europe/Prague" from /usr/share/zoneinfo, "UTC"; "" is what the TZ variable or else /etc/localtime says.
[[nodiscard]] Result<TimeZone> zone_by_name(std::string_view name);

}  // namespace outpost::config
