#pragma once

#include "agent/job/job.hpp"
#include "plugins/hooks/plugin.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

/// What a profile that comes with the agent (systemd/step) gives to a step.
struct Profile {
  std::string_view name;
  bool root, network, private_tmp, no_new_privileges;
};
inline constexpr std::array profiles{Profile{"default", false, true, true, true}, Profile{"offline", false, false, true, true},
                                     Profile{"libvirt", false, true, true, true}, Profile{"container", false, true, true, false},
                                     Profile{"root", true, true, false, false}};

/// What the check of a job asks of who knows the configuration.
struct JobKnowledge {
  std::function<bool(const std::string& secret)> knows_secret;
  /// Where a value of a plugin's configuration was written: path {"ports", "0"}; of the whole for an empty path.
  std::function<config::Origin(const std::string& plugin, const std::vector<std::string>& path)> origin;
  /// What the site says that it has; nullopt: nobody has asked it.
  std::optional<std::vector<std::string>> capabilities;
};

/// Everything because of which a job of this definition could not run: manifests, hooks that are not there or cannot be
/// started, what plugins require, what they are configured with. A plugin that is not installed is not one of these: the caller tells that. Blocks.
[[nodiscard]] Diagnoses check_job(PluginLibrary& library, const job::Definition& definition, const JobKnowledge& knowledge);

}  // namespace outpost::hooks
