#pragma once

#include "agent/base/result.hpp"

#include <filesystem>

namespace outpost::journal {

/// Copies a journal that somebody may be writing, as it is at one moment. Blocks.
/// unavailable: it cannot be read. retry_later: it cannot be written, or its writer leaves no time for a copy.
[[nodiscard]] Result<void> copy_journal(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace outpost::journal
