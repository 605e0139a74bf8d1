#pragma once

#include "agent/base/wakeup.hpp"
#include "agent/job/story.hpp"
#include "agent/log/task_reader.hpp"
#include "agent/pipeline/step_log.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// The tasks of a step that reports such (a playbook does), on their way from its file to the journal: task.ended with
/// the task's output, and task.started for one that runs when somebody looks. A step that reports none costs a look at
/// a file that is not there.
class TaskLog {
 public:
  static constexpr std::chrono::milliseconds interval{500};  ///< Between two looks.

  /// `stream` is the file that the step may write. `known` is the step as the journal has it, nullptr: it begins.
  TaskLog(StepLog::Ports ports, StepNames names, std::filesystem::path stream, log::Place place,
          log::Redactor redactor, const job::StepRecord* known);

  /// Notes tasks while the step runs, until stop() is called.
  boost::asio::awaitable<void> tend();
  void stop();
  /// A secret to hide in what is read from now on.
  void add_secret(std::string secret) { new_secrets_.push_back(std::move(secret)); }

  /// Notes what is left. The caller commits it together with the end of the step.
  boost::asio::awaitable<void> finish();

 private:
  [[nodiscard]] bool is_there() const;
  boost::asio::awaitable<bool> read(bool last);
  void note_end(const log::Task& task);
  job::Event& note(std::string_view type, boost::json::object data) { return ports_.record.note_of(names_, type, std::move(data)); }
  void warn(const std::string& message) { ports_.record.warn_of(names_, message); }

  StepLog::Ports ports_;
  StepNames names_;
  std::filesystem::path stream_;
  std::shared_ptr<log::TaskReader> reader_;  ///< A worker may still be at it when this is gone.
  std::vector<std::string> new_secrets_;  ///< That the reader has not been told yet.
  unsigned ended_ = 0;
  unsigned started_ = 0;  ///< Of how many tasks the journal has the start or the end.
  Wakeup wakeup_;
  bool stopped_ = false;
};

}  // namespace outpost::pipeline
