#include "plugins/hooks/plugin.hpp"

#include "agent/base/text.hpp"
#include "agent/config/plugin_name.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/values.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/hooks/plugin_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

/// What tells a file apart from the one that was read before.
std::string stamp_of(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return "-";
  const auto text = [](auto number) { return std::to_string(number) + " "; };
  return text(status.st_dev) + text(status.st_ino) + text(status.st_size) + text(status.st_mtim.tv_sec) + text(status.st_mtim.tv_nsec) +
         text(status.st_ctim.tv_sec) + text(status.st_ctim.tv_nsec);
}

/// Less than zero when `left` is older. Numbers between dots.
int compare_versions(std::string_view left, std::string_view right) {
  const auto a = split(left, '.'), b = split(right, '.');
  for (std::size_t index = 0; index < std::max(a.size(), b.size()); ++index) {
    long one = 0, other = 0;
    if (index < a.size()) std::from_chars(a[index].data(), a[index].data() + a[index].size(), one);
    if (index < b.size()) std::from_chars(b[index].data(), b[index].data() + b[index].size(), other);
    if (one != other) return one < other ? -1 : 1;
  }
  return 0;
}

struct System {
  std::string id, version, name;
};

System this_system() {
  System system;
  const auto content = config::read_small_file("/etc/os-release", 64 * 1024);
  if (!content) return system;
  for (const auto& line : split(*content, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string value{trim(line.substr(equals + 1))};
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) value = value.substr(1, value.size() - 2);
    const auto key = line.substr(0, equals);
    if (key == "ID") system.id = value;
    if (key == "VERSION_ID") system.version = value;
    if (key == "PRETTY_NAME") system.name = value;
  }
  return system;
}

std::string as_written(const OsRequirement& wanted) { return wanted.id + (wanted.version.empty() ? "" : ">=" + wanted.version); }

}  // namespace

Plugin read_plugin(const fs::path& folder, const std::string& name, const std::string& shown) {
  Plugin plugin{.name = name, .folder = folder};
  const fs::path file = folder / manifest_name;
  std::error_code error;
  if (fs::symlink_status(file, error).type() == fs::file_type::not_found) return plugin;
  const auto text = config::read_small_file(file, config::yaml_bytes);
  if (!text) {
    plugin.diagnoses.push_back({"PL001", Severity::error, {shown, 0, 0}, text.error().message, {}});
    return plugin;
  }
  plugin.manifest = parse_manifest(*text, shown, plugin.diagnoses);
  if (plugin.manifest && plugin.manifest->name != name) {
    plugin.diagnoses.push_back({"PL020", Severity::error, plugin.manifest->origin_of("name"),
                                "name: " + config::quote(plugin.manifest->name) + " is not the name of the folder (write name: " + name +
                                    ", or rename the folder)", {}});
    plugin.manifest.reset();
  }
  return plugin;
}

Result<std::shared_ptr<const Plugin>> PluginLibrary::find(const std::string& name) {
  auto folder = find_plugin(directories_, name);
  if (!folder) return folder.error();
  return at(*folder, name);
}

std::shared_ptr<const Plugin> PluginLibrary::at(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / manifest_name;
  const std::string stamp = stamp_of(file);
  const std::lock_guard lock{mutex_};
  Known& known = known_[folder.native()];
  if (!known.plugin || known.stamp != stamp || known.plugin->name != name)
    known = {stamp, std::make_shared<const Plugin>(read_plugin(folder, name, file.string()))};
  return known.plugin;
}

std::vector<std::shared_ptr<const Plugin>> PluginLibrary::all() {
  std::set<std::string> names;
  for (const auto& directory : directories_) {
    std::error_code error;
    for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (fs::is_directory(entry->path() / "hooks", ignored)) names.insert(config::plugin_name(entry->path().filename().native()));
    }
  }
  std::vector<std::shared_ptr<const Plugin>> plugins;
  for (const auto& name : names)
    if (auto plugin = find(name)) plugins.push_back(std::move(*plugin));
  return plugins;
}

bool is_command(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0;
  const auto folders = split(hook_path, ':');
  return std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) { return ::access((folder / name).c_str(), X_OK) == 0; });
}

Diagnoses missing_requirements(const Plugin& plugin) {
  Diagnoses missing;
  if (!plugin.manifest) return missing;
  const auto& wanted = plugin.manifest->requirements;
  for (std::size_t index = 0; index < wanted.commands.size(); ++index)
    if (!is_command(wanted.commands[index]))
      missing.push_back({"PL004", Severity::error, plugin.manifest->origin_of("requires.commands[" + std::to_string(index) + "]"),
                         "requires.commands: there is no command " + config::quote(wanted.commands[index]) + " in the PATH of hooks", "install it"});
  if (!wanted.agent.empty() && compare_versions(OUTPOST_VERSION, wanted.agent) < 0)
    missing.push_back({"PL021", Severity::error, plugin.manifest->origin_of("requires.agent"),
                       "requires.agent: the plugin needs " + wanted.agent + ", this agent is " OUTPOST_VERSION, "update the agent"});
  if (wanted.os.empty()) return missing;
  const auto system = this_system();
  std::vector<std::string> names;
  for (const auto& one : wanted.os) {
    names.push_back(as_written(one));
    if (one.id == system.id && (one.version.empty() || compare_versions(system.version, one.version) >= 0)) return missing;
  }
  missing.push_back({"PL021", Severity::error, plugin.manifest->origin_of("requires.os"),
                     "requires.os: this is " + printable(system.name, 80) + ", the plugin needs " + printable(join(names, " or "), 200), {}});
  return missing;
}

}  // namespace outpost::hooks
