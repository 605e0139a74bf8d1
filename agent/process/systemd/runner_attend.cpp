// A command that runs: its output, its deadline, who asks it to end.

#include "agent/process/drain.hpp"
#include "agent/process/systemd/running_step.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace outpost::process {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

/// How long those may be dying whom outpost-step has killed. To kill them once more at once could hit what systemd starts
/// when they are gone, the report, and with it the figures.
constexpr milliseconds dying_limit = std::chrono::seconds{2};

/// How often to look when systemd tells of changes, in case it was told to, and has forgotten (a reexec).
constexpr milliseconds look_anyway = std::chrono::minutes{1};

}  // namespace

asio::awaitable<Result<Finished>> SystemdCommandRunner::attend(Step& step, Output& output) {
  attended_.insert(step.unit);
  auto supervising = supervise(step);
  auto draining = drain(step.output, output, step.ended);
  auto result = co_await (std::move(supervising) && std::move(draining));
  attended_.erase(step.unit);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto cleaning = clean_up(step);  // Not before all output was taken: it would be lost with this program.
  co_await std::move(cleaning);
  co_return result;
}

asio::awaitable<Result<Finished>> SystemdCommandRunner::supervise(Step& step) {
  auto waiting = await_end(step);
  const auto stops = co_await std::move(waiting);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto reading = finished(step, stops);
  auto result = co_await std::move(reading);
  step.ended = true;
  step.output.cancel();
  co_return result;
}

/// What a signal has told, so that systemd, which is busy with the unit just then, is not asked as well. But that nothing is
/// left is true only once it says so itself.
asio::awaitable<Result<ServiceManager::State>> SystemdCommandRunner::latest_state(std::string unit, std::optional<ServiceManager::State>& seen) {
  if (seen && !seen->is_down()) co_return *std::exchange(seen, std::nullopt);
  auto asking = systemd_.state(std::move(unit));
  auto state = co_await std::move(asking);
  seen.reset();  // It may be older than the answer.
  co_return state;
}

/// Waits for the end of the unit; passes on a deadline or a cancellation.
asio::awaitable<Stops> SystemdCommandRunner::await_end(Step& step) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Stops stops;
  enum { running, settling, terminating, killing } phase = running;
  std::optional<Clock::time_point> dying_since;
  auto limit = Clock::now() + std::min(step.command.deadline, for_ever);
  auto last_answer = Clock::now();
  std::optional<Deadline::Watch> moves;
  if (step.command.movable) {
    limit = step.command.movable->at();
    moves.emplace(*step.command.movable, [&] {
      if (phase == running) limit = step.command.movable->at();
      step.changed.notify();
    });
  }
  if (step.stopping) {
    stops = step.stopping->why;
    phase = terminating;
    limit = step.stopping->grace_end;
  }
  std::optional<ServiceManager::State> seen;
  Bus::Watch watch;
  for (;;) {
    if (watch.is_broken()) {
      seen.reset();
      if (auto again = systemd_.watch(step.unit, step.changed, seen)) watch = std::move(*again);
    }
    auto looking = latest_state(step.unit, seen);
    const auto state = co_await std::move(looking);
    if (state && state->is_down()) {
      step.down = true;
      step.failed = state->active == "failed";
      co_return stops;
    }
    const bool may_have_ended = step.abandoned && !state;  // Then it has not ended because of us.
    if (!stops.cancelled && !may_have_ended && (step.cancelled || is_cancelled(co_await asio::this_coro::cancellation_state))) {
      stops = {.cancelled = true};
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    const bool is_over = Clock::now() >= limit;
    if (!state) {
      if (step.abandoned && Clock::now() - last_answer >= options_.patience) co_return stops;
      co_await step.changed.wait(look_again);
      continue;
    }
    last_answer = Clock::now();
    const bool ends = state->active == "deactivating";
    if (phase == killing && is_over) co_return stops;
    if (phase == running && !ends && (stops.cancelled || is_over)) {
      stops.timed_out = !stops.cancelled;
      phase = terminating;
      limit = Clock::now() + std::min(step.command.grace, for_ever);
      step.directory.note_stopping({stops, limit});
      if (!step.abandoned) step.command.stopping(stops.timed_out);
      auto asking = signal(step.unit, SIGTERM);
      co_await std::move(asking);
      auto waking = signal(step.unit, SIGCONT);  // A stopped process would not hear of it.
      co_await std::move(waking);
    } else if (phase == running && ends) {
      phase = settling;
      limit = Clock::now() + for_ever;
    } else if (is_over && (phase == terminating || (phase == settling && state->sub == "stop-sigterm" && Clock::now() >= *dying_since + dying_time(step)))) {
      stops.withstood = phase == settling && !step.directory.report().stopped;
      phase = killing;
      limit = Clock::now() + options_.patience;
      auto ending = signal(step.unit, SIGKILL);
      co_await std::move(ending);
    }
    if (phase == settling && state->sub == "stop-sigterm") {
      if (!dying_since) dying_since = Clock::now();
      limit = *dying_since + dying_time(step);
    }
    const bool must_look = watch.is_broken() || Clock::now() >= limit;
    co_await step.changed.wait(must_look ? look_again : std::min<Clock::duration>(limit - Clock::now(), look_anyway));
  }
}

/// How long what is left of the command may take to end: after outpost-step has killed it only a moment; when somebody else
/// has asked the unit to stop, the command itself has its grace, as if we had.
milliseconds SystemdCommandRunner::dying_time(const Step& step) {
  if (!step.directory.report().stopped) return dying_limit;
  return std::min(step.command.grace, for_ever);
}

/// Whether the unit has ended with all its processes in time. Not when systemd cannot be asked.
asio::awaitable<bool> SystemdCommandRunner::await_down(std::string unit, Clock::time_point give_up) {
  Wakeup changed{executor_};
  std::optional<ServiceManager::State> seen;
  const auto watch = systemd_.watch(unit, changed, seen);
  for (;;) {
    auto looking = latest_state(unit, seen);
    const auto state = co_await std::move(looking);
    if (state && state->is_down()) co_return true;
    if (Clock::now() >= give_up) co_return false;
    co_await changed.wait(look_again);
  }
}

asio::awaitable<void> SystemdCommandRunner::end_all() {
  auto units = attended_;
  for (auto unit = units.begin(); unit != units.end();) {
    auto ending = systemd_.kill(*unit, SIGKILL);
    const auto sent = co_await std::move(ending);
    unit = sent ? std::next(unit) : units.erase(unit);  // There is nobody, or systemd cannot be asked: no use in waiting.
  }
  const auto give_up = Clock::now() + std::chrono::seconds{5};
  for (const auto& unit : units) {
    auto waiting = await_down(unit, give_up);
    co_await std::move(waiting);
  }
}

asio::awaitable<void> SystemdCommandRunner::signal(std::string unit, int signal) {
  auto sending = systemd_.kill(std::move(unit), signal);
  co_await std::move(sending);  // An error says that there is nobody.
}

}  // namespace outpost::process
