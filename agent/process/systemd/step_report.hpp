#pragma once

#include "agent/process/command.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

/// What the agent and outpost-step, which runs in the unit of a step, tell each other: files in the directory of the
/// step's slot. Both are built and installed together. The directory belongs to the agent; the user of the slot may
/// write only what is marked *.
///
///   command   the name of the command
///   step      an ExecRequest: what to run
///   output    * a FIFO; it becomes stdout and stderr of the command
///   stopping  everybody is asked to end: the end of the grace, in ms of CLOCK_MONOTONIC, and "cancel" or "timeout"
///   report    * a StepReport
///
/// A package may be replaced at any moment between these, so what the files hold may be added to, and not changed.
namespace outpost::process {

inline constexpr const char* command_file = "command";
inline constexpr const char* step_file = "step";
inline constexpr const char* output_file = "output";
inline constexpr const char* stopping_file = "stopping";
inline constexpr const char* report_file = "report";

/// What was seen from within the unit. The hook could write it too, but not after its own end, when the last part is
/// written; and it can only slander itself.
struct StepReport {
  struct StartFailure {
    std::string phase;  ///< "sandbox", "request", "output", "directory" or "exec".
    int code = 0;       ///< errno
  };
  std::string invocation;  ///< Of the unit: systemd's name for this one run of it.
  std::optional<StartFailure> start_failure;
  unsigned leftovers = 0;  ///< Processes that had to be killed after the command had ended by itself.
  bool stopped = false;    ///< The unit was told to stop while the command ran.
  // Written as soon as the command itself has ended, and once more when everything has.
  std::string exit_kind;  ///< systemd.exec(5): $EXIT_CODE: "exited", "killed" or "dumped".
  std::string exit_status;  ///< $EXIT_STATUS: a number, or the name of a signal without "SIG".

  // From here on written when everything has ended.
  bool complete = false;
  std::string result;  ///< $SERVICE_RESULT, for example "exit-code" or "oom-kill".
  Figures figures;

  /// Whether the command itself has ended; what it left behind may be there.
  [[nodiscard]] bool has_exited() const { return complete || !exit_kind.empty(); }
  /// Whether ending_of() can tell the end of a command of which nothing is left. Whoever writes the last part may have
  /// been killed before.
  [[nodiscard]] bool tells_end() const { return has_exited() || stopped; }
};

/// Lines of "name value...". Later lines count, unknown ones are skipped.
[[nodiscard]] StepReport parse_report(std::string_view text);

/// The report in a file, as far as its first 64 KiB tell: the command may write to it too, without end.
[[nodiscard]] StepReport read_report(const std::filesystem::path& file);
[[nodiscard]] std::string to_text(const StepReport& report);

/// What the agent had asked the unit for before it ended.
struct Stops {
  bool cancelled = false, timed_out = false;
  bool withstood = false;  ///< What the command had left behind had to be killed from here.
};

/// How the command of a report that tells_end() ended.
[[nodiscard]] Ending ending_of(const StepReport& report, const Stops& stops);

}  // namespace outpost::process
