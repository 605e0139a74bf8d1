#include "plugins/hooks/plugin_folder.hpp"

#include "agent/base/text.hpp"
#include "agent/config/plugin_name.hpp"

#include <algorithm>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

/// What editors and package managers leave beside files (run-parts passes over the same names).
bool is_leftover(const std::string& name) {
  return name.starts_with('.') || name.ends_with('~') || name.ends_with(".rpmsave") || name.ends_with(".rpmnew") ||
         name.ends_with(".rpmorig") || name.ends_with(".sample") || name == "README.md";
}

}  // namespace

Result<fs::path> find_plugin(const std::vector<fs::path>& directories, const std::string& name) {
  std::vector<std::string> known;
  std::string looked;
  for (const auto& directory : directories) {
    looked += (looked.empty() ? "" : ", ") + directory.string();
    std::error_code error;
    std::vector<std::string> folders;
    for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_directory(ignored)) folders.push_back(entry->path().filename().string());
    }
    std::sort(folders.begin(), folders.end());
    for (const auto& folder : folders) {
      if (folder == name || config::plugin_name(folder) == name) return directory / folder;
      known.push_back(config::plugin_name(folder));
    }
  }
  std::string message = "plugin \"" + name + "\" is not installed (looked in " + looked + ")";
  if (const auto similar = nearest(name, known)) message += "; did you mean \"" + *similar + "\"?";
  return Error{Fault::unavailable, message};
}

Result<std::vector<pipeline::Step>> hooks_of(const fs::path& folder, const std::string& plugin, job::Stage stage) {
  const std::string point{to_string(stage)};
  std::vector<pipeline::Step> steps;
  std::error_code error;
  const fs::path single = folder / "hooks" / point;
  if (fs::symlink_status(single, error).type() != fs::file_type::not_found && !fs::is_directory(single, error))
    steps.push_back({stage, plugin, point, single, folder});
  std::vector<std::string> names;
  error.clear();
  for (fs::directory_iterator entry{folder / "hooks" / (point + ".d"), error}, end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!is_leftover(name)) names.push_back(std::move(name));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return errno_error("cannot read", (folder / "hooks" / (point + ".d")).native(), error.value());
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const std::string hook = point + ".d/" + name;
    steps.push_back({stage, plugin, hook, folder / "hooks" / hook, folder});
  }
  return steps;
}

}  // namespace outpost::hooks
