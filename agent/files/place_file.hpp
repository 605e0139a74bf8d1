#pragma once

#include "agent/base/result.hpp"

#include <filesystem>

namespace outpost::files {

/// Makes `to` (which must not exist) hold what `from` holds, read-only, in the cheapest way that works here: a reflink,
/// a hard link (then they are one file), a copy. Nothing is left after an error. Blocks; does not sync.
[[nodiscard]] Result<void> place_file(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace outpost::files
