// What hooks of on-timeout and on-cancel do for a step of JobRunner that is being stopped: look at it while it is still
// there.

#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_runner.hpp"

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace event = job::event;
using job::Stage;

/// Waits until the step has ended; when it is asked to, the hooks of the point have what it has of its grace. Where two
/// steps of a slot cannot run side by side they follow it, and have as long.
asio::awaitable<void> JobRunner::farewells(const Attempt& attempt, Grace& grace) {
  while (!grace.over && !grace.point) co_await grace.changed.wait();
  if (!grace.point || always_runs(attempt.step.stage)) co_return;
  auto end = grace.end;
  if (!ports_.steps.overlaps()) {
    const auto asked_at = ports_.clock.since_boot();
    while (!grace.over) co_await grace.changed.wait();
    end += ports_.clock.since_boot() - asked_at;
  }
  const auto steps = ports_.steps.steps(record_.story(), plugins_, *grace.point);
  if (!steps) co_return;  // The stage that comes says what is wrong with the plugins.
  for (const auto& step : *steps) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - ports_.clock.since_boot());
    if (left.count() <= 0) co_return;
    const auto own = step.rules.timeout.value_or(job::default_timeout(step.stage));
    if (step.skipped.empty()) co_await farewell(step, attempt.step, std::min(own, left));
  }
}

asio::awaitable<void> JobRunner::farewell(const Step& step, const Step& stopped, std::chrono::milliseconds limit) {
  int number = 1;  // Several steps of a job may have to be stopped.
  for (const auto& record : record_.story().steps)
    if (record.stage == step.stage && record.plugin == step.plugin && record.hook == step.hook) number = record.attempt + 1;
  Attempt attempt{.step = step, .id = step_id_of(step, number), .number = number, .timeout = limit, .started = ports_.clock.since_boot()};
  attempt.stopped = stopped;
  auto& started = record_.note(event::step_started, {{"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                                     {"timeout_ms", limit.count()}});
  started.step_id = attempt.id;
  started.attempt = number;
  co_await record_.commit();
  options_.checkpoint("farewell.started");
  auto capture = log::Capture::open(log_place(attempt.id), redactor(), ports_.clock, capture_options(step));
  if (!capture) co_return cannot_capture(attempt, capture.error());
  co_await carry_out(std::move(attempt), std::move(*capture), nullptr);
}

}  // namespace outpost::pipeline
