#pragma once

#include "agent/process/usage.hpp"

#include <sys/types.h>

#include <optional>

namespace outpost::process {

/// What the processes below `root` take, by /proc; nothing when there are none. Memory is what is resident of each, so
/// what they share counts several times. The time of those that have ended is in it once their parent has waited.
[[nodiscard]] std::optional<Usage> usage_below(pid_t root);

}  // namespace outpost::process
