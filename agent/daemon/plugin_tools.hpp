#pragma once

#include "agent/base/result.hpp"
#include "agent/config/job_file.hpp"
#include "agent/job/stage.hpp"
#include "agent/job/story.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What `outpost plugin` does, without a daemon. Everything here blocks.
namespace outpost::daemon {

/// Makes a new plugin; `language` is sh, python or ansible. Returns its files.
[[nodiscard]] Result<std::vector<std::filesystem::path>> new_plugin(const std::string& name, const std::string& language, const std::filesystem::path& directory);

struct LintReport {
  std::string text;
  boost::json::array complaints;  ///< {code, severity, file, line, column, message, fix} each.
  bool errors = false, warnings = false;
};
/// `format` is human, json or sarif.
[[nodiscard]] Result<LintReport> lint_plugins(const std::vector<std::filesystem::path>& directories, const std::string& format);

/// A plugin that is installed, in words.
struct PluginRow {
  std::string name, version, path;
  std::vector<std::string> stages;
  bool broken = false;
};
/// {name, version, path, broken, stages}.
[[nodiscard]] boost::json::object to_json(const PluginRow& row);

[[nodiscard]] std::vector<PluginRow> installed_plugins(const std::vector<std::filesystem::path>& plugins_path);

/// The same for people and for programs.
struct Described {
  std::string text;
  boost::json::object json;
};

/// Everything about one plugin; `plugin` is the name of an installed one or a folder. {name, plugin_version, folder, broken,
/// has_manifest, description, maintainer, order, requires, when: {topics, component_types, jobs}, config: its schema or null, hooks:
/// [{stage, timeout_ms, retries, keep_going}], problems: [{code, severity, file, line, column, message, fix}]}.
[[nodiscard]] Result<Described> describe_plugin(const std::string& plugin, const std::vector<std::filesystem::path>& plugins_path);

/// A job that runs the plugin in a folder: of a job file, or one with nothing in it. `config` is a file with the plugin's
/// configuration. The message of an error has a line for each mistake.
[[nodiscard]] Result<config::JobFile> job_for_plugin(const std::filesystem::path& directory, const std::filesystem::path& job_file,
                                                                  const std::filesystem::path& config_file);

/// What a job would run, in order, with limits, and what it would pass over and why. {steps: [{stage, plugin, hook,
/// skipped: why, or empty, timeout_ms, grace_ms, attempts, keep_going}]}.
[[nodiscard]] Result<Described> plan_of(const config::JobFile& job);

/// Whether a plugin of the job has hooks that can be run without doing anything.
[[nodiscard]] bool supports_dry_run(const config::JobFile& job);

/// What is told of files in the plugin's `hooks/` that are no hooks, in lines: a run passes over them without a word, and
/// with an error it does not begin.
[[nodiscard]] std::vector<std::string> files_that_never_run(const std::filesystem::path& directory, bool with_errors);

/// Keeps for lint_plugins() what it wants to know of a run of all stages of the plugin.
void note_last_run(const std::filesystem::path& directory, const job::Story& story);

/// The environment that a hook of this stage would find, sorted, as NAME=VALUE; secrets are never in it.
[[nodiscard]] Result<std::vector<std::string>> environment_of_hook(const config::JobFile& job, job::Stage stage);

}  // namespace outpost::daemon
