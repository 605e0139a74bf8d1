#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/base/workers.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/collector.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "agent/pipeline/job_record.hpp"
#include "agent/pipeline/source.hpp"
#include "agent/pipeline/step_desk.hpp"
#include "agent/pipeline/step_log.hpp"
#include "agent/pipeline/step_runner.hpp"
#include "agent/pipeline/task_log.hpp"
#include "agent/pipeline/workspace_watch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// The agent's own steps (a download) are shown like those of a plugin of this name.
inline constexpr std::string_view own_plugin = "outpost";

/// What a JobRunner stands on; everything outlives it.
struct JobPorts {
  journal::Journal& journal;
  Source& source;
  StepRunner& steps;
  Collector& collector;
  Workers& workers;
  const Clock& clock;
};

struct JobOptions {
  std::filesystem::path jobs_directory;  ///< <state>/jobs
  std::filesystem::path ready_directory;  ///< Where JobDirectory::make_ready() has made the next job's; empty: nowhere.
  unsigned slot = 1;                     ///< Which the job holds.
  std::vector<std::string> secrets;      ///< Never to be seen in a log.
  LogOptions logs;
  std::string boot_id;                   ///< Of this machine, as in events; empty: not known.
  std::chrono::milliseconds claim_pause = std::chrono::seconds{2};        ///< First pause after an uncertain claim; doubles to 5 min.
  std::chrono::milliseconds credentials_pause = std::chrono::minutes{20};  ///< After a claim that met refused credentials.
  std::chrono::milliseconds retry_interval = std::chrono::seconds{60};    ///< First pause after a step's status 75; doubles.
  std::chrono::milliseconds retry_deadline = std::chrono::minutes{30};    ///< After that a 75 is an error.
  std::chrono::milliseconds workspace_interval = std::chrono::seconds{30};  ///< Between two looks at a step's workspace.
  /// How large the workspace of a running step is.
  std::function<void(const std::string& job_id, const std::string& step_id, const WorkspaceSizes&)> workspace_seen =
      [](const std::string&, const std::string&, const WorkspaceSizes&) {};
  /// What a running step shows and nobody keeps: "progress" {done, of, text}, "status" {text}.
  std::function<void(const std::string& job_id, const std::string& step_id, std::string_view kind, boost::json::object what)> step_shows =
      [](const std::string&, const std::string&, std::string_view, const boost::json::object&) {};
  /// A download waits for its next attempt, and why: not each of them, when many do.
  std::function<void(const std::string& job_id, std::string_view why)> download_stalled = [](const std::string&, std::string_view) {};
  /// Restarts the machine because a step wants it, once nothing else is in the way. Returns only when it cannot be done,
  /// or did not happen. Empty: nobody can.
  std::function<boost::asio::awaitable<Result<void>>(std::string job_id, std::string why)> restart_machine;
  std::shared_ptr<Locks> locks;  ///< Of all jobs; nullptr: this job has its own.
  std::function<void(const Error&)> degraded = [](const Error&) {};       ///< The journal cannot be written.
  std::function<bool()> may_claim = [] { return true; };                  ///< The job's window is open.
  /// The source does not accept our credentials; the claim is kept and tried again.
  std::function<void(const Error&)> credentials_refused = [](const Error&) {};
  /// The claim has failed for now, for another reason; it is tried again.
  std::function<void(const Error&)> claim_failed = [](const Error&) {};
  /// The source has decided about the claim: why it refused it for good, "" when it granted it.
  std::function<void(const std::string& refusal)> claim_decided = [](const std::string&) {};
  /// release has failed: nobody knows in which state the lab is. The resources of the job are paused by its last events.
  std::function<void(const job::Definition&, const std::string& why)> not_released = [](const job::Definition&, const std::string&) {};
  /// For crash tests: called with the name of each point between writing and acting.
  std::function<void(std::string_view)> checkpoint = [](std::string_view) {};
};

/// Takes one job from the queue to its end: claim, acquire ... test, verdict, collect, release, cleanup.
///
/// Everything is journaled before it is acted upon, so a new JobRunner given the story of an unfinished job goes on
/// where the old one died: with the step that was running, if it has outlived the agent, else after the last step that
/// had ended. A step is never run twice: one that died with the agent makes the job `error: agent restarted`, or `error:
/// the machine was restarted`, and collect, release and cleanup follow. Only a step that has asked for a restart of the
/// machine runs again after it.
class JobRunner {
 public:
  JobRunner(JobPorts ports, JobOptions options, job::Story story);

  /// Returns when the job has ended; or before it was claimed, when the agent stops or the window has closed; or while
  /// the job waits for a restart of the machine, when the agent stops. Call it once.
  boost::asio::awaitable<void> run();

