#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/config/job_file.hpp"
#include "agent/job/story.hpp"
#include "agent/process/command_runner.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace outpost::daemon {

/// The job that a file describes, with an id of its own.
[[nodiscard]] job::Job job_of(const config::JobFile& file, const Clock& clock);

struct LocalJobOptions {
  std::filesystem::path directory;  ///< Journal, logs, results and artifacts go here; it must exist.
  std::vector<job::Stage> stages;   ///< Hooks of no other stages run; empty: all.
  bool dry_run = false;             ///< Only hooks of plugins that support it run, and are told so.
  std::function<void(const job::Event& event, const job::Story& story)> event;  ///< Each event as it is journaled.
  std::function<void(std::string_view step_id, std::string_view output)> output;  ///< What the steps print, as it arrives.

  // For tests of plugins.
  /// Makes what runs the commands of the steps, on top of the runner that would; `cancel` cancels the job.
  std::function<std::unique_ptr<process::CommandRunner>(process::CommandRunner& real, std::function<void()> cancel)> around_commands;
  bool shows_secrets = false;  ///< The logs are not redacted: the secrets are a test's own.
  bool waits = true;           ///< For the time of a retry; else a hook that asks for one has failed.
  bool resumes = false;        ///< Goes on with the job in the directory, whose process has died.
};

/// Runs one job without a server, with the same runner, journal and hooks as the daemon. SIGINT and SIGTERM cancel it;
/// its closing stages still run; a second signal ends the process. Returns how it went; an error when it could not be run at all.
[[nodiscard]] Result<job::Story> run_local_job(const config::JobFile& file, const LocalJobOptions& options);

}  // namespace outpost::daemon
