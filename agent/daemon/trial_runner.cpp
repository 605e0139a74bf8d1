#include "agent/daemon/trial_runner.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/process/process_tree.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Kind = hooks::InjectedFault::Kind;

namespace {

constexpr std::size_t largest_file = std::size_t{16} << 20;

std::map<std::string, std::string> variables_of(const std::vector<std::string>& environment) {
  std::map<std::string, std::string> variables;
  for (const auto& each : environment) {
    const auto equals = each.find('=');
    if (equals != std::string::npos) variables[each.substr(0, equals)] = each.substr(equals + 1);
  }
  return variables;
}

void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  std::erase_if(environment, [&](const auto& each) { return each.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

/// The hook that runs: everything below us that leads, or is in, a session of its own. Guardians share ours.
std::vector<process::Process> processes_of_hook() {
  const auto all = process::all_processes();
  const pid_t session = ::getsid(0);
  auto below = process::descendants(all, {::getpid()});
  std::erase_if(below, [&](const auto& each) { return each.session == session; });
  return below;
}

}  // namespace

TrialRunner::TrialRunner(process::CommandRunner& real, TrialPlan plan, hooks::Observed& seen,
                         std::function<void()> cancel_job)
    : real_{real}, plan_{std::move(plan)}, seen_{seen}, cancel_job_{std::move(cancel_job)} {}

asio::awaitable<Result<process::Finished>> TrialRunner::run(process::Command command, process::Output& output) {
  variables_ = variables_of(command.environment);
  variables_[std::string{hooks::lab_variable}] = plan_.lab;
  const auto stage = job::parse_stage(variables_["OUTPOST_POINT"]);
  if (!stage) co_return co_await real_.run(std::move(command), output);
  if (auto placed = place_given_files(); !placed) co_return placed.error();
  if (std::find(seen_.stages.begin(), seen_.stages.end(), *stage) == seen_.stages.end()) seen_.stages.push_back(*stage);
  set_variable(command.environment, "PATH", plan_.commands.native() + ":" + variables_["PATH"]);
  if (*stage != plan_.test.hook) co_return co_await real_.run(std::move(command), output);
  co_return co_await run_under_test(std::move(command), output);
}

asio::awaitable<Result<process::Finished>> TrialRunner::run_under_test(process::Command command,
                                                                       process::Output& output) {
  const bool strikes = plan_.fault && !seen_.struck;
  const Kind kind = strikes ? plan_.fault->kind : Kind::cancel;
  if (strikes && kind == Kind::timeout) {
    command.deadline = plan_.fault->after;
    command.movable = nullptr;  // A hook that asks for more time does not get it.
    set_variable(command.environment, "OUTPOST_TIMEOUT",
                 std::to_string(std::chrono::ceil<std::chrono::seconds>(plan_.fault->after).count()));
  }
  if (strikes && kind == Kind::disk_full) {
    plan_.fill_the_disk();
    seen_.struck = true;
  }
  const auto started = std::chrono::steady_clock::now();
  const auto variables = variables_;  // Another hook may run beside this one while it is stopped.
  const auto executor = co_await asio::this_coro::executor;
  const auto timer = std::make_shared<asio::steady_timer>(executor);
  const auto over = std::make_shared<bool>(false);
  if (strikes && (kind == Kind::cancel || kind == Kind::out_of_memory || kind == Kind::kill_agent)) {
    timer->expires_after(plan_.fault->after);
    asio::co_spawn(executor, strike_later(*this, timer, over), asio::detached);
  }
  auto running = real_.run(std::move(command), output);
  auto finished = co_await std::move(running);
  *over = true;
  variables_ = variables;
  timer->cancel();
  seen_.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  seen_.ran = true;
  seen_.variables = variables_;
  look_at_files();
  if (!finished) co_return finished;
  seen_.leftovers += finished->leftovers;
  if (strikes && kind == Kind::timeout && std::holds_alternative<process::TimedOut>(finished->ending))
    seen_.struck = true;
  if (strikes && kind == Kind::out_of_memory && seen_.struck &&
      std::holds_alternative<process::Killed>(finished->ending))
    finished->ending = process::OutOfMemory{};
  co_return finished;
}

asio::awaitable<void> TrialRunner::strike_later(TrialRunner& self, std::shared_ptr<asio::steady_timer> timer,
                                                std::shared_ptr<bool> over) {
  for (;;) {
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    if (*over) co_return;
    self.strike();
    if (self.seen_.struck) co_return;
    timer->expires_after(std::chrono::milliseconds{2});  // There is no process of the hook yet.
  }
}

void TrialRunner::strike() {
  const auto victims = processes_of_hook();
  if (victims.empty()) return;
  seen_.struck = true;
  switch (plan_.fault->kind) {
    case Kind::cancel: return cancel_job_();
    case Kind::out_of_memory: return process::signal_all(victims, SIGKILL);
    case Kind::kill_agent: ::kill(::getpid(), SIGKILL); return;
    case Kind::timeout:
    case Kind::disk_full: return;  // They have come already.
  }
}

Result<void> TrialRunner::place_given_files() {
  for (const auto& given : plan_.test.given) {
    const fs::path path = hooks::with_variables(given.path, variables_);
    if (!given_.insert(path.native()).second) continue;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (std::ofstream file{path, std::ios::binary}; !(file << given.content << std::flush))
      return Error{Fault::refused, "given: cannot write " + printable(path.native())};
  }
  return {};
}

void TrialRunner::look_at_files() {
  std::vector<hooks::FileExpectation> wanted = plan_.test.expect.files;
  if (plan_.test.expect_fault)
    wanted.insert(wanted.end(), plan_.test.expect_fault->files.begin(), plan_.test.expect_fault->files.end());
  for (const auto& file : wanted) {
    const fs::path path = hooks::with_variables(file.path, variables_);
    std::error_code error;
    auto& found = seen_.files[file.path];
    found.reset();
    if (fs::symlink_status(path, error).type() == fs::file_type::not_found || error) continue;
    const auto content = config::read_small_file(path, largest_file);
    found = content ? *content : "";  // A directory is there too.
  }
}

}  // namespace outpost::daemon
