#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace outpost::doctor {

struct CommandAnswer {
  bool ran = false;  ///< It is installed, and has ended in time.
  int status = -1;
  std::string output;  ///< Standard output, as much of it as is kept.
};

/// How much of the output of a command is kept: its beginning, or the whole lines at its end.
struct Kept {
  std::size_t bytes = 64 * 1024;
  bool newest = false;
};

/// Runs a small program of the system, which is looked for in PATH, and waits for its end; one that takes longer than
/// `limit` is killed. Its standard error is thrown away.
[[nodiscard]] CommandAnswer run_command(const std::vector<std::string>& words,
                                        std::chrono::milliseconds limit = std::chrono::seconds{10}, Kept kept = {});

}  // namespace outpost::doctor
