#include "agent/pipeline/job_record.hpp"

#include "agent/job/event_types.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;

JobRecord::JobRecord(journal::Journal& journal, job::Story story, std::function<void(const Error&)> degraded)
    : journal_{journal}, story_{std::move(story)}, degraded_{std::move(degraded)} {}

job::Event& JobRecord::note(std::string_view type, boost::json::object data) {
  job::Event event;
  event.type = type;
  event.job_id = story_.job.id;
  event.data = std::move(data);
  return pending_.emplace_back(std::move(event));
}

job::Event& JobRecord::note_of(const StepNames& step, std::string_view type, boost::json::object data) {
  data["stage"] = to_string(step.stage);
  data["plugin"] = step.plugin;
  data["hook"] = step.hook;
  auto& event = note(type, std::move(data));
  event.step_id = step.step_id;
  return event;
}

void JobRecord::warn_of(const StepNames& step, const std::string& message) {
  note(job::event::job_warning, {{"stage", to_string(step.stage)}, {"message", step.step_id + ": " + message}});
}

asio::awaitable<void> JobRecord::commit() {
  std::vector<job::Event> batch = std::move(pending_);
  pending_.clear();
  if (batch.empty()) co_return;
  std::chrono::seconds pause{1};
  for (;;) {
    std::vector<job::Event> drafts = batch;
    auto written = co_await journal_.append(std::move(drafts));
    if (written) {
      for (const auto& event : *written) story_.apply(event);
      co_return;
    }
    degraded_(written.error());
    asio::steady_timer timer{co_await asio::this_coro::executor, pause};
    co_await timer.async_wait(asio::use_awaitable);
    pause = std::min(pause * 2, std::chrono::seconds{30});
  }
}

}  // namespace outpost::pipeline
