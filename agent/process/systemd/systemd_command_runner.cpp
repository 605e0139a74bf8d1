#include "agent/process/systemd/systemd_command_runner.hpp"

#include "agent/base/text.hpp"
#include "agent/process/start_failure.hpp"
#include "agent/process/systemd/descriptor_store.hpp"
#include "agent/process/systemd/running_step.hpp"

#include <boost/asio/this_coro.hpp>

#include <systemd/sd-daemon.h>

#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

namespace outpost::process {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// So much output waits for an agent that is away, or busy, before the command does: all that an ordinary user may ask
/// for.
constexpr int pipe_size = 1024 * 1024;

Error explain_refusal(Error error) {
  if (error.fault == Fault::refused) error.message += ": is the polkit rule of outpost installed, and is polkit running?";
  error.fault = Fault::unavailable;
  return error;
}

/// Of a command whose start has failed, and that we have asked to end in case it ran.
bool tells_what_it_did(const Result<Finished>& result) { return result && !std::holds_alternative<Cancelled>(result->ending); }

}  // namespace

Result<void> SystemdCommandRunner::Step::open_output(Descriptor stored) {
  Descriptor read_end = stored.is_open() ? std::move(stored) : directory.open_output(O_RDONLY);
  if (!read_end.is_open()) return errno_error("cannot open the output of", unit, errno);
  ::fcntl(read_end.get(), F_SETPIPE_SZ, pipe_size);
  output.assign(read_end.get());
  read_end.release();
  write_end = directory.open_output(O_WRONLY);
  if (!write_end.is_open()) return errno_error("cannot open the output of", unit, errno);
  return {};
}

SystemdCommandRunner::SystemdCommandRunner(asio::any_io_executor executor, Options options)
    : executor_{executor}, options_{std::move(options)}, systemd_{std::move(executor)} {}

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
  step->inherited = true;
  step->stopping = step->directory.stopping();
  auto stored = options_.stored.extract(output_of_slot(step->command.slot));
  const bool was_kept = !stored.empty();
  if (auto opened = step->open_output(was_kept ? std::move(stored.mapped()) : Descriptor{}); !opened) {
    // All of it was taken, and only the news of the end was lost.
    if (!step->directory.report().complete) co_return opened.error();
    auto limiting = give_limits_back(*step);
    co_await std::move(limiting);
    auto reading = finished(*step, step->stopping ? step->stopping->why : Stops{});
    co_return co_await std::move(reading);
  }
  // The step keeps its output itself until its end is written down; systemd does until the unit of this program is
  // stopped, or fails for good.
  step->output_lost = !was_kept && step->directory.report().has_exited();
  if (!was_kept) store(output_of_slot(step->command.slot), step->output.native_handle());
  auto attending = attend(*step, output);
  co_return co_await std::move(attending);
}

/// systemd has put everything that descends from the command into the unit's control group.
asio::awaitable<bool> SystemdCommandRunner::is_part_of(Command command, pid_t process) {
  const auto unit = unit_of(command.profile, command.slot);
  if (!unit) co_return false;
  auto asking = systemd_.is_in(*unit, process);
  co_return co_await std::move(asking);
}

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
