#pragma once

#include "agent/base/result.hpp"
#include "plugins/hooks/plugin.hpp"

#include <filesystem>
#include <string>

/// Plugins that commands are given as folders.
namespace outpost::daemon {

/// The whole path of a folder in which a plugin is. refused: there is none in it.
[[nodiscard]] Result<std::filesystem::path> folder_of_plugin(const std::filesystem::path& directory);

/// The name of the plugin in a folder: without its order number.
[[nodiscard]] std::string name_of_plugin(const std::filesystem::path& folder);

/// What messages put in front of a file in a folder: "" for the current one, else the folder with a slash at its end.
[[nodiscard]] std::string shown_in(const std::filesystem::path& directory);

/// The plugin in a folder, with what is wrong with its manifest. Errors as folder_of_plugin().
[[nodiscard]] Result<hooks::Plugin> plugin_in(const std::filesystem::path& directory);

}  // namespace outpost::daemon
