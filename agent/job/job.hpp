#pragma once

#include "agent/job/component.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outpost::job {

/// What each step of a job may take, where the machine can enforce it.
struct Limits {
  std::optional<std::uint64_t> memory;  ///< Bytes.
  std::optional<std::uint64_t> tasks;   ///< Processes and threads at once.
  std::optional<unsigned> cpu_percent;  ///< Of one processor: 200 is two of them.
};

/// Which plugins may have the machine restarted in the middle of a job.
struct Reboots {
  std::vector<std::string> plugins;
  unsigned limit = 0;  ///< So often.
};

/// What a configuration wants to happen when components appear. Copied into the journal when a job is queued, so that
/// a later change of the configuration does not change a job that waits or runs.
struct Definition {
  std::string name;    ///< jobs[].name; also the job's name at the server.
  std::string source;  ///< The source instance that offers its components.
  std::string topic;
  std::vector<std::string> selections;  ///< One component each, in the source's own selection language.
  std::string configuration;            ///< Free text that the server shows and compares by.
  std::string comment;
  std::string url;
  std::vector<std::string> tags;
  std::vector<std::string> plugins;    ///< Names of plugin folders, in the order in which they run.
  std::vector<std::string> resources;  ///< Lab resources that the job holds alone.
  std::vector<std::string> reporters;  ///< Reporter instances; the source's own when empty.
  std::chrono::milliseconds timeout = std::chrono::hours{24};  ///< For all forward stages together.
  std::chrono::milliseconds grace = std::chrono::seconds{30};  ///< From SIGTERM to SIGKILL.
  std::string profile;  ///< Of the sandbox of its steps, where there are several; empty: the default.
  Limits limits;
  Reboots reboots;
  boost::json::object plugin_config;  ///< Plugin name to its configuration, secrets by name only.
  boost::json::object options;  ///< Keys that only the source understands (priority_tags, max_age, download...).
};

[[nodiscard]] boost::json::object to_json(const Definition& definition);
[[nodiscard]] Definition definition_from_json(const boost::json::object& json);

/// A plugin as a job runs it.
struct TakenPlugin {
  std::string name, version;
  std::string digest;     ///< SHA-256 of its files, their names and modes; empty for a plugin without a manifest.
  std::string directory;  ///< Where it lies for this job.
};

[[nodiscard]] boost::json::object to_json(const TakenPlugin& plugin);
[[nodiscard]] TakenPlugin taken_plugin_from_json(const boost::json::object& json);

/// One run of a definition on one set of components.
struct Job {
  std::string id;  ///< Ours (UUIDv7), never a server's.
  Definition definition;
  std::vector<Component> components;  ///< In the order of the selections.
};

}  // namespace outpost::job
