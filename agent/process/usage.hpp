#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace outpost::process {

/// What a command and everything below it takes at one moment; what cannot be measured here is not there.
struct Usage {
  std::optional<std::uint64_t> cpu_us;  ///< User and system time so far, microseconds.
  std::optional<std::uint64_t> memory;  ///< Bytes.
  std::optional<std::uint64_t> tasks;   ///< Processes; in a control group threads count too.
};

/// Measures a running command; nothing when it has ended. Reads files of /proc or /sys: for a worker. It may be asked
/// again and again, by one thread at a time, also when its runner is gone.
using Probe = std::function<std::optional<Usage>()>;

}  // namespace outpost::process
