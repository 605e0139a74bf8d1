#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>

namespace outpost::pipeline {

/// Where one job keeps its files: <state>/jobs/<job id>/...
struct JobDirectory {
  std::filesystem::path root;

  [[nodiscard]] std::filesystem::path workspace() const { return root / "workspace"; }    ///< Hooks' working directory; cleanup ends it.
  [[nodiscard]] std::filesystem::path components() const { return root / "components"; }  ///< Downloads, one sub-directory each.
  [[nodiscard]] std::filesystem::path shared() const { return root / "shared"; }          ///< Key/value files of all plugins.
  [[nodiscard]] std::filesystem::path state(const std::string& plugin) const { return root / "state" / plugin; }
  [[nodiscard]] std::filesystem::path plugins() const { return root / "plugins"; }  ///< Links to the plugins as this job runs them.
  [[nodiscard]] std::filesystem::path plugin_config(const std::string& plugin) const { return root / "config" / (plugin + ".json"); }
  [[nodiscard]] std::filesystem::path logs() const { return root / "logs"; }
  [[nodiscard]] std::filesystem::path job_document() const { return root / "job.json"; }

  // Per step, because what it leaves is collected when it ends.
  [[nodiscard]] std::filesystem::path step(const std::string& id) const { return root / "steps" / id; }
  /// The directories of a step that were made with those of the job; the first step that needs some takes them.
  [[nodiscard]] std::string unused_step() const { return ".unused"; }
  [[nodiscard]] std::filesystem::path results(const std::string& id) const { return step(id) / "results"; }
  [[nodiscard]] std::filesystem::path artifacts(const std::string& id) const { return step(id) / "artifacts"; }
  [[nodiscard]] std::filesystem::path temporary(const std::string& id) const { return step(id) / "tmp"; }
  /// What the agent makes of what the step left, and keeps of what would go with the workspace.
  [[nodiscard]] std::filesystem::path made(const std::string& id) const { return step(id) / "made"; }
  /// Where a step that consists of tasks reports them, if it does.
  [[nodiscard]] std::filesystem::path tasks(const std::string& id) const { return temporary(id) / "tasks.jsonl"; }
  [[nodiscard]] std::filesystem::path home(const std::string& id) const { return temporary(id) / "home"; }

  /// What a step has handed over while it ran; the agent's alone.
  [[nodiscard]] std::filesystem::path handed_over(const std::string& id) const { return root / "handed-over" / id; }
  /// Texts that steps have had hidden: a JSON string in each line. As private as the raw logs, which hold them too.
  [[nodiscard]] std::filesystem::path hidden() const { return logs() / "hidden"; }

  /// Makes the directories of the job (0750) that are not there yet, and syncs them: events will name files below them.
  /// A job that has none takes those at `ready`, when they are on the same file system. Blocks: for a worker.
  [[nodiscard]] Result<void> create(const std::filesystem::path& ready = {}) const;
  /// Makes the directories of a job to come at `ready`, with those of one step, unless they are there: a dozen of them
  /// takes some file systems milliseconds. `ready` does not exist before all are made and synced. One call at a time.
  /// Blocks: for a worker.
  [[nodiscard]] static Result<void> make_ready(const std::filesystem::path& ready);
  /// Removes what only the hooks needed: workspace, components, temporary files. Logs, results and artifacts stay until
  /// they are delivered.
  [[nodiscard]] Result<void> remove_workspace() const;
};

}  // namespace outpost::pipeline
