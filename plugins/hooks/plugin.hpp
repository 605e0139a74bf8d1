#pragma once

#include "agent/base/result.hpp"
#include "plugins/hooks/manifest.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace outpost::hooks {

/// A folder of hooks, and what it says of itself.
struct Plugin {
  std::string name;  ///< Without the folder's order number.
  std::filesystem::path folder;
  std::optional<Manifest> manifest;  ///< None when there is no plugin.yml, or it cannot be used (then `diagnoses` has errors).
  Diagnoses diagnoses;               ///< Of the manifest.

  [[nodiscard]] bool is_broken() const { return has_errors(diagnoses); }
};

/// Reads the plugin in a folder. `shown` is how messages call the manifest: "plugin.yml". Blocks.
[[nodiscard]] Plugin read_plugin(const std::filesystem::path& folder, const std::string& name, const std::string& shown);

/// The plugins of a machine. A manifest is read again only when its file has changed. Any thread may use it.
class PluginLibrary {
 public:
  explicit PluginLibrary(std::vector<std::filesystem::path> directories) : directories_{std::move(directories)} {}

  [[nodiscard]] const std::vector<std::filesystem::path>& directories() const { return directories_; }

  /// As find_plugin() finds it. unavailable: not installed.
  [[nodiscard]] Result<std::shared_ptr<const Plugin>> find(const std::string& name);
  /// The plugin of this name that lies in a folder.
  [[nodiscard]] std::shared_ptr<const Plugin> at(const std::filesystem::path& folder, const std::string& name);
  /// Every plugin that a job can name, by name.
  [[nodiscard]] std::vector<std::shared_ptr<const Plugin>> all();

 private:
  struct Known {
    std::string stamp;
    std::shared_ptr<const Plugin> plugin;
  };

  std::vector<std::filesystem::path> directories_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  ///< By folder.
};

/// Where hooks find commands.
inline constexpr std::string_view hook_path = "/usr/libexec/outpost/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a hook can call it: a name in hook_path, or a path.
[[nodiscard]] bool is_command(const std::string& name);

/// What this machine and this agent lack of what the plugin requires. Blocks.
[[nodiscard]] Diagnoses missing_requirements(const Plugin& plugin);

}  // namespace outpost::hooks
