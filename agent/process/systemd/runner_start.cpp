// A command on its way into its unit.

#include "agent/base/text.hpp"
#include "agent/process/systemd/descriptor_store.hpp"
#include "agent/process/systemd/running_step.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace outpost::process {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

/// How long a command waits for systemd, or for its bus, before it cannot be started.
constexpr milliseconds longest_patience = std::chrono::minutes{2};
/// With the bus systemd and polkit come back, in their own time: until then they seem to be missing, or to refuse.
constexpr milliseconds coming_back = std::chrono::seconds{10};
/// Who asks just then has not seen the bus away.
constexpr milliseconds second_look = std::chrono::seconds{2};

}  // namespace

template <class Ask>
asio::awaitable<typename std::invoke_result_t<Ask>::value_type> SystemdCommandRunner::patiently(Step& step, Ask ask) {
  auto settled = Clock::now() + second_look;
  bool was_away = false;
  for (;;) {
    auto asking = ask();
    auto result = co_await std::move(asking);
    if (result || Clock::now() >= step.start_by || is_cancelled(co_await asio::this_coro::cancellation_state)) co_return result;
    const Fault fault = result.error().fault;
    if (fault == Fault::retry_later) {
      if (!std::exchange(was_away, true)) options_.log(printable(step.command.name) + " waits for systemd: " + result.error().message);
      settled = Clock::now() + coming_back;
    } else if (Clock::now() >= settled || !(was_away || fault == Fault::unavailable)) {
      co_return result;
    }
    co_await step.changed.wait(look_again);
  }
}

/// When the answer of StartUnit is lost nobody knows whether the unit was started, and it is asked for once more: one that
/// runs is left alone, and outpost-step does not run a step that has begun, or ended, again.
asio::awaitable<Result<void>> SystemdCommandRunner::start(Step& step) {
  const auto time = step.command.movable ? step.command.movable->at() - Clock::now() : step.command.deadline;
  step.start_by = Clock::now() + std::min<Clock::duration>(time, longest_patience);
  auto readying = make_ready(step);
  if (auto ready = co_await std::move(readying); !ready) co_return ready;
  auto starting = patiently(step, [this, &step] { return ask_to_start(step); });
  const auto started = co_await std::move(starting);
  if (!started || !is_limited(step.command.limits)) co_return started;
  // systemd has read its files once more, and a drop-in of an administrator may have come out on top.
  auto limiting = patiently(step, [this, &step] { return limit(step, step.command.limits); });
  co_return co_await std::move(limiting);
}

asio::awaitable<Result<void>> SystemdCommandRunner::ask_to_start(Step& step) {
  if (auto there = systemd_.reach(); !there) co_return there;  // So it was not even sent.
  auto asking = systemd_.start(step.unit);
  auto started = co_await std::move(asking);
  step.may_run = step.may_run || started || started.error().fault == Fault::retry_later;
  co_return started;
}

asio::awaitable<Result<void>> SystemdCommandRunner::make_ready(Step& step) {
  auto clearing = clear(step);
  if (auto cleared = co_await std::move(clearing); !cleared) co_return cleared;
  if (auto ready = step.directory.prepare(step.command); !ready) co_return ready;
  if (auto opened = step.open_output(); !opened) co_return opened;
  if (const auto stored = store(output_of_slot(step.command.slot), step.output.native_handle()); !stored)
    options_.log(step.unit + ": a restart will lose what it has printed and nobody has read: " + stored.error().message);
  auto limiting = patiently(step, [this, &step] { return limit(step, step.command.limits); });
  co_return co_await std::move(limiting);
}

/// Nobody else runs steps of this slot, so what runs there was left by an agent that could not take it up again.
asio::awaitable<Result<void>> SystemdCommandRunner::clear(Step& step) {
  if (options_.stored.erase(output_of_slot(step.command.slot)) > 0) drop_stored(output_of_slot(step.command.slot));
  if (ended_.erase(step.unit) > 0) co_return Result<void>{};
  auto asking = patiently(step, [this, &step] { return systemd_.state(step.unit); });
  auto state = co_await std::move(asking);
  if (!state) co_return state.error();
  if (state->load != "loaded") co_return Error{Fault::unavailable, step.unit + ": its template is not installed (" + state->load + ")"};
  if (!state->is_down()) {
    step.inherited = true;
    auto stopping = patiently(step, [this, &step] { return systemd_.stop(step.unit); });
    if (auto stopped = co_await std::move(stopping); !stopped) co_return stopped;
    auto killing = systemd_.kill(step.unit, SIGKILL);
    co_await std::move(killing);
    auto waiting = await_down(step.unit, Clock::now() + options_.patience);
    if (!co_await std::move(waiting)) co_return Error{Fault::retry_later, step.unit + ": what an earlier step left there does not end"};
  }
  co_return Result<void>{};
}

}  // namespace outpost::process
