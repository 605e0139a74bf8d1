#pragma once

#include "agent/base/workers.hpp"
#include "agent/job/stage.hpp"
#include "agent/log/capture.hpp"
#include "agent/log/cut_plan.hpp"
#include "agent/pipeline/job_record.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <string>
#include <string_view>

namespace outpost::pipeline {

/// The output of one step on its way from the process to the journal: captured on disk, and named by a log.cut event
/// piece by piece, so that a reporter can show it while the step runs.
class StepLog {
 public:
  struct Names {
    job::Stage stage;
    std::string step_id, plugin, hook;
  };

  StepLog(JobRecord& record, Workers& workers, Names names, log::Capture capture, log::CutPlan::Limits limits = {});

  void write(std::string_view output) { capture_.write(output); }

  /// Cuts pieces at growing intervals, waiting by `timer`, until stop() is called. Runs beside the step.
  boost::asio::awaitable<void> cut_regularly(boost::asio::steady_timer& timer);
  void stop(boost::asio::steady_timer& timer);

  /// Notes the last piece. The caller commits it together with the end of the step.
  boost::asio::awaitable<void> cut_last();

  [[nodiscard]] std::uint64_t bytes() const { return capture_.raw_size(); }

 private:
  boost::asio::awaitable<bool> cut(bool last);

  JobRecord& record_;
  Workers& workers_;
  Names names_;
  log::Capture capture_;
  log::CutPlan plan_;
  bool stopped_ = false;
};

}  // namespace outpost::pipeline
