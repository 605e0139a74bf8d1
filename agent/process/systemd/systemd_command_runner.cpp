#include "agent/process/systemd/systemd_command_runner.hpp"

#include "agent/base/text.hpp"
#include "agent/process/drain.hpp"
#include "agent/process/start_failure.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <systemd/sd-daemon.h>

#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace outpost::process {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

/// So much output waits for an agent that is away, or busy, before the command does: all that an ordinary user may ask
/// for.
constexpr int pipe_size = 1024 * 1024;

/// Longer than anybody waits, short enough to be added to a time.
constexpr milliseconds for_ever = std::chrono::hours{24 * 3650};

/// How long those may be dying whom outpost-step has killed. To kill them once more at once could hit what systemd starts
/// when they are gone, the report, and with it the figures.
constexpr milliseconds dying_limit = std::chrono::seconds{2};

/// How often to look when systemd cannot be asked.
constexpr milliseconds look_again = std::chrono::seconds{1};

/// How long a command waits for systemd, or for its bus, before it cannot be started.
constexpr milliseconds longest_patience = std::chrono::minutes{2};
/// With the bus systemd and polkit come back, in their own time: until then they seem to be missing, or to refuse.
constexpr milliseconds coming_back = std::chrono::seconds{10};
/// Who asks just then has not seen the bus away.
constexpr milliseconds second_look = std::chrono::seconds{2};

bool is_cancelled(const asio::cancellation_state& state) { return state.cancelled() != asio::cancellation_type::none; }

bool is_limited(const Limits& limits) { return limits.memory || limits.tasks || limits.cpu_percent; }

std::string stored_name(unsigned slot) { return "slot-" + std::to_string(slot); }

/// sd_pid_notify_with_fds(3). Without FDPOLL=0 systemd would drop the pipe when the command has closed it, with what is
/// in it.
void store(unsigned slot, int descriptor) {
  const auto text = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + stored_name(slot);
  ::sd_pid_notify_with_fds(0, 0, text.c_str(), &descriptor, 1);
}

void unstore(unsigned slot) { ::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + stored_name(slot)).c_str()); }

Error explain_refusal(Error error) {
  if (error.fault == Fault::refused) error.message += ": is the polkit rule of outpost installed, and is polkit running?";
  error.fault = Fault::unavailable;
  return error;
}

/// Of a command whose start has failed, and that we have asked to end in case it ran.
bool tells_what_it_did(const Result<Finished>& result) { return result && !std::holds_alternative<Cancelled>(result->ending); }

Error explain_start(const Command& command, const StepReport::StartFailure& failure, const std::string& unit) {
  if (failure.phase == "exec") return explain_start_failure(command.program, failure.code);
  if (failure.phase == "directory")
    return errno_error("cannot enter", printable(command.directory.string()), failure.code)
        .in(printable(command.program.string()));
  return errno_error("outpost-step cannot open its", printable(failure.phase), failure.code).in(unit);
}

}  // namespace

struct SystemdCommandRunner::Step {
  Step(Command what, std::string unit_name, SlotDirectory slot, const asio::any_io_executor& executor)
      : command{std::move(what)}, unit{std::move(unit_name)}, directory{std::move(slot)}, output{executor}, changed{executor} {}

  /// `stored`: its end that systemd has kept, if there is one.
  Result<void> open_output(Descriptor stored = Descriptor{}) {
    Descriptor read_end = stored.is_open() ? std::move(stored) : directory.open_output(O_RDONLY);
    if (!read_end.is_open()) return errno_error("cannot open the output of", unit, errno);
    ::fcntl(read_end.get(), F_SETPIPE_SZ, pipe_size);
    output.assign(read_end.get());
    read_end.release();
    write_end = directory.open_output(O_WRONLY);
    if (!write_end.is_open()) return errno_error("cannot open the output of", unit, errno);
    return {};
  }

