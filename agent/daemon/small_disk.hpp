#pragma once

#include "agent/base/result.hpp"

#include <filesystem>

namespace outpost::daemon {

/// Puts a file system of its own over a directory, in memory, with room for `bytes`; only this process and its children
/// see it, and it goes with them. Call it while the process has one thread. unavailable: this machine does not let us.
[[nodiscard]] Result<void> mount_small_disk(const std::filesystem::path& directory, std::uint64_t bytes);

/// Lets `directory` be shown at `at` too, which is on such a disk and shall not count there.
[[nodiscard]] Result<void> show_also(const std::filesystem::path& directory, const std::filesystem::path& at);

/// Takes what room the disk of the directory has left.
void fill_disk(const std::filesystem::path& directory);

}  // namespace outpost::daemon
