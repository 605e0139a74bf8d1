#pragma once

#include "agent/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::junit {

/// What a step left in a directory.
struct LeftoverFiles {
  std::vector<std::string> files;                  ///< Regular files, relative, in the order of their names.
  std::vector<std::filesystem::path> directories;  ///< Absolute, the root too.
  std::vector<std::string> warnings;               ///< What else is there, and why it is left out.
};

/// Walks through the directory without following links or opening fifos and devices. At most `limit` files; deeper than
/// 32 directories nothing is looked at. A directory that is not there is empty. Blocks.
[[nodiscard]] LeftoverFiles find_leftover_files(const std::filesystem::path& root, std::size_t limit);

/// Adds "and 17 more" instead of an endless list.
void add_warning(std::vector<std::string>& warnings, std::string warning);

/// Writes what an open file holds from its beginning on into another, up to `most` bytes: refused when it has more. Blocks.
[[nodiscard]] Result<void> copy_file(int from, int to, std::uint64_t most);

}  // namespace outpost::junit
