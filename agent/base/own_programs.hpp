#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>

namespace outpost {

/// One of our small programs that people do not start themselves: next to the running program, as in a build, else in
/// the libexec directory it is installed in, or that one's bin for those that hooks may start. unavailable when it is in
/// none of them.
[[nodiscard]] Result<std::filesystem::path> find_own_program(const std::string& name);

}  // namespace outpost
