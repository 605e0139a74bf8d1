#pragma once

#include "agent/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace outpost {

/// "500ms", "30s", "10min", "24h", "2d", and sums such as "1h30min". A unit is required; "10m" is minutes.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "10", "64KiB", "5GiB", "20G" (binary too), "1.5MiB"; bytes without a unit.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// "1h 02min 03s", "4.2s", "12ms": for people.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// "4.2 MiB": for people.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace outpost
