#pragma once

#include <cstdint>

namespace outpost::bench {

/// How often this process has asked for a disk sync (fsync, fdatasync), in whatever library.
[[nodiscard]] std::uint64_t sync_count();

}  // namespace outpost::bench
