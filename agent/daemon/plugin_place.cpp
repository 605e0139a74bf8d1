#include "agent/daemon/plugin_place.hpp"

#include "agent/base/text.hpp"
#include "agent/config/plugin_name.hpp"

#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;

namespace {

/// "." is a folder with a name too.
fs::path whole(const fs::path& directory) {
  std::error_code error;
  auto path = fs::weakly_canonical(fs::absolute(directory, error), error);
  if (error) return directory;
  return path.filename().empty() ? path.parent_path() : path;
}

}  // namespace

Result<fs::path> folder_of_plugin(const fs::path& directory) {
  const fs::path folder = whole(directory);
  std::error_code error;
  if (fs::is_directory(folder / "hooks", error) || fs::exists(folder / hooks::manifest_name, error)) return folder;
  return Error{Fault::refused, printable(directory.native()) + " is no plugin: there is neither hooks/ nor " +
                                   std::string{hooks::manifest_name} + " in it"};
}

std::string name_of_plugin(const fs::path& folder) { return config::plugin_name(folder.filename().native()); }

std::string shown_in(const fs::path& directory) { return directory == "." ? "" : printable((directory / "").native()); }

Result<hooks::Plugin> plugin_in(const fs::path& directory) {
  const auto folder = folder_of_plugin(directory);
  if (!folder) return folder.error();
  return hooks::read_plugin(*folder, name_of_plugin(*folder), shown_in(directory) + std::string{hooks::manifest_name});
}

}  // namespace outpost::daemon
