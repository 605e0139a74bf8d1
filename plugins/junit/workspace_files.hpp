#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::junit {

/// Whether a path fits a pattern: `*` and `?` stand for what a name holds, `**` for any number of directories.
[[nodiscard]] bool matches_path(std::string_view path, std::string_view pattern);

/// Copies what fits one of the patterns from the workspace, which later steps go on using, into a directory that is the
/// step's own. Links are not followed; what is there already stays. At most `limit` files, of at most `bytes` each.
/// Returns what was left out, and the patterns that nothing fitted, for people. Blocks.
[[nodiscard]] std::vector<std::string> copy_from_workspace(const std::filesystem::path& workspace, const std::vector<std::string>& patterns,
                                                           const std::filesystem::path& destination, std::size_t limit, std::uint64_t bytes);

}  // namespace outpost::junit
