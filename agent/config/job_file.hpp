#pragma once

#include "agent/config/plugin_config.hpp"
#include "agent/config/problem.hpp"
#include "agent/config/settings.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::config {

/// A component that lies on this machine.
struct LocalComponent {
  std::string type, name, version;
  std::vector<std::string> tags;
  std::filesystem::path path;  ///< A file or a directory, absolute; empty: it has no files.
};

/// A job that runs without a server: `outpost job run FILE`.
struct JobFile {
  std::string name;  ///< The file's name without its extension, unless it says another.
  std::string topic;
  std::vector<LocalComponent> components;
  std::vector<std::string> plugins;
  PluginConfigs plugin_config;
  std::map<std::string, SecretSource> secrets;  ///< For plugins whose configuration names them.
  std::vector<std::filesystem::path> plugins_path;  ///< Absolute; relative ones count from the file's directory.
  std::map<std::string, Resource> resources;  ///< Lab resources that it holds.
  std::chrono::milliseconds timeout{std::chrono::hours{24}};
  std::chrono::milliseconds grace{std::chrono::seconds{30}};
  bool unpack = true;  ///< Archives among the components are unpacked, as for a job from a server.
  boost::json::object document;  ///< What hooks read of the job, when it was one of a server; no key.
  Origins origins;     ///< "plugin_config.PLUGIN.key"
};

/// Reads a job file, and all that is wrong with it. Blocks.
[[nodiscard]] boost::system::result<JobFile, Problems> load_job_file(const std::filesystem::path& file);

}  // namespace outpost::config
