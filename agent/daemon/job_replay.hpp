#pragma once

#include "agent/base/result.hpp"
#include "agent/config/job_file.hpp"
#include "agent/config/settings.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outpost::daemon {

struct ReplayOptions {
  std::filesystem::path directory;  ///< Of the journal and the jobs: the daemon's state, or that of `outpost job run`.
  std::filesystem::path scratch;    ///< A directory for what the replay needs, its own.
  std::string job;                  ///< An id, or how it begins.
  std::string plugin;               ///< Only this one; empty: all of the job.
  std::map<std::string, std::filesystem::path> components;  ///< By type: where their files are now.
  config::Settings settings;                                ///< Where plugins lie, what secrets and resources are.
};

struct Replay {
  std::string job_id, ended_as;
  config::JobFile job;               ///< What to run.
  std::vector<std::string> remarks;  ///< What is no longer as it was, for people.
};

/// A past job as one that can be run here without a server: its definition, components and configuration of plugins
/// from the journal, which may be in use, and its plugins by their digests. Blocks. unavailable: there is no such job,
/// or a plugin of it is gone. refused: the journal cannot be read.
[[nodiscard]] Result<Replay> job_to_replay(const ReplayOptions& options);

}  // namespace outpost::daemon
