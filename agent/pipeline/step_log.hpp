#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/base/workers.hpp"
#include "agent/log/capture.hpp"
#include "agent/log/cut_plan.hpp"
#include "agent/pipeline/job_record.hpp"
#include "agent/process/output.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace outpost::pipeline {

/// How the logs of steps are kept, and who hears of it.
struct LogOptions {
  log::CaptureOptions capture;
  log::CutPlan::Limits cuts;  ///< How often a running step's log is shown.
  /// Whether there is room for more output; the last of a disk is for other things.
  std::function<bool()> has_room;
  /// There is none, or the disk is full, and output is about to be dropped: frees what it can, and says whether that was anything.
  std::function<boost::asio::awaitable<bool>()> make_room;
  /// Why output cannot be written just now; nothing: it can again, or there is no more. `log` is the log's path. Told
  /// when it changes.
  std::function<void(const std::string& log, const std::optional<Error>& why)> trouble;
  std::chrono::milliseconds disk_pause = std::chrono::seconds{1};  ///< Between two attempts at a disk that fails.
  /// Threads for compression alone, which give way to everybody else's; nullptr: the workers do it.
  Workers* packers = nullptr;
  /// The redacted output of a step, as it gets into its log.
  std::function<void(std::string_view step_id, std::string_view output)> show;
};

/// The output of one step on its way from the process to the journal: captured on disk, and named by events: log.cut,
/// piece by piece, so that a reporter can show it while the step runs, and log.segment when a part of the raw output
/// has been compressed.
///
/// Output that a full disk refuses is dropped once make_room() could not help, and a mark stands for it. When the disk
/// fails otherwise (an error of the device, read-only) the output waits in the pipe, and so does the step.
class StepLog final : public process::Output {
 public:
  /// What it stands on; everything outlives it.
  struct Ports {
    JobRecord& record;
    Workers& workers;
    const Clock& clock;
    const LogOptions& options;
    boost::asio::any_io_executor executor;
  };

  /// `cuts`: pieces from before a restart.
  StepLog(Ports ports, StepNames names, log::Capture capture, unsigned cuts = 0);

  boost::asio::awaitable<process::Taken> take(int pipe, std::size_t limit) override;
  /// Lines of the agent itself.
  void write(std::string_view output) { capture_.write(output); }
  /// A line that says that output is missing here, nobody knows how much.
  void mark_unknown_gap(std::string_view why) { capture_.mark_unknown_gap(why); }
  /// Hides a secret from here on. What is at the servers already cannot be recalled: then there is a warning that says
  /// so.
  void add_secret(std::string_view secret);

  /// Cuts pieces at growing intervals, and compresses segments, until stop() is called. Runs beside the step.
  boost::asio::awaitable<void> tend();
  void stop();

  /// Notes the last piece. The caller commits it together with the end of the step.
  boost::asio::awaitable<void> cut_last();

  [[nodiscard]] std::uint64_t bytes() const { return capture_.raw_size(); }

 private:
  using Moment = std::chrono::steady_clock::time_point;

  boost::asio::awaitable<bool> cut(bool last);
  boost::asio::awaitable<void> pack();
  [[nodiscard]] bool has_room() const { return !ports_.options.has_room || ports_.options.has_room(); }
  boost::asio::awaitable<bool> made_room();
  [[nodiscard]] Moment next_cut() const;
  [[nodiscard]] Moment segment_due() const;
  void tell(int refused);
  job::Event& note(std::string_view type, boost::json::object data) { return ports_.record.note_of(names_, type, std::move(data)); }
  void warn(const std::string& message) { ports_.record.warn_of(names_, message); }

  Ports ports_;
  StepNames names_;
  log::Capture capture_;
  log::CutPlan plan_;
  Wakeup wakeup_;
  Moment pack_after_{}, ask_after_{};
  Moment close_after_{};  ///< The disk has refused what a segment needs to be closed.
  int told_ = 0;  ///< Why the disk refuses, as the last call of trouble() said.
  bool stopped_ = false;
};

}  // namespace outpost::pipeline
