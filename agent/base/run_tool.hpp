#pragma once

#include "agent/base/result.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace outpost {

struct ToolRun {
  std::vector<std::string> words;         ///< The command, found in the PATH, and its arguments.
  std::filesystem::path directory = "/";  ///< Where it runs.
  std::filesystem::path input = "/dev/null";
  bool errors_too = false;  ///< What it says on standard error is part of the output, else it is lost.
  /// After which it is killed, with all of its process group. Not for commands that ask something on the terminal: with
  /// a limit they are not in its foreground.
  std::optional<std::chrono::milliseconds> limit = {};
};

struct ToolEnd {
  int status = 0;  ///< Its exit status; 128 and the signal for one that was killed.
  std::string output;
};

/// Runs a small command of this machine to its end. For commands that people call, not for the daemon: blocks.
/// unavailable: it is not installed. retry_later: its limit is over.
[[nodiscard]] Result<ToolEnd> run_tool(ToolRun run);

}  // namespace outpost
