#pragma once

#include "agent/base/clock.hpp"
#include "agent/pipeline/step_runner.hpp"
#include "plugins/hooks/manifest.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

struct EnvironmentInputs {
  const pipeline::StepRequest& request;
  const Manifest* manifest = nullptr;     ///< Of the plugin, if it has one.
  std::string server;                     ///< Address of the job's control server; may be empty.
  bool dry_run = false;
  boost::json::object configuration;      ///< Of the plugin, without secrets.
  std::filesystem::path configuration_file;  ///< Where a hook finds it; empty: the plugin takes none.
  std::filesystem::path secrets;   ///< Directory with one file per secret; empty when there are none.
  boost::json::object resources;   ///< What the job holds: name to its description.
  std::filesystem::path socket;    ///< On which the hook can talk to the agent; empty: there is none.
  std::filesystem::path helper;    ///< outpost-hook; empty: as installed.
  std::filesystem::path library;   ///< Of functions for hooks; empty: not installed.
  std::vector<std::string> inherited;  ///< "NAME=value" of the agent's own environment that hooks may see (proxies).
  Timestamp now{};
};

/// The complete environment of a hook, contract version 1 (hooks/README.md lists the variables). Nothing else is in it.
[[nodiscard]] std::vector<std::string> hook_environment(const EnvironmentInputs& inputs);

/// The variables of this process that match one of the patterns, but for those that the contract sets itself.
[[nodiscard]] std::vector<std::string> allowed_environment(const std::vector<std::string>& patterns);

/// Whether hooks inherit a variable of this name whatever their manifest says.
[[nodiscard]] bool is_proxy_variable(std::string_view name);

/// The variables of this process that hooks inherit: HTTP_PROXY, HTTPS_PROXY, NO_PROXY in both cases.
[[nodiscard]] std::vector<std::string> inherited_environment();

}  // namespace outpost::hooks
