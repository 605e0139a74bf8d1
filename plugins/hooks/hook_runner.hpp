#pragma once

#include "agent/base/clock.hpp"
#include "agent/pipeline/step_runner.hpp"
#include "agent/process/command_runner.hpp"
#include "plugins/hooks/environment.hpp"
#include "plugins/hooks/plugin.hpp"
#include "plugins/hooks/snapshots.hpp"
#include "plugins/hooks/step_socket.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::hooks {

struct HookOptions {
  std::vector<std::filesystem::path> plugin_directories;  ///< Searched in this order.
  /// Where files with secrets may lie for the time of a step: tmpfs. Ours alone; see remove_left_secrets().
  std::filesystem::path secrets_directory;
  std::map<std::string, std::string> secrets;             ///< Name to value.
  std::map<std::string, boost::json::object> resources;   ///< Everything configured; a hook sees what its job holds.
  /// Is given the path of a hook that is a playbook or a file of tasks. Empty: it is not installed.
  std::filesystem::path playbook_runner;
  std::filesystem::path helper;  ///< outpost-hook, where it is not installed as usual.
  std::filesystem::path snapshots_directory;  ///< For the copies of plugins that jobs run; empty: they run where they lie.
  std::vector<job::Stage> stages;             ///< Hooks of no others run; empty: of all.
  std::optional<std::vector<std::string>> capabilities;  ///< Of this site, by its word; nullopt: nobody has said.
  std::map<std::string, std::string> servers;  ///< Source to the address of its server, for hooks that want to know.
  bool dry_run = false;                       ///< Only hooks that do nothing then are run.
  std::filesystem::path jobs_directory;       ///< Of all jobs: what none of them uses goes.
};

/// Removes what an agent left in the directory that died beside a step. No step may run yet.
void remove_left_secrets(const std::filesystem::path& secrets_directory);

/// Runs the executables of plugin folders as steps: the hook contract, version 1 (hooks/README.md).
class HookRunner final : public pipeline::StepRunner {
 public:
  HookRunner(process::CommandRunner& commands, const Clock& clock, HookOptions options);

  Result<void> check(const job::Definition& definition) override;
  Result<std::vector<job::TakenPlugin>> take(const job::Definition& definition, const pipeline::JobDirectory& directory) override;
  Result<std::vector<pipeline::Step>> steps(const job::Story& story, const std::vector<job::TakenPlugin>& taken, job::Stage stage) override;
  [[nodiscard]] bool overlaps() const override { return commands_.overlaps(); }
  Result<void> prepare(const pipeline::JobDirectory& directory, unsigned slot) override;
  boost::asio::awaitable<void> open_up(pipeline::JobDirectory directory, unsigned slot) override;
  boost::asio::awaitable<process::Left> look_for(const job::Job& job, std::string step_id, unsigned slot) override;
  boost::asio::awaitable<pipeline::StepOutcome> adopt(pipeline::StepRequest request, process::Output& output) override;
  boost::asio::awaitable<pipeline::StepOutcome> run(pipeline::StepRequest request, process::Output& output) override;

 private:
  [[nodiscard]] std::filesystem::path secrets_of(const std::string& job_id, const std::string& step_id) const;
  /// File name to value.
  using Secrets = std::map<std::string, std::string>;

  /// Where the processes of a step can talk to us while it runs; nothing when nobody would answer, or nobody could be
  /// heard: the step runs all the same.
  [[nodiscard]] std::optional<StepSocket> hear(const boost::asio::any_io_executor& loop, const pipeline::StepRequest& request);
  [[nodiscard]] Result<StepSocket> open_socket(const boost::asio::any_io_executor& loop, const pipeline::StepRequest& request);
  [[nodiscard]] std::filesystem::path socket_of(const pipeline::StepRequest& request) const;
  [[nodiscard]] std::shared_ptr<const Plugin> plugin_of(const pipeline::Step& step);
  [[nodiscard]] Result<Secrets> configure(const Plugin& plugin, const pipeline::StepRequest& request, EnvironmentInputs& inputs) const;
  [[nodiscard]] Result<std::filesystem::path> place_secrets(const Secrets& secrets, const pipeline::StepRequest& request,
                                                            std::optional<gid_t> group) const;

  process::CommandRunner& commands_;
  const Clock& clock_;
  HookOptions options_;
  PluginLibrary library_;
  Snapshots snapshots_;
};

}  // namespace outpost::hooks
