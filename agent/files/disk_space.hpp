#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace outpost::files {

/// Bytes that may still be written on the file system of an open file or directory; nothing when it does not say.
[[nodiscard]] std::optional<std::uint64_t> free_bytes(int descriptor);

/// `path: the disk is full (4.2 MiB needed, 12 KiB free); free some space or move the state directory`
[[nodiscard]] Error disk_full(const std::filesystem::path& path, std::optional<std::uint64_t> needed,
                              std::optional<std::uint64_t> available);

}  // namespace outpost::files
