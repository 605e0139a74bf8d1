#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/job/story.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// One hook of one plugin in one stage.
struct Step {
  job::Stage stage = job::Stage::acquire;
  std::string plugin;  ///< The plugin's name, without its order number.
  std::string hook;    ///< "install", or "install.d/10-operator".
  std::filesystem::path program;
  std::filesystem::path plugin_directory;
};

struct StepRequest {
  Step step;
  std::string step_id;
  int attempt = 1;
  std::string reason;  ///< OUTPOST_REASON: normal, retry, cancel, timeout, agent-stop, prior-failure.
  const job::Story& story;
  JobDirectory directory;
  std::map<std::string, std::filesystem::path> component_paths;  ///< By component id; where fetch() put it.
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds grace{};
  unsigned slot = 1;  ///< Which the job holds.
};

struct StepOutcome {
  job::StepEnding ending;
  unsigned leftovers = 0;  ///< Background processes that it left and that were killed.
  process::Figures figures;
};

/// Finds and runs the steps of a job.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  /// The steps of a stage in the order in which they run: by plugin as the definition lists them, for release, collect
  /// and cleanup in the reverse order. unavailable: a plugin that is not installed.
  virtual Result<std::vector<Step>> steps(const job::Definition& definition, job::Stage stage) = 0;

  /// Makes the directories of a job usable for its steps, which may run as somebody else. Call it again after a restart.
  virtual Result<void> prepare(const JobDirectory& directory, unsigned slot) = 0;

  /// Lets this program remove what the steps of a job have closed to it, as far as they have.
  virtual boost::asio::awaitable<void> open_up(JobDirectory directory, unsigned slot) = 0;

  /// What there is of a step that an earlier process of the agent was about to run, when that died. Of one that is gone,
  /// what lay about for it is removed.
  virtual boost::asio::awaitable<process::Left> look_for(const job::Job& job, std::string step_id, unsigned slot) = 0;

  /// Goes on with a step that look_for() has found `there`. As run(), but the timeout counts from now.
  virtual boost::asio::awaitable<StepOutcome> adopt(StepRequest request, process::Output& output) = 0;

  /// Runs one step. Cancelling the coroutine stops it, with an ending `cancelled`. A step that cannot be started is an
  /// ending too (`not_started`), so this never fails. `output` outlives it.
  virtual boost::asio::awaitable<StepOutcome> run(StepRequest request, process::Output& output) = 0;
};

}  // namespace outpost::pipeline
