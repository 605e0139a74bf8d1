#pragma once

#include "agent/base/result.hpp"
#include "agent/pipeline/step_runner.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::hooks {

/// Finds the folder of a plugin: `name`, or `NN-name` with an order number, in the first of the directories that has
/// one (so a site's plugin hides a shipped one). unavailable: not installed; the message lists where it was looked for,
/// and a plugin with a similar name if there is one.
[[nodiscard]] Result<std::filesystem::path> find_plugin(const std::vector<std::filesystem::path>& directories, const std::string& name);

/// Whether a name in a folder of hooks is what editors and package managers leave beside files.
[[nodiscard]] bool is_leftover(const std::string& name);

/// The hooks of one plugin for one stage: `hooks/<stage>`, then `hooks/<stage>.d/*` in name order. A file's presence
/// decides: one that is not executable is a step too, which then fails and says so, instead of being passed over.
[[nodiscard]] Result<std::vector<pipeline::Step>> hooks_of(const std::filesystem::path& folder, const std::string& plugin, job::Stage stage);

/// Whether a hook is YAML for Ansible: named *.yml or *.yaml, and not executable.
[[nodiscard]] bool is_playbook(const std::filesystem::path& hook);

}  // namespace outpost::hooks
