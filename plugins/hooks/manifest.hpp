#pragma once

#include "agent/config/problem.hpp"
#include "agent/job/stage.hpp"
#include "plugins/hooks/diagnosis.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

/// The version of the hook contract that this agent keeps. A plugin of another major version, or of a newer minor one,
/// is refused.
inline constexpr int contract_major = 1, contract_minor = 1;

inline constexpr std::string_view manifest_name = "plugin.yml";

/// What the manifest says of the hooks of one stage.
struct HookSettings {
  std::optional<std::chrono::milliseconds> timeout;  ///< Unset: the stage's.
  std::optional<std::chrono::milliseconds> timeout_max;  ///< To which a hook may have it put off; unset: not at all.
  std::optional<std::chrono::milliseconds> grace;    ///< Unset: the job's.
  unsigned retries = 0;           ///< So many more attempts after an exit code of `retry_on`.
  std::vector<int> retry_on;      ///< Unset means 69.
  std::vector<std::string> resources;  ///< The job has to hold these.
  std::string playbook;           ///< YAML for Ansible, a path in the plugin's folder; empty: what is in hooks/.
  std::vector<std::string> junit, artifacts;  ///< Globs: what it leaves in the workspace.
  std::string merge;              ///< The one result that its JUnit files become; empty: each is its own.
  bool keep_going = false;        ///< `continue`: when it fails, the job fails, but goes on.
};

/// "rhel>=8"
struct OsRequirement {
  std::string id;       ///< ID of os-release(5).
  std::string version;  ///< The least VERSION_ID; empty: any.
};

struct Requirements {
  std::vector<std::string> commands;
  std::string agent;              ///< The least version; empty: any.
  std::vector<OsRequirement> os;  ///< One of these; none: any.
  std::vector<std::string> capabilities;  ///< What the site says that it has.
};

/// Globs; a job that matches none of a list does not run the plugin.
struct Filters {
  std::vector<std::string> topics, component_types, jobs;
};

/// What hooks may take of the machine.
struct HookLimits {
  std::optional<std::uint64_t> memory;  ///< Bytes.
  std::optional<unsigned> cpu_percent;  ///< Of one processor.
  std::optional<std::uint64_t> tasks;   ///< Processes and threads.
  std::optional<std::uint64_t> log;     ///< Bytes kept of the output of one hook.
  std::optional<std::uint64_t> disk;    ///< Bytes of the job's workspace.
};

/// The sandbox that hooks have to run in; what is unset does not matter to them.
struct Isolation {
  std::optional<bool> root, network, private_tmp, no_new_privileges;
};

/// A plugin.yml, read and checked (hooks/README.md, The manifest).
struct Manifest {
  std::string name, version, description, maintainer;
  int order = 50;
  Requirements requirements;
  Filters when;
  std::optional<boost::json::object> config_schema;  ///< JSON Schema draft 7 of the plugin's configuration.
  std::map<job::Stage, HookSettings> hooks;          ///< What it says of stages; others have defaults.
  HookLimits limits;
  Isolation isolation;
  bool dry_run = false;        ///< `supports`: its hooks can be run without doing anything.
  bool dci_variables = false;  ///< `compat`: they want DCI_JOB_ID and DCI_CS_URL.
  std::vector<std::string> environment;  ///< Names or globs of the agent's variables that hooks see.
  std::string file;                      ///< As messages call it.
  config::Origins origins;               ///< Of its keys: "hooks.install.timeout".

  [[nodiscard]] HookSettings settings(job::Stage stage) const;
  /// Where a key was written; the file as a whole when it was not.
  [[nodiscard]] config::Origin origin_of(std::string_view key) const;
};

/// Reads a manifest. Everything that is wrong with it is added to `diagnoses`; nothing is returned then. `file` is what
/// messages call it.
[[nodiscard]] std::optional<Manifest> parse_manifest(std::string_view text, const std::string& file, Diagnoses& diagnoses);

/// Every key of a manifest, "hooks.STAGE.timeout" and so on: for the documents.
[[nodiscard]] std::vector<std::string> manifest_keys();

}  // namespace outpost::hooks