  /// Stops the running step (SIGTERM, grace, SIGKILL) and whatever else can be stopped; collect, release and cleanup
  /// still run. `by`: "server", "operator" or "agent". Only the first call counts, but an agent that stops while the
  /// claim is uncertain, or while a step has asked for a restart of the machine, leaves the job to its next start. From within the loop only: asio's signals ask for that.
  void cancel(std::string by, std::string reason);

  /// A claim that waits for its next try is tried now: its source answers again, or accepts us again.
  void hurry_claim();
  /// One more text that must never be seen in a log, from the next step on.
  void add_secret(const std::string& secret) { redactor_.add(secret); }

  [[nodiscard]] const job::Story& story() const { return record_.story(); }
  /// A step has asked for a restart of the machine, and nothing of the job runs until that has come.
  [[nodiscard]] bool awaits_restart() const { return awaits_restart_; }

 private:
  static constexpr std::string_view history_lost_reason =
      "the journal of the agent was damaged and may have lost what happened to this job";

  /// One execution of one step.
  struct Attempt {
    Step step;
    std::string id;
    int number = 1;
    std::chrono::milliseconds timeout{};
    std::chrono::nanoseconds started{};  ///< Since boot.
    bool interrupted = false;            ///< It was running when an earlier agent died, and is gone.
    bool adopted = false;                ///< It has outlived an earlier agent.
    unsigned cuts = 0;                   ///< Pieces of its log that an earlier agent has cut.
    std::shared_ptr<std::uint64_t> over_limit = std::make_shared<std::uint64_t>(0);  ///< What its workspace had when it was stopped for that.
    std::shared_ptr<TaskLog> tasks;           ///< Of a hook.
    std::shared_ptr<StepDesk> desk;           ///< The same.
    std::optional<Step> stopped;              ///< Of on-timeout and on-cancel: the step that is being stopped.
  };

  /// What is known of the end of a step while it runs.
  struct Grace {
    explicit Grace(boost::asio::any_io_executor loop) : changed{std::move(loop)} {}
    std::optional<job::Stage> point;  ///< on-timeout or on-cancel, once the step was asked to end.
    std::chrono::nanoseconds end{};   ///< When it is killed, since boot.
    bool over = false;                ///< The step has ended.
    Wakeup changed;
  };

  // The way of a job (job_runner.cpp)
  boost::asio::awaitable<bool> claim();
  boost::asio::awaitable<bool> try_to_claim();
  boost::asio::awaitable<bool> is_admitted();
  boost::asio::awaitable<std::string> ask(const Step& step);
  boost::asio::awaitable<void> claimed(const Claimed& claimed);
  boost::asio::awaitable<void> claim_refused(std::string message);
  boost::asio::awaitable<void> withdraw();
  boost::asio::awaitable<void> postpone();
  boost::asio::awaitable<void> take_plugins();
  boost::asio::awaitable<void> write_documents();
  boost::asio::awaitable<void> forward_stages();
  boost::asio::awaitable<void> decide();
  boost::asio::awaitable<void> closing_stages();
  boost::asio::awaitable<void> run_stage(job::Stage stage);
  [[nodiscard]] std::vector<Step> steps_of(job::Stage stage);
  void note_cancel();
  void warn(job::Stage stage, std::string message);
  boost::asio::awaitable<bool> pause(std::chrono::milliseconds duration);
  static boost::asio::awaitable<Result<void>> sleep(std::chrono::milliseconds duration);

  // What the dead agent has left (job_runner_restart.cpp)
  boost::asio::awaitable<void> settle_interrupted_steps();
  boost::asio::awaitable<void> settle_lost(const job::StepRecord& interrupted);
  boost::asio::awaitable<bool> take_up(job::StepRecord interrupted);
  boost::asio::awaitable<Result<log::Capture>> reopen_log(const job::StepRecord& interrupted, std::optional<log::CaptureOptions> more);
  [[nodiscard]] std::optional<Step> step_of(const job::StepRecord& record);
  boost::asio::awaitable<void> settle_segments(const job::StepRecord& step);

