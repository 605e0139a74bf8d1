#pragma once

#include "agent/config/job_file.hpp"
#include "agent/config/load.hpp"
#include "agent/doctor/outside.hpp"

#include <string>
#include <vector>

namespace outpost::daemon {

/// Everything because of which configured jobs could not run their plugins, one line each: manifests, hooks that are
/// not there or cannot be started, what they require of this machine, what the plugins are configured with. For
/// `outpost config check`. Blocks.
[[nodiscard]] std::vector<std::string> check_plugins(const config::Loaded& loaded);

/// What is likely a mistake in the plugins of enabled jobs, though they can run, one line each. Blocks.
[[nodiscard]] std::vector<std::string> plugin_warnings(const config::Loaded& loaded);

/// Those, with everything else that lint has to say of the plugins of enabled jobs, each once. For `outpost doctor`.
[[nodiscard]] std::vector<doctor::PluginMistake> plugin_mistakes(const config::Loaded& loaded);

/// What check_plugins() says for a job file, whose name is `file`.
[[nodiscard]] std::vector<std::string> check_plugins(const config::JobFile& job, const std::string& file);

}  // namespace outpost::daemon
