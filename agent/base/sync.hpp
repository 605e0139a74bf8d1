#pragma once

#include "agent/base/result.hpp"

#include <filesystem>

namespace outpost {

/// Syncs what a file holds, so that it survives a crash of the machine. A link is refused. Blocks.
[[nodiscard]] Result<void> sync_file(const std::filesystem::path& file);

/// Syncs the names in a directory (not what the files hold), so that they survive a crash of the machine. Blocks.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& directory);

}  // namespace outpost
