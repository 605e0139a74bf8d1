#pragma once

#include "agent/base/result.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::promoter {

/// What a program of the distribution said.
struct Said {
  int status = 0;
  std::string output;  ///< stdout and stderr as they came.

  /// The last line that says something, for messages.
  [[nodiscard]] std::string last_line() const;
};

/// Where a program is in $PATH. unavailable: nowhere; the message names the package to install.
[[nodiscard]] Result<std::filesystem::path> find_tool(const std::string& name, const std::string& package);

/// Runs one to its end. retry_later: it was killed, or its time was up. cancelled: we were asked to stop.
boost::asio::awaitable<Result<Said>> run_tool(process::CommandRunner& commands, std::filesystem::path program,
                                              std::vector<std::string> arguments, std::vector<std::string> environment,
                                              std::chrono::milliseconds deadline);

}  // namespace outpost::promoter
