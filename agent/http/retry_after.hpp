#pragma once

#include "agent/base/clock.hpp"
#include "agent/http/message.hpp"

#include <chrono>
#include <optional>

namespace outpost::http {

/// "Retry-After: 120" or an HTTP date, counted from the answer's own Date where it has one; at most a day.
[[nodiscard]] std::optional<std::chrono::milliseconds> retry_after(const Headers& headers, Timestamp now);

}  // namespace outpost::http
