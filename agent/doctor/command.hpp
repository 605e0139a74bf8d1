#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace outpost::doctor {

struct CommandAnswer {
  bool ran = false;  ///< It is installed, and has ended in time.
  int status = -1;
  std::string output;  ///< Standard output, at most 64 KiB.
};

/// Runs a small program of the system, which is looked for in PATH, and waits for its end; one that takes longer than
/// `limit` is killed. Its standard error is thrown away.
[[nodiscard]] CommandAnswer run_command(const std::vector<std::string>& words,
                                        std::chrono::milliseconds limit = std::chrono::seconds{10});

}  // namespace outpost::doctor