  Command command;
  std::string unit;
  SlotDirectory directory;
  asio::posix::stream_descriptor output;
  Descriptor write_end;  ///< So that the output has no end before the unit has.
  Wakeup changed;
  Clock::time_point start_by{};  ///< Or it cannot be started.
  bool may_run = false;    ///< systemd was asked to start it, and has not said that it did not.
  bool abandoned = false;  ///< It may run though its start has failed: it is only attended to see it end.
  std::optional<SlotDirectory::Stopping> stopping;  ///< An earlier agent had asked the command to end.
  bool ended = false, cancelled = false;
  bool output_lost = false;  ///< See Finished.
  bool down = false;    ///< systemd has said that nothing of it runs.
  bool failed = false;  ///< It then counts as failed: it was not even started, or ran out of memory or time.
};

SystemdCommandRunner::SystemdCommandRunner(asio::any_io_executor executor, Options options)
    : executor_{executor}, options_{std::move(options)}, systemd_{std::move(executor)} {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int index = 0; index < count; ++index) {
    Descriptor descriptor{SD_LISTEN_FDS_START + index};
    if (std::string_view{names[index]}.starts_with("slot-")) stored_.emplace(names[index], std::move(descriptor));
  }
  for (int index = 0; names && names[index]; ++index) std::free(names[index]);
  std::free(names);
}

SystemdCommandRunner::~SystemdCommandRunner() = default;

Result<std::optional<gid_t>> SystemdCommandRunner::group_of(unsigned slot) const {
  if (options_.group) return options_.group;
  const auto name = "outpost-job-" + std::to_string(slot);
  group entry{}, *found = nullptr;
  std::vector<char> buffer(std::size_t{16} * 1024);
  ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (!found) return Error{Fault::unavailable, "there is no group " + name + ", whose user runs the steps of slot " + std::to_string(slot) + ": run systemd-sysusers"};
  return std::optional<gid_t>{found->gr_gid};
}

Result<std::unique_ptr<SystemdCommandRunner::Step>> SystemdCommandRunner::make_step(Command command) const {
  auto unit = unit_of(command.profile, command.slot);
  if (!unit) return unit.error();
  const auto group = group_of(command.slot);
  if (!group) return group.error();
  SlotDirectory directory{options_.slots / std::to_string(command.slot), group->value()};
  return std::make_unique<Step>(std::move(command), std::move(*unit), std::move(directory), executor_);
}

asio::awaitable<Result<Finished>> SystemdCommandRunner::run(Command command, Output& output) {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (is_cancelled(co_await asio::this_coro::cancellation_state)) co_return Finished{.ending = Cancelled{}};
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  if (has_crlf_shebang(command.program)) co_return crlf_error(command.program);
  auto made = make_step(std::move(command));
  if (!made) co_return made.error();
  const auto step = std::move(*made);
  auto starting = start(*step);
  auto started = co_await std::move(starting);
  // A cancellation that came while it was being started reaches nobody below.
  const bool cancelled = is_cancelled(co_await asio::this_coro::cancellation_state);
  if (started || step->may_run) {
    step->abandoned = !started;
    step->cancelled = cancelled || step->abandoned;
    auto attending = attend(*step, output);
    auto result = co_await std::move(attending);
    if (started || tells_what_it_did(result)) co_return result;
  } else {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    auto cleaning = clean_up(*step);
    co_await std::move(cleaning);
  }
  if (cancelled) co_return Finished{.ending = Cancelled{}};
  co_return explain_refusal(started.error());
}

asio::awaitable<Left> SystemdCommandRunner::look_for(Command command) {
  const auto made = make_step(std::move(command));
  if (!made) co_return Left::gone;
  const Step& step = **made;
  const auto name = step.directory.name();
  if (name.empty()) co_return Left::gone;
  if (name != step.command.name) co_return Left::not_begun;  // Whatever begins in a slot is named there first.
  auto looking = systemd_.state(step.unit);
  const auto state = co_await std::move(looking);
  const bool may_run = !state || !state->is_down();
  co_return may_run || !step.directory.report().invocation.empty() ? Left::there : Left::not_begun;
}

