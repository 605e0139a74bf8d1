#include "agent/process/local/local_command_runner.hpp"

#include "agent/base/own_programs.hpp"
#include "agent/base/text.hpp"
#include "agent/process/drain.hpp"
#include "agent/process/local/supervised_step.hpp"
#include "agent/process/local/tree_usage.hpp"
#include "agent/process/process_tree.hpp"
#include "agent/process/start_failure.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace outpost::process {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace asio::experimental::awaitable_operators;
using asio::posix::stream_descriptor;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Longer than anybody waits, short enough to be added to a time.
constexpr milliseconds for_ever = std::chrono::hours{24 * 3650};

bool is_cancelled(const asio::cancellation_state& state) { return state.cancelled() != asio::cancellation_type::none; }

/// What we asked of the guardian before it ended.
struct Stops {
  bool cancelled = false, timed_out = false;
};

/// Waits for the end of the guardian; passes on a deadline or a cancellation.
asio::awaitable<Stops> await_guardian(SupervisedStep& step, const Command& command, milliseconds patience) {
  Stops stops;
  bool stopping = false;
  asio::steady_timer timer{co_await asio::this_coro::executor, std::min(command.deadline, for_ever)};
  std::optional<Deadline::Watch> watch;
  if (command.movable) {
    timer.expires_at(command.movable->at());
    watch.emplace(*command.movable, [&] {
      if (!stopping) timer.expires_at(command.movable->at());
    });
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    const auto first = co_await (step.guardian().async_wait(as_result) || timer.async_wait(as_result));
    if (is_cancelled(co_await asio::this_coro::cancellation_state)) {
      stops.cancelled = true;
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    if (first.index() == 0 && std::get<0>(std::get<0>(first)) != asio::error::operation_aborted) co_return stops;
    const bool time_is_up = first.index() == 1 && timer.expiry() <= Clock::now();
    if (stopping && time_is_up) step.kill_guardian();
    if (!stopping && (stops.cancelled || time_is_up)) {
      stopping = true;
      stops.timed_out = !stops.cancelled;
      step.ask_to_stop();
      command.stopping(stops.timed_out);
      timer.expires_after(std::min(command.grace, for_ever) + patience);
    }
  }
}

/// Children of this process that a dead guardian has left to it, and everything below them.
std::vector<Process> orphans() {
  const auto all = all_processes();
  const pid_t self = ::getpid(), session = ::getsid(0);
  std::vector<Process> found;
  std::unordered_set<pid_t> roots;
  for (const auto& process : all)
    if (process.parent == self && process.session != session) {
      found.push_back(process);
      roots.insert(process.pid);
    }
  const auto below = descendants(all, roots);
  found.insert(found.end(), below.begin(), below.end());
  return found;
}

/// Does the work of a guardian that was killed. Says who could not be killed.
asio::awaitable<std::string> kill_orphans() {
  asio::steady_timer timer{co_await asio::this_coro::executor};
  Extermination extermination;
  auto give_up = Clock::now() + milliseconds{guardian::stuck_after_ms};
  for (;;) {
    const auto left = orphans();
    if (left.empty()) co_return "";
    if (Clock::now() > give_up) co_return "these do not die: " + names_of(left);
    extermination.pass(left);
    for (const auto& process : left)
      if (process.parent == ::getpid()) ::waitpid(process.pid, nullptr, WNOHANG);
    if (extermination.found_new()) give_up = Clock::now() + milliseconds{guardian::stuck_after_ms};
    timer.expires_after(milliseconds{extermination.found_new() ? 0 : 5});
    co_await timer.async_wait(as_result);
  }
}

bool orphans_come_here() {
  int subreaper = 0;
  ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  return subreaper != 0 || ::getpid() == 1;
}

/// The guardian has ended without a report.
asio::awaitable<Lost> clean_up_lost(std::string guardian_end, std::string last_words) {
  std::string why = "its guardian " + guardian_end;
  if (!last_words.empty()) why += ": " + last_words;
  if (!orphans_come_here()) co_return Lost{why + "; processes with a session of their own may be left"};
  const auto left = co_await kill_orphans();
  if (left.empty()) co_return Lost{why + "; its processes were killed"};
  co_return Lost{why + "; " + left};
}

Ending ending_of(const guardian::Report& report, const Stops& stops) {
  if (report.kind == guardian::Report::Kind::stuck) return Lost{"these do not die: " + std::string{report.text.data()}};
  if (stops.cancelled) return Cancelled{};
  if (stops.timed_out && report.stopped) return TimedOut{};
  if (WIFSIGNALED(report.value)) return Killed{WTERMSIG(report.value)};
  return Exited{WEXITSTATUS(report.value)};
}

Error explain(const Command& command, const guardian::Report& report) {
  if (report.phase == guardian::Report::Phase::exec) return explain_start_failure(command.program, report.value);
  const std::string_view action =
      report.phase == guardian::Report::Phase::fork ? "cannot make a process in" : "cannot enter";
  return errno_error(action, printable(command.directory.string()), report.value)
      .in(printable(command.program.string()));
}

/// A command that is being run, in the list of those.
class Entered {
 public:
  Entered(std::map<std::string, pid_t>& list, const std::string& name, pid_t guardian) : list_{list}, name_{name} {
    if (!name_.empty()) list_[name_] = guardian;
  }
  ~Entered() { list_.erase(name_); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  std::map<std::string, pid_t>& list_;
  std::string name_;
};

/// From the start to the moment when nothing is left; then tells drain() that no byte will follow.
asio::awaitable<Result<Finished>> supervise(SupervisedStep& step, const Command& command, milliseconds patience,
                                            bool& ended) {
  const auto stops = co_await await_guardian(step, command, patience);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto words = step.last_words();
  Result<Finished> result{Finished{}};
  if (!words.report) {
    auto end = step.describe_end();
    result->ending = co_await clean_up_lost(std::move(end), std::move(words.text));
  } else if (words.report->kind == guardian::Report::Kind::not_started) {
    result = explain(command, *words.report);
  } else {
    result->ending = ending_of(*words.report, stops);
    result->leftovers = words.report->leftovers;
  }
  ended = true;
  step.output().cancel();
  co_return result;
}

}  // namespace

LocalCommandRunner::LocalCommandRunner(fs::path guardian, milliseconds patience)
    : guardians_{std::make_unique<GuardianServer>(std::move(guardian))}, patience_{patience} {}
LocalCommandRunner::LocalCommandRunner(LocalCommandRunner&&) noexcept = default;
LocalCommandRunner::~LocalCommandRunner() = default;

asio::awaitable<Result<Finished>> LocalCommandRunner::run(Command command, Output& output) {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (is_cancelled(co_await asio::this_coro::cancellation_state)) co_return Finished{.ending = Cancelled{}};
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  if (has_crlf_shebang(command.program)) co_return crlf_error(command.program);
  const auto executor = co_await asio::this_coro::executor;
  auto started = SupervisedStep::start(executor, *guardians_, command);
  if (!started) co_return started.error();
  const auto step = std::move(*started);
  const Entered entered{running_, command.name, step->guardian().id()};
  bool ended = false;
  co_return co_await (supervise(*step, command, patience_, ended) && drain(step->output(), output, ended));
}

asio::awaitable<bool> LocalCommandRunner::is_part_of(Command command, pid_t process) {
  const auto guardian = running_.find(command.name);
  co_return guardian != running_.end() && descends_from(process, guardian->second);
}

Probe LocalCommandRunner::probe(const std::string& name) const {
  const auto guardian = running_.find(name);
  if (guardian == running_.end()) return {};
  return [root = guardian->second] { return usage_below(root); };
}

asio::awaitable<Left> LocalCommandRunner::look_for(Command) { co_return Left::gone; }

asio::awaitable<Result<Finished>> LocalCommandRunner::adopt(Command command, Output&) {
  co_return Error{Fault::unavailable, printable(command.name) + " has ended with the program that ran it"};
}

Result<fs::path> find_guardian() { return find_own_program("outpost-guardian"); }

Result<void> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno_error("cannot become", "a child subreaper", errno);
  return {};
}

}  // namespace outpost::process
