#pragma once

#include "agent/base/result.hpp"

#include <boost/json/array.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::daemon {

struct PluginTestOptions {
  std::filesystem::path plugin;    ///< Its folder.
  std::vector<std::string> cases;  ///< Names of cases, or their files; empty: all.
  bool keep = false;               ///< The files of each run stay.
  std::function<void(std::string_view text)> tell = [](std::string_view) {};  ///< The report of each run, as it ends.
};

struct PluginTestRun {
  std::size_t passed = 0, failed = 0, skipped = 0;
  bool interrupted = false;
  std::string summary;  ///< One line.
  std::string junit;
  boost::json::array json;  ///< One object for each run.
};

/// Runs the cases of a plugin, each alone and then under each of its faults, for `outpost plugin test`. Blocks; call it
/// in a process of one thread. malformed: the plugin or a case is wrong, one line for each mistake. unavailable: there
/// is no such plugin or case.
[[nodiscard]] Result<PluginTestRun> test_plugin(const PluginTestOptions& options);

}  // namespace outpost::daemon