asio::awaitable<Result<Finished>> SystemdCommandRunner::adopt(Command command, Output& output) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  auto made = make_step(std::move(command));
  if (!made) co_return made.error();
  const auto step = std::move(*made);
  if (step->directory.name() != step->command.name)
    co_return Error{Fault::unavailable, step->unit + " does not run " + printable(step->command.name) + " any more"};
  step->stopping = step->directory.stopping();
  auto stored = stored_.extract(stored_name(step->command.slot));
  const bool was_kept = !stored.empty();
  if (auto opened = step->open_output(was_kept ? std::move(stored.mapped()) : Descriptor{}); !opened) {
    // All of it was taken, and only the news of the end was lost.
    if (!step->directory.report().complete) co_return opened.error();
    auto reading = finished(*step, step->stopping ? step->stopping->why : Stops{});
    co_return co_await std::move(reading);
  }
  // The step keeps its output itself until its end is written down; systemd does until the unit of this program is
  // stopped, or fails for good.
  step->output_lost = !was_kept && step->directory.report().has_exited();
  if (!was_kept) store(step->command.slot, step->output.native_handle());
  auto attending = attend(*step, output);
  co_return co_await std::move(attending);
}

// ---- start -----------------------------------------------------------------------------------------------------------

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
  store(step.command.slot, step.output.native_handle());
  auto limiting = patiently(step, [this, &step] { return limit(step, step.command.limits); });
  co_return co_await std::move(limiting);
}

/// Nobody else runs steps of this slot, so what runs there was left by an agent that could not take it up again.
asio::awaitable<Result<void>> SystemdCommandRunner::clear(Step& step) {
  if (stored_.erase(stored_name(step.command.slot)) > 0) unstore(step.command.slot);
  if (ended_.erase(step.unit) > 0) co_return Result<void>{};
  auto asking = patiently(step, [this, &step] { return systemd_.state(step.unit); });
  auto state = co_await std::move(asking);
  if (!state) co_return state.error();
  if (state->load != "loaded") co_return Error{Fault::unavailable, step.unit + ": its template is not installed (" + state->load + ")"};
  if (!state->is_down()) {
    auto stopping = patiently(step, [this, &step] { return systemd_.stop(step.unit); });
    if (auto stopped = co_await std::move(stopping); !stopped) co_return stopped;
    auto killing = systemd_.kill(step.unit, SIGKILL);
    co_await std::move(killing);
    auto waiting = await_down(step.unit, Clock::now() + options_.patience);
    if (!co_await std::move(waiting)) co_return Error{Fault::retry_later, step.unit + ": what an earlier step left there does not end"};
  }
  co_return Result<void>{};
}

/// Limits that are set for a unit stay until they are set again, whatever an agent has come to since, and outrank all that
/// an administrator says of it. So none are set where none are asked for; where some were, the unit has to be told its own
/// ones from then on, which the instance 0 knows, for which nobody sets anything.
asio::awaitable<Result<void>> SystemdCommandRunner::limit(const Step& step, Limits limits) {
  const bool has_limits = is_limited(limits);
  if (!has_limits && unlimited_.contains(step.unit)) co_return Result<void>{};
  if (has_limits) unlimited_.erase(step.unit);
  auto asking = systemd_.has_set_limits(step.unit);
  const auto were_set = co_await std::move(asking);
  if (!were_set) co_return were_set.error();
  if (!has_limits && !*were_set) {
    unlimited_.insert(step.unit);
    co_return Result<void>{};
  }
  auto applying = apply(step, limits, *were_set);
  co_return co_await std::move(applying);
}

asio::awaitable<Result<void>> SystemdCommandRunner::apply(const Step& step, Limits limits, bool were_set) {
  auto reading_present = systemd_.limits(step.unit);
  const auto present = co_await std::move(reading_present);
  if (!present) co_return present.error();
  auto own = present;
  if (were_set) {
    auto reading_own = systemd_.limits(*unit_of(step.command.profile, 0));
    own = co_await std::move(reading_own);
  }
  if (!own) co_return own.error();
  if (is_limited(limits)) tell_outranked(step, *own);
  auto wanted = with_limits(std::move(*own), limits);
  std::erase_if(wanted, [&](const auto& value) {
    const auto found = present->find(value.first);
    return found != present->end() && found->second == value.second;
  });
  if (wanted.empty()) co_return Result<void>{};
  auto setting = systemd_.set_limits(step.unit, std::move(wanted));
  co_return co_await std::move(setting);
}

