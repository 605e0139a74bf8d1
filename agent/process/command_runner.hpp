#pragma once

#include "agent/base/result.hpp"
#include "agent/process/command.hpp"
#include "agent/process/output.hpp"

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string_view>

namespace outpost::process {

/// What there is of a command that an earlier process of this program was about to run.
enum class Left {
  gone,       ///< Nothing, and nobody knows how it ended.
  not_begun,  ///< Nothing of it has run, for certain.
  there,      ///< It runs, or it has ended: adopt() goes on with it.
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

  /// Whether two commands of one slot can run side by side.
  [[nodiscard]] virtual bool overlaps() const = 0;

  /// Whether commands go on when this program ends.
  [[nodiscard]] virtual bool outlives() const = 0;

  /// What there is of a command, of which only slot, profile and name count. For this to be right the end of each
  /// command has to be written down before the next one of its slot is run.
  virtual boost::asio::awaitable<Left> look_for(Command command) = 0;

  /// Goes on with the command of this slot and name that an earlier process of this program had started: the output gets
  /// what that one had not taken, the deadline counts from now. It may have ended meanwhile.
  /// unavailable: there is none; its end is not known.
  virtual boost::asio::awaitable<Result<Finished>> adopt(Command command, Output& output) = 0;

  /// The group that files for the commands of a slot have to be given to, because they run as somebody else; nothing
  /// when they run as this program does. unavailable: this machine has no such group.
  [[nodiscard]] virtual Result<std::optional<gid_t>> group_of(unsigned slot) const = 0;

  /// Whether a process, of this machine's numbers, is the command of this slot, profile and name that is run here, or one
  /// that descends from it.
  virtual boost::asio::awaitable<bool> is_part_of(Command command, pid_t process) = 0;

  /// A directory into which this program puts what nobody but the commands of a slot shall get to, and which they cannot
  /// change; nothing when they run as this program does.
  [[nodiscard]] virtual std::optional<std::filesystem::path> private_directory(unsigned slot) const = 0;

  /// "local" or "systemd", for status and log.
  [[nodiscard]] virtual std::string_view name() const = 0;
};

}  // namespace outpost::process
