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

/// A directory of ours alone for what a program reads, gone with its owner.
class PrivateDirectory {
 public:
  static Result<PrivateDirectory> make();
  ~PrivateDirectory();
  PrivateDirectory(PrivateDirectory&& other) noexcept : path_{std::exchange(other.path_, {})} {}
  PrivateDirectory& operator=(PrivateDirectory&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file that only we can read. Blocks.
  [[nodiscard]] Result<std::filesystem::path> write(const std::string& name, std::string_view content) const;

 private:
  explicit PrivateDirectory(std::filesystem::path path) : path_{std::move(path)} {}
  std::filesystem::path path_;
};

}  // namespace outpost::promoter