void SystemdCommandRunner::tell_outranked(const Step& step, const ServiceManager::LimitValues& own) {
  for (const auto& limit : outranked(own, step.command.limits))
    if (told_limits_.insert(step.command.profile + ": " + limit).second)
      options_.log(step.unit + ": " + limit + ", which " + printable(step.command.name) + " asks for: the limits of a job only make those of its unit stricter");
}

// ---- until its end ---------------------------------------------------------------------------------------------------

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

/// systemd has put everything that descends from the command into the unit's control group.
asio::awaitable<bool> SystemdCommandRunner::is_part_of(Command command, pid_t process) {
  const auto unit = unit_of(command.profile, command.slot);
  if (!unit) co_return false;
  auto asking = systemd_.is_in(*unit, process);
  co_return co_await std::move(asking);
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
  Bus::Watch watch;
  for (;;) {
    if (watch.is_broken())
      if (auto again = systemd_.watch(step.unit, step.changed)) watch = std::move(*again);
    auto looking = systemd_.state(step.unit);
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
    co_await step.changed.wait(must_look ? look_again : limit - Clock::now());
  }
}

/// How long what is left of the command may take to end: after outpost-step has killed it only a moment; when somebody else
/// has asked the unit to stop, the command itself has its grace, as if we had.
milliseconds SystemdCommandRunner::dying_time(const Step& step) {
  if (!step.directory.report().stopped) return dying_limit;
  return std::min(step.command.grace, for_ever);
}

/// Whether the unit has ended with all its processes. Not when systemd cannot be asked.
asio::awaitable<bool> SystemdCommandRunner::is_down(std::string unit) {
  auto asking = systemd_.state(std::move(unit));
  const auto state = co_await std::move(asking);
  co_return state && state->is_down();
}

asio::awaitable<bool> SystemdCommandRunner::await_down(std::string unit, Clock::time_point give_up) {
  Wakeup changed{executor_};
  const auto watch = systemd_.watch(unit, changed);
  for (;;) {
    auto looking = is_down(unit);
    if (co_await std::move(looking)) co_return true;
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
  if (report.tells_end()) co_return finished;
  auto asking = systemd_.describe_end(step.unit);
  const auto end = co_await std::move(asking);
  if (report.invocation.empty())  // outpost-step has not run.
    co_return Error{Fault::unavailable, step.unit + " could not be started (" + end + "): see journalctl -u " + step.unit};
  if (!stops.cancelled && !stops.timed_out) finished.ending = Lost{step.unit + " ended (" + end + ") without a report"};
  co_return finished;
}

/// Nothing of a command is left to the next one of its slot.
asio::awaitable<void> SystemdCommandRunner::clean_up(const Step& step) {
  // First, so that an agent that is started between this and the rest knows that all of the output was taken.
  step.directory.close();
  unstore(step.command.slot);
  if (is_limited(step.command.limits)) {
    auto limiting = limit(step, {});
    co_await std::move(limiting);
  }
  if (step.failed || !step.down) {
    auto resetting = systemd_.reset_failed(step.unit);
    co_await std::move(resetting);
  } else {
    ended_.insert(step.unit);
  }
}

// ---- what is installed -----------------------------------------------------------------------------------------------

Result<std::string> unit_of(const std::string& profile, unsigned slot) {
  const bool is_word = std::all_of(profile.begin(), profile.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  if (!is_word) return Error{Fault::malformed, "\"" + printable(profile, 80) + "\" is not the name of a profile: a-z and 0-9 only"};
  return "outpost-step" + (profile.empty() ? "" : "-" + profile) + "@" + std::to_string(slot) + ".service";
}

std::string why_not_systemd() {
  if (::sd_booted() <= 0) return "systemd does not run this machine";
  if (!::getenv("INVOCATION_ID") || !::getenv("NOTIFY_SOCKET")) return "outpostd was not started by systemd";
  if (::access("/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service", F_OK) != 0)
    return "polkit, which lets outpostd start units, is not installed";
  for (const char* folder : {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"})
    if (::access((fs::path{folder} / "outpost-step@.service").c_str(), F_OK) == 0) return "";
  return "the unit outpost-step@.service is not installed";
}

}  // namespace outpost::process
