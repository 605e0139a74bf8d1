#pragma once

#include "agent/base/result.hpp"
#include "agent/process/command.hpp"
#include "agent/process/output.hpp"

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <optional>
#include <string_view>

namespace outpost::process {

/// Runs commands. When run() returns, no process that the command started is left, whatever session or parent it has
/// given itself, and the output has taken every byte that was written before.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;

  /// stdout and stderr are one stream, which `output` takes; it outlives the call.
  /// Cancelling the awaiting coroutine stops the command (SIGTERM, grace, SIGKILL); the ending is then Cancelled.
  /// unavailable: the program could not be started, the message says why and names it.
  virtual boost::asio::awaitable<Result<Finished>> run(Command command, Output& output) = 0;

  /// Goes on with the command of this slot and name that an earlier process of this program had started: the output gets
  /// what that one had not taken, the deadline counts from now. It may have ended meanwhile.
  /// unavailable: there is none; its end is not known.
  virtual boost::asio::awaitable<Result<Finished>> adopt(Command command, Output& output) = 0;

  /// The group that files for the commands of a slot have to be given to, because they run as somebody else; nothing
  /// when they run as this program does. unavailable: this machine has no such group.
  [[nodiscard]] virtual Result<std::optional<gid_t>> group_of(unsigned slot) const = 0;

  /// "local" or "systemd", for status and log.
  [[nodiscard]] virtual std::string_view name() const = 0;
};

}  // namespace outpost::process
