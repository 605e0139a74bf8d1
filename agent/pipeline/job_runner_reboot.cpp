// Steps of a JobRunner that have the machine restarted: asked for by the step, carried out when it has ended, gone on with
// after the boot.

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace event = job::event;
using job::StepEnding;

/// So many of the earlier attempts of a step have ended for a restart of the machine.
int JobRunner::reboots_before(const Step& step, int attempt) const {
  const auto& steps = record_.story().steps;
  return static_cast<int>(std::count_if(steps.begin(), steps.end(), [&](const auto& record) {
    return record.stage == step.stage && record.plugin == step.plugin && record.hook == step.hook && record.attempt < attempt && !record.rebooting.empty();
  }));
}

/// Only who administers the agent says which plugins may.
Result<void> JobRunner::may_reboot(const Step& step) const {
  const auto& allowed = record_.story().job.definition.reboots;
  if (always_runs(step.stage) || is_farewell(step.stage)) return Error{Fault::refused, "the machine is restarted for hooks of acquire to test only"};
  if (!options_.restart_machine || options_.boot_id.empty()) return Error{Fault::unavailable, "this agent cannot restart the machine, and go on after it"};
  if (std::find(allowed.plugins.begin(), allowed.plugins.end(), step.plugin) == allowed.plugins.end())
    return Error{Fault::refused, "this job does not let " + step.plugin + " restart the machine: it would say so with `reboots: {plugins: [" + step.plugin + "]}` in outpost.yml"};
  if (record_.story().reboots >= allowed.limit)
    return Error{Fault::refused, "the machine was restarted " + std::to_string(allowed.limit) + " times in this job already, and `reboots` in outpost.yml allows no more"};
  if (cancel_wanted_) return Error{Fault::refused, "the job is being cancelled"};
  return {};
}

/// In one transaction with the end of the step: it asks, has ended well, and nothing else ends the job.
void JobRunner::note_reboot(const Attempt& attempt, const StepEnding& ending) {
  const auto* known = record_.story().step(attempt.id);
  if (!known || !known->told.reboot || failed() || ending.kind != StepEnding::Kind::exited || ending.code != 0) return;
  auto& noted = record_.note(event::reboot_requested, {{"stage", to_string(attempt.step.stage)}, {"plugin", attempt.step.plugin}, {"hook", attempt.step.hook},
                                                       {"why", *known->told.reboot}, {"count", record_.story().reboots + 1}});
  noted.step_id = attempt.id;
  noted.attempt = attempt.number;
}

/// Returns when the agent stops, for the next one to go on after the boot; or when the job cannot go on.
asio::awaitable<void> JobRunner::restart_if_asked(const Step& step, int attempt) {
  const std::string id = step_id_of(step, attempt);
  const auto* asking = record_.story().step(id);
  if (!asking || !asking->told.reboot) co_return;
  co_await record_.commit();
  asking = record_.story().step(id);
  if (asking->rebooting.empty() || failed()) co_return;
  options_.checkpoint("reboot.requested");
  const std::string job = record_.story().job.id, why = asking->told.reboot->empty() ? id + " wants it" : id + " wants it: " + *asking->told.reboot;
  Result<void> restarted = Error{Fault::unavailable, "this agent cannot do that"};
  if (options_.restart_machine) {
    awaits_restart_ = true;
    auto restarting = options_.restart_machine(job, why);
    restarted = co_await stoppable(std::move(restarting), stop_);
    awaits_restart_ = false;
  }
  if (left_ || cancel_wanted_) co_return;
  verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "reboot-failed",
                            .message = std::string{to_string(step.stage)} + ": " + step.plugin + "/" + step.hook + " has asked for a restart of the machine: " +
                                       (restarted ? "it did not come" : printable(restarted.error().message)),
                            .stage = step.stage, .plugin = step.plugin};
  keeps_going_ = false;
}

}  // namespace outpost::pipeline
