#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/job/story.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "agent/pipeline/step_calls.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// What a plugin may ask for its steps; what it leaves out is the stage's, the job's or the agent's.
struct StepRules {
  std::optional<std::chrono::milliseconds> timeout, grace;
  unsigned retries = 0;       ///< So many more attempts after a status of `retry_on`.
  std::vector<int> retry_on;
  bool keep_going = false;    ///< When it fails, the job fails, but goes on with what follows.
  std::optional<std::uint64_t> log_limit;  ///< Bytes kept of its output.
  std::optional<std::chrono::milliseconds> timeout_max;  ///< To which it may have its time put off while it runs.
  std::optional<std::uint64_t> disk_limit;    ///< Bytes that its job's workspace may come to while it runs.
  std::vector<std::string> junit, artifacts;  ///< Globs: what of the workspace is collected as if it lay in its directories.
  std::string merge;  ///< What the one result is called that its JUnit files are merged into; empty: each is its own.
};

/// One hook of one plugin in one stage.
struct Step {
  job::Stage stage = job::Stage::acquire;
  std::string plugin;  ///< The plugin's name, without its order number.
  std::string hook;    ///< "install", or "install.d/10-operator".
  std::filesystem::path program;
  std::filesystem::path plugin_directory;
  StepRules rules;
  std::string skipped;  ///< Why it is not to run in this job; empty: it is.
};

struct StepRequest {
  Step step;
  std::string step_id;
  int attempt = 1;  ///< One more with each retry.
  std::string reason;  ///< OUTPOST_REASON: normal, retry, resume, cancel, timeout, agent-stop, prior-failure.
  const job::Story& story;
  JobDirectory directory;
  std::map<std::string, std::filesystem::path> component_paths;  ///< By component id; where fetch() put it.
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds grace{};
  unsigned slot = 1;  ///< Which the job holds.
  unsigned reboots = 0;  ///< So often has it had the machine restarted.
  /// Of on-timeout and on-cancel: the step that is being stopped.
  std::optional<Step> stopped;
  StepCalls* calls = nullptr;  ///< Answers what the step says while it runs; nullptr: nobody does.
  std::shared_ptr<process::Deadline> deadline;  ///< Counts instead of `timeout` once it runs, when there is one.
  /// Hears that the step is asked to end, because its time is up (true) or it was cancelled: its grace begins.
  std::function<void(bool timed_out)> stopping = [](bool) {};
};

struct StepOutcome {
  job::StepEnding ending;
  unsigned leftovers = 0;  ///< Background processes that it left and that were killed.
  process::Figures figures;
  bool output_lost = false;  ///< The last of its output may be missing: see process::Finished.
};

/// Finds and runs the steps of a job.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  /// Whether a job of this definition could run: what its plugins say of themselves, require, and are configured with.
  /// refused: it could not; the message has a line for each reason. A plugin that is not installed is not one of them.
  virtual Result<void> check(const job::Definition& definition) = 0;

  /// Takes the plugins of a job as they are now: whatever happens to their folders, its steps run these. Blocks.
  virtual Result<std::vector<job::TakenPlugin>> take(const job::Definition& definition, const JobDirectory& directory) = 0;

  /// The steps of a stage in the order in which they run: by the plugins' order numbers, then as the definition lists
  /// them, in the closing stages in the reverse order. unavailable: a plugin that is not installed.
  virtual Result<std::vector<Step>> steps(const job::Story& story, const std::vector<job::TakenPlugin>& taken, job::Stage stage) = 0;

  /// Whether two steps of one slot can run side by side.
  [[nodiscard]] virtual bool overlaps() const = 0;

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
