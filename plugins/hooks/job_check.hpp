#pragma once

#include "agent/job/job.hpp"
#include "plugins/hooks/plugin.hpp"

#include <functional>
#include <string>
#include <vector>

namespace outpost::hooks {

/// What the check of a job asks of who knows the configuration.
struct JobKnowledge {
  std::function<bool(const std::string& secret)> knows_secret;
  /// Where a value of a plugin's configuration was written: path {"ports", "0"}; of the whole for an empty path.
  std::function<config::Origin(const std::string& plugin, const std::vector<std::string>& path)> origin;
};

/// Everything because of which a job of this definition could not run: manifests, what they require, what plugins are
/// configured with. A plugin that is not installed is not one of these: the caller tells that. Blocks.
[[nodiscard]] Diagnoses check_job(PluginLibrary& library, const job::Definition& definition, const JobKnowledge& knowledge);

}  // namespace outpost::hooks
