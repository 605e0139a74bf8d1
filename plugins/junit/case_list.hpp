#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::junit {

/// A test case of a JUnit file.
struct ListedCase {
  std::string name;     ///< "classname:name", or the name alone.
  std::string outcome;  ///< pass, fail, error or skip: of several in a case the last one.
};

/// The cases that read_junit() counts in a file, in its order: for what people look at one by one. Errors: unavailable
/// when the file cannot be read, malformed when it is no XML. Blocks.
[[nodiscard]] Result<std::vector<ListedCase>> list_cases(const std::filesystem::path& file);

}  // namespace outpost::junit
