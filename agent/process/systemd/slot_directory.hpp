#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"
#include "agent/process/command.hpp"
#include "agent/process/systemd/slot_limits.hpp"
#include "agent/process/systemd/step_report.hpp"

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace outpost::process {

/// The directory of one slot, through which the agent and the unit of the slot's step talk: see step_report.hpp. It
/// lies in memory (/run), so what is found in it belongs to this boot.
class SlotDirectory {
 public:
  /// `group`: the group of the slot's user, which must be one of this program's own.
  SlotDirectory(std::filesystem::path path, gid_t group) : path_{std::move(path)}, group_{group} {}

  /// Makes everything ready for a command, and removes what an earlier one left.
  [[nodiscard]] Result<void> prepare(const Command& command) const;
  /// The name of the command that prepare() was last called for; empty when there is none. A report is that command's.
  [[nodiscard]] std::string name() const;
  /// The FIFO, for reading or for writing, so that it does not block; not open, with errno, when that fails.
  [[nodiscard]] Descriptor open_output(int flags) const;
  /// The command was asked to end.
  struct Stopping {
    Stops why;
    std::chrono::steady_clock::time_point grace_end;
  };
  /// Tells outpost-step how long those that the command leaves behind may take, and the next agent that it need not ask.
  void note_stopping(const Stopping& stopping) const;
  [[nodiscard]] std::optional<Stopping> stopping() const;
  [[nodiscard]] StepReport report() const;
  /// What is known of the limits of a unit that runs the slot's commands; it is no command's, and stays. Nothing: no agent
  /// that notes them has looked at them.
  [[nodiscard]] std::optional<SlotLimits> limits(const std::string& unit) const;
  [[nodiscard]] Result<void> note_limits(const std::string& unit, const SlotLimits& limits) const;
  /// Removes the description of the command, which may hold secrets, and the output; its name and its report stay.
  void close() const;

 private:
  [[nodiscard]] Result<void> write(const char* name, const std::string& content, mode_t mode) const;
  [[nodiscard]] Result<void> give(const std::filesystem::path& path, mode_t mode) const;

  std::filesystem::path path_;
  gid_t group_;
};

/// Whether in one of these slots a step was begun that nobody has finished with: an agent before this one has left it to
/// systemd, which alone can take it up again or end it.
[[nodiscard]] bool holds_steps(const std::filesystem::path& slots);

}  // namespace outpost::process
