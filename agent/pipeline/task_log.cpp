#include "agent/pipeline/task_log.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace event = job::event;

TaskLog::TaskLog(StepLog::Ports ports, StepNames names, std::filesystem::path stream, log::Place place,
                 log::Redactor redactor, const job::StepRecord* known)
    : ports_{std::move(ports)}, names_{std::move(names)}, stream_{std::move(stream)}, wakeup_{ports_.executor} {
  log::TaskReader::Progress progress;
  if (known) {
    progress = {known->task_stream, known->task_output, known->tasks};
    ended_ = known->tasks;
    started_ = known->tasks_started;
  }
  reader_ = std::make_shared<log::TaskReader>(stream_, std::move(place), std::move(redactor), progress);
}

bool TaskLog::is_there() const {
  std::error_code error;
  return std::filesystem::symlink_status(stream_, error).type() != std::filesystem::file_type::not_found;
}

asio::awaitable<void> TaskLog::tend() {
  bool more = false;
  while (!stopped_) {
    if (!more) co_await wakeup_.wait(interval);
    more = false;
    if (stopped_ || !is_there()) continue;
    more = co_await read(false);
    if (ports_.record.has_pending()) co_await ports_.record.commit();
  }
}

void TaskLog::stop() {
  stopped_ = true;
  wakeup_.notify();
}

asio::awaitable<void> TaskLog::finish() {
  if (!is_there()) co_return;
  while (co_await read(true)) co_await ports_.record.commit();
  for (const auto& problem : reader_->take_problems()) warn(problem);
}

/// Whether there is more to read at once.
asio::awaitable<bool> TaskLog::read(bool last) {
  auto reading = [reader = reader_, last, secrets = std::exchange(new_secrets_, {})] {
    for (const auto& secret : secrets) reader->add_secret(secret);
    return reader->read(last);
  };
  auto news = co_await ports_.workers.run(std::move(reading));
  if (!news) {
    // The disk refuses for now; what was read waits in the reader.
    if (last) warn("not all of its tasks could be written down: " + printable(news.error().message));
    co_return false;
  }
  for (const auto& task : news->ended) note_end(task);
  if (news->running && started_ <= ended_) {
    note(event::task_started, {{"task", ended_}, {"name", *news->running}});
    started_ = ended_ + 1;
  }
  co_return news->more;
}

void TaskLog::note_end(const log::Task& task) {
  boost::json::object data{{"task", ended_},
                           {"name", task.name},
                           {"result", task.result},
                           {"hosts", task.hosts},
                           {"duration_ms", task.duration.count()},
                           {"stream", task.stream}};
  if (!task.where.empty()) data["where"] = task.where;
  if (task.warnings > 0) data["warnings"] = task.warnings;
  note(event::task_ended, std::move(data)).blobs.push_back(task.blob);
  started_ = std::max(started_, ++ended_);
}

}  // namespace outpost::pipeline