  // Its steps (job_runner_steps.cpp)
  [[nodiscard]] static std::string step_id_of(const Step& step, int attempt);
  [[nodiscard]] bool wants_again(const Step& step, const job::StepEnding& ending, int attempt) const;
  [[nodiscard]] int reboots_before(const Step& step, int attempt) const;
  [[nodiscard]] Result<void> may_reboot(const Step& step) const;
  boost::asio::awaitable<void> restart_if_asked(const Step& step, int attempt);
  boost::asio::awaitable<void> run_step(const Step& step);
  boost::asio::awaitable<std::optional<int>> run_attempt(const Step& step, int attempt);
  boost::asio::awaitable<job::StepEnding> carry_out(Attempt attempt, log::Capture capture, const job::StepRecord* known);
  void cannot_capture(const Attempt& attempt, const Error& error);
  boost::asio::awaitable<void> download();
  boost::asio::awaitable<StepOutcome> execute(const Attempt& attempt, StepLog& log);
  boost::asio::awaitable<void> execute_alone(const Attempt& attempt, StepLog& log, Grace& grace, StepOutcome& outcome);
  [[nodiscard]] StepRequest request_for(const Attempt& attempt) const;
  boost::asio::awaitable<Result<StepOutcome>> run_for_result(StepRequest request, process::Output& output, bool adopted);
  boost::asio::awaitable<StepOutcome> fetch_components(const std::string& step_id, StepLog& log, std::chrono::milliseconds limit);
  boost::asio::awaitable<Result<void>> fetch_within(FetchRequest request, Report report, std::chrono::milliseconds limit);
  [[nodiscard]] std::vector<log::Segment> segments_of_steps() const;
  boost::asio::awaitable<void> pack_segments();
  [[nodiscard]] log::CaptureOptions capture_options(const Step& step) const;
  [[nodiscard]] StepLog::Ports log_ports(boost::asio::any_io_executor executor);
  [[nodiscard]] std::shared_ptr<TaskLog> task_log(const Attempt& attempt, boost::asio::any_io_executor executor, const job::StepRecord* known);
  [[nodiscard]] std::shared_ptr<StepDesk> desk_for(const Attempt& attempt, StepLog& log);
  void abort_by_step(const Step& step, const std::string& why);
  [[nodiscard]] std::optional<std::chrono::milliseconds> wished_pause(const std::string& step_id) const;
  [[nodiscard]] log::Place log_place(const std::string& step_id) const;
  [[nodiscard]] std::string reason_to_run(const Attempt& attempt) const;
  [[nodiscard]] std::chrono::milliseconds time_left(const Step& step) const;
  [[nodiscard]] std::chrono::milliseconds time_left() const;
  [[nodiscard]] std::map<std::string, std::filesystem::path> component_paths() const;

  // What runs while a step is being stopped (job_runner_farewell.cpp)
  boost::asio::awaitable<void> farewells(const Attempt& attempt, Grace& grace);
  boost::asio::awaitable<void> farewell(const Step& step, const Step& stopped, std::chrono::milliseconds limit);

  // What they left (job_runner_outcome.cpp)
  boost::asio::awaitable<void> finish(const Attempt& attempt, StepLog& log, StepOutcome outcome, WorkspaceWatch* watch = nullptr);
  boost::asio::awaitable<void> complete_results(const Attempt& attempt, std::vector<FoundResult>& results);
  boost::asio::awaitable<std::vector<FoundResult>> compared(std::vector<FoundResult> results);
  void note_results(const Attempt& attempt, const Collected& collected);
  boost::asio::awaitable<void> add_reported(const Attempt& attempt, Collected& found);
  void add_handed_over(const Attempt& attempt, Collected& found) const;
  void consider(const Attempt& attempt, const StepOutcome& outcome, const Collected& collected);
  void fail(const Step& step, job::Judgement judgement);
  void note_reboot(const Attempt& attempt, const job::StepEnding& ending);
  void note_release(const Step& step, const job::StepEnding& ending);
  void quarantine();
  /// Whether no further forward stage or step begins.
  [[nodiscard]] bool failed() const { return (verdict_.has_value() && !keeps_going_) || cancel_wanted_; }
  [[nodiscard]] bool was_of_another_boot(const job::StepRecord& step) const {
    return !options_.boot_id.empty() && !step.boot_id.empty() && step.boot_id != options_.boot_id;
  }

  JobPorts ports_;
  JobOptions options_;
  /// To be copied, with all that is secret by now.
  const log::Redactor& redactor() {
    redactor_.prepare();
    return redactor_;
  }

  JobRecord record_;
  log::Redactor redactor_;  ///< Of everything that is secret; each step's log, results and calls have a copy.
  JobDirectory directory_;
  std::optional<job::Judgement> verdict_;  ///< The first cause; journaled by decide().
  bool keeps_going_ = false;  ///< What has failed so far lets the job go on.
  std::vector<job::TakenPlugin> plugins_;
  std::optional<Error> untaken_;  ///< Why there are none.
  bool cancel_wanted_ = false, cancel_noted_ = false;
  bool awaits_restart_ = false;   ///< Of the machine.
  bool left_ = false;             ///< To the agent that comes after it.
  bool agent_stops_ = false;      ///< Whoever cancelled the job first.
  bool claiming_ = false;
  bool claim_waits_ = false;      ///< For its next try.
  bool claim_hurries_ = false;    ///< Its pause was ended before its time.
  bool stopping_allowed_ = true;  ///< Not in collect, release and cleanup.
  std::string cancel_by_, cancel_reason_;
  boost::asio::cancellation_signal stop_;
  unsigned warnings_ = 0;
  std::map<std::string, std::string> unreleased_;  ///< Hooks of release that failed, and how.
  std::chrono::nanoseconds started_{};  ///< Since boot.
};

}  // namespace outpost::pipeline
