#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

namespace outpost::daemon {

/// Which logs to show, and how.
struct JobLogsOptions {
  std::filesystem::path jobs_directory;  ///< <state>/jobs
  std::string job;                       ///< Its id, or how it begins.
  std::string step;                      ///< Empty: all of them.
  bool times = false;                    ///< When each line came, in front of it.
  bool terminal = false;                 ///< Escape what a terminal would obey.
  /// For programs: a line with {schema: "outpost-job-logs", version, job_id}, then one for each line of a log: {step_id,
  /// time: or null, text, continued: whether it is the rest of the line before}, or {step_id, given_back: bytes}.
  bool json = false;
};

/// Prints the redacted logs of a job's steps, in the order in which the steps began to print, straight from the files:
/// no daemon is needed. With several steps, each has a head.
/// unavailable: no such job or step, and which there are; or files that may not be read. retry_later: `out` broke.
[[nodiscard]] Result<void> print_job_logs(const JobLogsOptions& options, std::ostream& out);

/// Prints what the steps have printed so far and then what they print, each with a head when it is another step's turn,
/// until `ended` says that nothing more comes. Blocks. Errors as print_job_logs().
[[nodiscard]] Result<void> follow_job_logs(const JobLogsOptions& options, std::ostream& out,
                                           const std::function<bool(const std::string& job_id)>& ended);

}  // namespace outpost::daemon
