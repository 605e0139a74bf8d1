#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/log/redactor.hpp"
#include "agent/pipeline/collector.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "agent/pipeline/job_record.hpp"
#include "agent/pipeline/locks.hpp"
#include "agent/pipeline/step_calls.hpp"
#include "agent/process/deadline.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::pipeline {

/// Answers the calls of one step of a job: writes down what it says (told.hpp), and does what it asks within its limits.
class StepDesk final : public StepCalls {
 public:
  /// What it stands on; everything outlives it.
  struct Ports {
    JobRecord& record;
    Workers& workers;
    Collector& collector;
    Locks& locks;
  };
  /// What it has the job do.
  struct Ways {
    std::function<void(const std::string& secret)> hide;
    std::function<void(const std::string& why)> abort;
    std::function<bool()> is_cancelled;
    /// Whether the step may have the machine restarted when it has ended.
    std::function<Result<void>()> may_reboot;
    /// Returns the results with their comparisons to those of the job before, if there is one.
    std::function<boost::asio::awaitable<std::vector<FoundResult>>(std::vector<FoundResult>)> compare;
    /// Something to show and to forget: "progress" or "status".
    std::function<void(std::string_view kind, boost::json::object what)> show;
  };
  struct Times {
    process::Deadline::Moment started, ends;  ///< As it began, or was moved to since.
    std::chrono::milliseconds whole{};        ///< The limit that the step began with.
    std::chrono::milliseconds most{};         ///< To which it may have it moved, from its start.
    process::Deadline::Moment latest;         ///< The job's own time is up then.
  };

  StepDesk(Ports ports, Ways ways, Step step, std::string step_id, JobDirectory directory, log::Redactor redactor, Times times);

  boost::asio::awaitable<Result<boost::json::value>> answer(StepCall call) override;
  /// A warning, the first time in a job.
  void cannot_hear(const Error& why) override;

  /// Moves when the step asks for it.
  [[nodiscard]] const std::shared_ptr<process::Deadline>& deadline() const { return deadline_; }

 private:
  using Answer = boost::asio::awaitable<Result<boost::json::value>>;
  struct UnderWay;

  Answer carry_out(StepCall call);
  Answer annotate(const StepCall& call);
  Answer report(const StepCall& call);
  Answer take_artifact(StepCall& call);
  Answer take_junit(StepCall& call);
  Answer merge_parts(const StepCall& call, std::string name, std::string whole);
  /// Writes a result down that the step has handed over.
  Answer note_result(const StepCall& call, FoundResult result);
  Answer take_summary(StepCall& call);
  Answer set_environment(const StepCall& call);
  Answer move_deadline(const StepCall& call);
  Answer hide(const StepCall& call);
  Answer lock(const StepCall& call);
  Answer unlock(const StepCall& call);
  Answer abort(const StepCall& call);
  Answer reboot(const StepCall& call);
  Result<boost::json::value> show(const StepCall& call);

  /// Writes it down; `data` may be empty.
  Answer note(const StepCall& call, boost::json::object data);
  boost::asio::awaitable<Result<job::Blob>> keep(StepCall& call, std::uint64_t limit);
  boost::asio::awaitable<void> note_artifact(const StepCall& call, job::Blob blob, std::string name, std::string mime);
  /// A text of the call: without secrets, and cut.
  [[nodiscard]] std::string redacted(std::string_view plain);
  [[nodiscard]] std::string text(const StepCall& call, std::string_view key, std::size_t limit);
  [[nodiscard]] const job::StepRecord* record() const { return ports_.record.story().step(names_.step_id); }
  [[nodiscard]] std::string result_prefix() const;
  /// `name`, or the next like it that no result of the job has or will have.
  [[nodiscard]] std::string take_result_name(const std::string& name);

  Ports ports_;
  Ways ways_;
  Step step_;
  StepNames names_;
  JobDirectory directory_;
  log::Redactor redactor_;
  Times times_;
  std::shared_ptr<process::Deadline> deadline_;
  std::set<std::string> result_names_;  ///< Of what was handed over.
  std::size_t handed_over_ = 0, hidden_ = 0;
  /// Files that are to become one result: by what the step calls it among its calls, and by their number.
  std::map<std::string, std::map<std::int64_t, job::Blob>> parts_;
  using CallsUnderWay = std::map<std::string, std::shared_ptr<boost::asio::steady_timer>>;  ///< By id; cancelled at their end.
  std::shared_ptr<CallsUnderWay> under_way_ = std::make_shared<CallsUnderWay>();
};

/// How much one step may say.
inline constexpr std::size_t most_calls = 10'000, most_hidden = 1000, most_handed_over = 10'000;
inline constexpr std::uint64_t longest_artifact = std::uint64_t{20} << 30, longest_summary = std::uint64_t{1} << 20;

}  // namespace outpost::pipeline
