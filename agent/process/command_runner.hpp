#pragma once

#include "agent/base/result.hpp"
#include "agent/process/output.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace outpost::process {

/// A program to run on this machine.
struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< "NAME=value"; nothing is inherited.
  std::filesystem::path directory = "/";
  std::chrono::milliseconds deadline = std::chrono::hours{4};
  std::chrono::milliseconds grace = std::chrono::seconds{10};  ///< From SIGTERM to SIGKILL.
};

// How a command ended. "exit 15" and "killed by signal 15" are different facts.
struct Exited {
  int status;
};
struct Killed {
  int signal;
};
struct TimedOut {};
struct Cancelled {};
/// What supervised it died too, so nobody knows; no process is left all the same.
struct Lost {
  std::string why;
};
using Ending = std::variant<Exited, Killed, TimedOut, Cancelled, Lost>;

struct Finished {
  Ending ending;
  unsigned leftovers = 0;  ///< Processes that were still there when the command itself had ended, and were killed.
};

/// Runs commands. When run() returns, no process that the command started is left, whatever session or parent it has
/// given itself, and the output has taken every byte that was written before.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;

  /// stdout and stderr are one stream, which `output` takes; it outlives the call.
  /// Cancelling the awaiting coroutine stops the command (SIGTERM, grace, SIGKILL); the ending is then Cancelled.
  /// unavailable: the program could not be started, the message says why and names it.
  virtual boost::asio::awaitable<Result<Finished>> run(Command command, Output& output) = 0;

  /// "local" or "systemd", for status and log.
  [[nodiscard]] virtual std::string_view name() const = 0;
};

}  // namespace outpost::process
