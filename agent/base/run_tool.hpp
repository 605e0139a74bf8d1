#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost {

struct ToolRun {
  std::vector<std::string> words;         ///< The command, found in the PATH, and its arguments.
  std::filesystem::path directory = "/";  ///< Where it runs.
  std::filesystem::path input = "/dev/null";
  bool errors_too = false;  ///< What it says on standard error is part of the output, else it is lost.
};

struct ToolEnd {
  int status = 0;  ///< Its exit status; 128 and the signal for one that was killed.
  std::string output;
};

/// Runs a small command of this machine to its end. For commands that people call, not for the daemon: blocks, and
/// waits for as long as it takes. unavailable: it is not installed.
[[nodiscard]] Result<ToolEnd> run_tool(ToolRun run);

}  // namespace outpost
