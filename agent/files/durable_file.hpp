#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string_view>

namespace outpost::files {

/// Makes `target` hold exactly `content`, or leaves it as it was: whoever reads it sees the old content or the new one.
/// Once this returns success, the content survives a crash of the program and of the machine. Blocks for two syncs.
[[nodiscard]] Result<void> write_durably(const std::filesystem::path& target, std::string_view content,
                                         unsigned mode = 0640);

/// Gives a finished and closed file its final name: syncs it, renames it, syncs the directories. Blocks.
[[nodiscard]] Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Removes `target` so that it does not come back after a crash. A missing file is a success. Blocks.
[[nodiscard]] Result<void> remove_durably(const std::filesystem::path& target);

}  // namespace outpost::files
