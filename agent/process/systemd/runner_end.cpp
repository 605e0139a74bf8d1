// What a command has come to, and what is done when it has ended.

#include "agent/base/text.hpp"
#include "agent/process/start_failure.hpp"
#include "agent/process/systemd/descriptor_store.hpp"
#include "agent/process/systemd/running_step.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include <algorithm>
#include <utility>

namespace outpost::process {

namespace asio = boost::asio;

namespace {

Error explain_start(const Command& command, const StepReport::StartFailure& failure, const std::string& unit) {
  if (failure.phase == "exec") return explain_start_failure(command.program, failure.code);
  if (failure.phase == "directory")
    return errno_error("cannot enter", printable(command.directory.string()), failure.code)
        .in(printable(command.program.string()));
  if (failure.phase == "sandbox")
    return errno_error("outpost-step cannot make the sandbox, see", "journalctl -u " + unit, failure.code).in(printable(command.program.string()));
  return errno_error("outpost-step cannot open its", printable(failure.phase), failure.code).in(unit);
}

}  // namespace

asio::awaitable<Result<Finished>> SystemdCommandRunner::finished(Step& step, Stops stops) {
  if (!step.down) {
    auto looking = systemd_.state(step.unit);
    const auto state = co_await std::move(looking);
    if (!state)
      co_return Finished{.ending = Lost{"it may run, and systemd cannot be asked (" + state.error().message + "): when that is back, systemctl stop " + step.unit +
                                        " ends it, as does the next step of its slot"}};
    step.down = state->is_down();
  }
  if (!step.down) co_return Finished{.ending = Lost{"its processes do not end: see systemctl status " + step.unit}};
  const auto report = step.directory.report();
  if (report.start_failure) co_return explain_start(step.command, *report.start_failure, step.unit);
  Finished finished{.ending = ending_of(report, stops), .leftovers = report.leftovers, .figures = report.figures, .output_lost = step.output_lost};
  if (stops.withstood) finished.leftovers = std::max(finished.leftovers, 1U);
  const bool has_run = !report.invocation.empty(), asked_to_end = stops.cancelled || stops.timed_out || report.stopped;
  if (report.tells_end() && (has_run || asked_to_end)) co_return finished;
  auto asking = how_unit_ended(step.unit, report);
  const auto end = co_await std::move(asking);
  if (!has_run) co_return Error{Fault::unavailable, step.unit + " could not be started" + end + ": see journalctl -u " + step.unit};
  if (!asked_to_end) finished.ending = Lost{step.unit + " ended" + end + " without a report"};
  co_return finished;
}

/// " (status 217)", and so on in systemd's words; "" when it has forgotten, as it does with a unit that did not fail.
asio::awaitable<std::string> SystemdCommandRunner::how_unit_ended(std::string unit, const StepReport& report) {
  if (report.has_exited()) co_return (report.exit_kind == "exited" ? " (status " : " (signal ") + report.exit_status + ")";
  auto asking = systemd_.describe_end(std::move(unit));
  const auto end = co_await std::move(asking);
  co_return end == "success" ? "" : " (" + end + ")";
}

/// Nothing of a command is left to the next one of its slot.
asio::awaitable<void> SystemdCommandRunner::clean_up(const Step& step) {
  // First, so that an agent that is started between this and the rest knows that all of the output was taken.
  step.directory.close();
  drop_stored(output_of_slot(step.command.slot));
  auto limiting = give_limits_back(step);
  co_await std::move(limiting);
  if (step.failed || !step.down) {
    auto resetting = systemd_.reset_failed(step.unit);
    co_await std::move(resetting);
  } else {
    ended_.insert(step.unit);
  }
}

}  // namespace outpost::process
