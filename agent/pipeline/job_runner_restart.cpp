// What a JobRunner finds of the steps of an agent that has died: it goes on with those that have outlived it, and settles
// the others.

#include "agent/job/event_types.hpp"
#include "agent/pipeline/handed_over.hpp"
#include "agent/pipeline/job_runner.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace event = job::event;
using job::StepEnding;

asio::awaitable<void> JobRunner::settle_interrupted_steps() {
  auto making = [directory = directory_, ready = options_.ready_directory, slot = options_.slot, &steps = ports_.steps]() -> Result<void> {
    if (auto made = directory.create(ready); !made) return made;
    return steps.prepare(directory, slot);
  };
  if (auto made = co_await ports_.workers.run(std::move(making)); !made && !record_.story().judgement) {
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = made.error().message};
    keeps_going_ = false;
  }
  auto reading = [directory = directory_] { return hidden_texts(directory); };
  for (const auto& hidden : co_await ports_.workers.run(std::move(reading))) add_secret(hidden);
  if (const auto& story = record_.story(); !story.aborted.empty() && !story.judgement) {
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "aborted", .message = "aborted by a hook: " + story.aborted};
    keeps_going_ = false;
  }
  // Any step may have run that we know nothing of.
  if (record_.story().history_lost && !cancel_wanted_)
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "journal-damaged", .message = std::string{history_lost_reason}};
  keeps_going_ = keeps_going_ && !record_.story().history_lost;
  const auto steps = record_.story().steps;
  for (const auto& step : steps) {
    if (step.ended) {
      co_await settle_segments(step);
      continue;
    }
    stopping_allowed_ = !always_runs(step.stage);
    const bool taken_up = step.plugin != own_plugin && co_await take_up(step);
    if (!taken_up) co_await settle_lost(step);
    // What the agent itself was doing (a download) can be done again.
    if (step.plugin == own_plugin || always_runs(step.stage) || !failed()) continue;
    record_.note(event::stage_ended, {{"stage", to_string(step.stage)}, {"outcome", cancel_wanted_ && !verdict_ ? "cancelled" : "failed"}, {"duration_ms", 0}});
  }
  // How a step ended that ends the job is written down with the verdict: an agent that dies in between would make the next
  // one take it for a step that went well.
  if (!failed() || record_.story().judgement) co_await record_.commit();
}

/// A step that has ended with the agent, nobody knows how.
asio::awaitable<void> JobRunner::settle_lost(const job::StepRecord& interrupted) {
  Attempt attempt;
  attempt.step = {interrupted.stage, interrupted.plugin, interrupted.hook, {}, {}};
  attempt.id = interrupted.id;
  attempt.number = interrupted.attempt;
  attempt.started = ports_.clock.since_boot();
  attempt.interrupted = true;
  auto reopening = reopen_log(interrupted, std::nullopt);
  auto capture = co_await std::move(reopening);
  const bool machine = was_of_another_boot(interrupted);
  const std::string lost_to = machine ? "the machine was restarted" : "agent restarted";
  StepOutcome lost{{StepEnding::Kind::lost, 0, lost_to}};
  if (capture) {
    const asio::any_io_executor loop = co_await asio::this_coro::executor;
    StepLog log{log_ports(loop), {interrupted.stage, interrupted.id, interrupted.plugin, interrupted.hook}, std::move(*capture)};
    if (interrupted.plugin != own_plugin) attempt.tasks = task_log(attempt, loop, &interrupted);
    co_await finish(attempt, log, std::move(lost));
  } else {
    warn(interrupted.stage, capture.error().message);
    record_.note(event::step_ended, {{"stage", to_string(interrupted.stage)}, {"plugin", interrupted.plugin}, {"hook", interrupted.hook},
                                     {"ending", "lost"}, {"detail", lost.ending.detail}}).step_id = interrupted.id;
  }
  if (interrupted.plugin == own_plugin || always_runs(interrupted.stage) || cancel_wanted_ || record_.story().history_lost) co_return;
  verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = machine ? "machine-restarted" : "agent-restarted",
                            .message = lost_to + " while " + interrupted.id + " was running", .stage = interrupted.stage,
                            .plugin = interrupted.plugin};
  keeps_going_ = false;
}

/// Goes on with a step that has outlived the agent, or had not even begun; false: it is gone.
asio::awaitable<bool> JobRunner::take_up(job::StepRecord interrupted) {
  const bool same_boot = options_.boot_id.empty() || interrupted.boot_id == options_.boot_id;
  auto looking = ports_.steps.look_for(record_.story().job, interrupted.id, options_.slot);
  const auto left = co_await std::move(looking);
  auto step = step_of(interrupted);
  if (!step && left == process::Left::there) step = Step{interrupted.stage, interrupted.plugin, interrupted.hook, {}, {}};
  if (!same_boot || left == process::Left::gone || !step) co_return false;
  Attempt attempt{*step, interrupted.id, interrupted.attempt, interrupted.timeout, interrupted.started_since_boot};
  attempt.adopted = left == process::Left::there;
  attempt.cuts = interrupted.cuts;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - attempt.started);
  attempt.timeout = std::max(attempt.timeout - elapsed, std::chrono::milliseconds{});
  auto& noted = record_.note(event::step_adopted, {{"stage", to_string(step->stage)}, {"plugin", step->plugin}, {"hook", step->hook}, {"begun", attempt.adopted}});
  noted.step_id = attempt.id;
  noted.attempt = attempt.number;
  co_await record_.commit();
  auto reopening = reopen_log(interrupted, capture_options(*step));
  auto capture = co_await std::move(reopening);
  if (capture) {
    co_await carry_out(std::move(attempt), std::move(*capture), &interrupted);
    co_return true;
  }
  warn(step->stage, capture.error().message);
  if (attempt.adopted) {  // It cannot go on where nobody hears it.
    attempt.timeout = {};
    process::TextOutput nobody;
    auto ending = ports_.steps.adopt(request_for(attempt), nobody);
    co_await std::move(ending);
  }
  co_return false;
}

/// The log of a step from before a restart; `more`: how to keep what is still to come, nothing when the step is gone.
asio::awaitable<Result<log::Capture>> JobRunner::reopen_log(const job::StepRecord& interrupted, std::optional<log::CaptureOptions> more) {
  const log::Remains remains{interrupted.cut_bytes, interrupted.segments, was_of_another_boot(interrupted)};
  auto reopening = [place = log_place(interrupted.id), redactor = redactor(), clock = &ports_.clock, remains, more]() mutable {
    return more ? log::Capture::resume(std::move(place), std::move(redactor), *clock, remains, *more)
                : log::Capture::recover(std::move(place), std::move(redactor), *clock, remains);
  };
  co_return co_await ports_.workers.run(std::move(reopening));
}

/// The step of an earlier agent, as the job took it.
std::optional<Step> JobRunner::step_of(const job::StepRecord& record) {
  auto steps = ports_.steps.steps(record_.story(), plugins_, record.stage);
  if (!steps) return std::nullopt;
  for (auto& step : *steps)
    if (step.plugin == record.plugin && step.hook == record.hook) return std::move(step);
  return std::nullopt;
}

/// After a restart: files that do not belong there go, what is missing is told.
asio::awaitable<void> JobRunner::settle_segments(const job::StepRecord& step) {
  auto looking = [place = log_place(step.id), segments = step.segments] { return log::reconcile(place, segments).problems; };
  const auto problems = co_await ports_.workers.run(std::move(looking));
  for (const auto& problem : problems) warn(step.stage, step.id + ": " + problem);
}

}  // namespace outpost::pipeline
