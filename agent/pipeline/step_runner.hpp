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
};

struct StepOutcome {
  job::StepEnding ending;
  unsigned leftovers = 0;  ///< Background processes that it left and that were killed.
};

/// Finds and runs the steps of a job.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  /// The steps of a stage in the order in which they run: by plugin as the definition lists them, for release, collect
  /// and cleanup in the reverse order. unavailable: a plugin that is not installed.
  virtual Result<std::vector<Step>> steps(const job::Definition& definition, job::Stage stage) = 0;

  /// Runs one step. Cancelling the coroutine stops it, with an ending `cancelled`. A step that cannot be started is an
  /// ending too (`not_started`), so this never fails. `output` outlives it.
  virtual boost::asio::awaitable<StepOutcome> run(StepRequest request, process::Output& output) = 0;
};

}  // namespace outpost::pipeline
