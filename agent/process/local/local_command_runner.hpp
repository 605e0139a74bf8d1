#pragma once

#include "agent/process/command_runner.hpp"
#include "agent/process/usage.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace outpost::process {

class GuardianServer;

/// Runs each command below a guardian of its own (a small program, see guardian_protocol.hpp), so that the whole
/// process tree ends with the command, and also when this program dies.
///
/// * stdin is /dev/null; stdout and stderr are one pipe; no other descriptor is inherited; the umask is 0007; signals
///   are as after boot; the command leads a session of its own.
/// * The deadline is kept here, on the loop; the grace by the guardian, because it has to be kept even when this
///   program is dead. A command that ends by itself before its stop arrives has Exited or Killed, whatever the time.
/// * Once the command has ended, what it left in the background has 0.2 s to end too (the `tee` of
///   `exec > >(tee log)`), then it is killed and counted. Not several seconds: whoever leaves a server behind would pay
///   them with each hook. All that is in the pipe by then is taken.
/// * Lost: the guardian was killed, did not answer, or reported processes that no signal ends. In the first two cases
///   everything below it is killed here, which needs become_subreaper().
/// * A cancelled coroutine gets Cancelled, unless Lost.
/// Destroying the loop with a command running stops that command at once.
/// From the first command on it has one child of its own, the server that forks the guardians; it outlives all of them.
class LocalCommandRunner final : public CommandRunner {
 public:
  /// `guardian`: the path of the program outpost-guardian. `patience`: how long after a stop and its grace a guardian
  /// may stay silent (somebody sent it SIGSTOP) before it is killed; it takes up to 60 s itself when processes hang.
  explicit LocalCommandRunner(std::filesystem::path guardian,
                              std::chrono::milliseconds patience = std::chrono::seconds{90});
  ~LocalCommandRunner() override;
  LocalCommandRunner(LocalCommandRunner&&) noexcept;
  LocalCommandRunner& operator=(LocalCommandRunner&&) = delete;

  boost::asio::awaitable<Result<Finished>> run(Command command, Output& output) override;
  [[nodiscard]] bool overlaps() const override { return true; }
  [[nodiscard]] bool outlives() const override { return false; }
  boost::asio::awaitable<Left> look_for(Command command) override;
  boost::asio::awaitable<Result<Finished>> adopt(Command command, Output& output) override;
  [[nodiscard]] Result<std::optional<gid_t>> group_of(unsigned) const override { return std::optional<gid_t>{}; }
  boost::asio::awaitable<bool> is_part_of(Command command, pid_t process) override;
  /// How to measure the command of this name while it runs; nothing when it does not.
  [[nodiscard]] Probe probe(const std::string& name) const;
  [[nodiscard]] std::optional<std::filesystem::path> private_directory(unsigned) const override { return {}; }
  [[nodiscard]] std::string_view name() const override { return "local"; }

 private:
  std::unique_ptr<GuardianServer> guardians_;
  std::chrono::milliseconds patience_;
  std::map<std::string, pid_t> running_;  ///< The guardians of commands that have a name, by it.
};

/// outpost-guardian; unavailable when it is not installed.
[[nodiscard]] Result<std::filesystem::path> find_guardian();

/// Makes this process the one that orphans fall back to, for the case that a guardian is killed: call it once, before
/// the first command. From then on a child of this process that is in another session counts as such an orphan and is
/// killed when a guardian is lost: whoever starts processes in this program by other means leaves them in its session.
Result<void> become_subreaper();

}  // namespace outpost::process
