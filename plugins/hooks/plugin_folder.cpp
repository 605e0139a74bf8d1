#include "plugins/hooks/plugin_folder.hpp"

#include "agent/base/text.hpp"
#include "agent/config/plugin_name.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <unistd.h>

namespace outpost::hooks {

namespace fs = std::filesystem;

/// run-parts passes over the same names.
bool is_leftover(const std::string& name) {
  return name.starts_with('.') || name.ends_with('~') || name.ends_with(".rpmsave") || name.ends_with(".rpmnew") ||
         name.ends_with(".rpmorig") || name.ends_with(".sample") || name == "README.md";
}

namespace {

bool is_yaml(const fs::path& path) { return path.extension() == ".yml" || path.extension() == ".yaml"; }

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

/// The hook of a point that has only one: its executable, or its playbook.
Result<std::optional<fs::path>> single_hook(const fs::path& hooks, const std::string& point) {
  std::optional<fs::path> found;
  std::error_code error;
  for (const char* suffix : {"", ".yml", ".yaml"}) {
    const fs::path candidate = hooks / (point + suffix);
    if (!is_there(candidate) || fs::is_directory(candidate, error)) continue;
    if (found) return Error{Fault::malformed, found->string() + " and " + candidate.filename().string() + " are both there: keep one, or number them in " + point + ".d"};
    found = candidate;
  }
  return found;
}

}  // namespace

bool is_playbook(const fs::path& hook) { return is_yaml(hook) && ::access(hook.c_str(), X_OK) != 0; }

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
  auto single = single_hook(folder / "hooks", point);
  if (!single) return single.error();
  if (*single) steps.push_back({stage, plugin, point, **single, folder});
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
