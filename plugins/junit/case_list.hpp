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

/// The cases of a file that read_junit() has found well-formed: it has the limits, this has not. For what people look
/// at one by one. Errors: unavailable when the file cannot be read, malformed when it is no XML.
[[nodiscard]] Result<std::vector<ListedCase>> list_cases(const std::filesystem::path& file);

}  // namespace outpost::junit
