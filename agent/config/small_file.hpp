#pragma once

#include "agent/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <string>

namespace outpost::config {

/// Who may read a file that we read.
enum class Privacy {
  any,
  secret,  ///< A file that others can read or write is refused; the error says which chmod repairs it.
};

/// The whole content of a regular file (a FIFO or a device is refused, not waited for) of at most `limit` bytes.
[[nodiscard]] Result<std::string> read_small_file(const std::filesystem::path& path, std::size_t limit,
                                                  Privacy privacy = Privacy::any);

}  // namespace outpost::config
