// outpost-step: what a step's unit runs, as the user of the step's slot. It starts the hook, sees to it that nothing is
// left when that has ended, and writes down what it took while its control group exists. See step_report.hpp.

#include "agent/base/descriptor.hpp"
#include "agent/process/exec_request.hpp"
#include "agent/process/systemd/own_cgroup.hpp"
#include "agent/process/systemd/sandbox.hpp"
#include "agent/process/systemd/step_report.hpp"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace outpost::process;
using outpost::Descriptor;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A process in the background that ends because the command did (the `tee` of `exec > >(tee log)`) may say its last
/// words; only then is it a leftover.
constexpr milliseconds settling_time{200};

std::string read_file(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

OwnCgroup own_cgroup() { return {read_file("/proc/self/cgroup"), "/sys/fs/cgroup"}; }

/// Nothing is open when it cannot be; stderr says so.
Descriptor open_report(const fs::path& slot) {
  Descriptor report{::open((slot / report_file).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)};
  if (!report.is_open()) std::perror("outpost-step: cannot open the report");
  return report;
}

void append_to(const Descriptor& report, const std::string& line) {
  [[maybe_unused]] const auto written = ::write(report.get(), line.data(), line.size());
}

void append_to_report(const fs::path& slot, const std::string& line) { append_to(open_report(slot), line); }

// ---- ExecStart -------------------------------------------------------------------------------------------------------

int not_started(const Descriptor& report, const char* phase, int code) {
  std::fprintf(stderr, "outpost-step: %s: %s\n", phase, std::strerror(code));
  append_to(report, std::string{"not-started "} + phase + " " + std::to_string(code) + "\n");
  return 127;
}

int not_started(const fs::path& slot, const char* phase, int code) { return not_started(open_report(slot), phase, code); }

int already_run() {
  std::fputs("outpost-step: this step has been run already; the agent starts the next one\n", stderr);
  return 127;
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Returns only when it cannot.
int become_command(const fs::path& slot, const ExecRequest& request, int output) {
  ::setsid();
  reset_signals();
  ::umask(0007);
  if (::chdir(request.directory()) != 0) return not_started(slot, "directory", errno);
  const int journal = ::fcntl(2, F_DUPFD_CLOEXEC, 3);  // For the case that the exec fails.
  if (::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) return not_started(slot, "output", errno);
  constexpr unsigned close_range_cloexec = 4;
  ::syscall(SYS_close_range, 3U, ~0U, close_range_cloexec);
  ::execve(request.program(), request.arguments(), request.environment());
  const int code = errno;
  ::dup2(journal, 2);
  return not_started(slot, "exec", code);
}

bool is_asked_to_end(const fs::path& slot) {
  std::error_code ignored;
  return fs::exists(slot / stopping_file, ignored);
}

struct Watched {
  siginfo_t end{};       ///< As waitid(2) has it.
  bool stopped = false;  ///< Somebody else than the agent wanted an end of the unit.
};

/// Until the command has ended. What the unit is asked for, everybody in it is, so nothing has to be passed on.
Watched watch(const fs::path& slot, pid_t command, const sigset_t& signals) {
  Watched watched;
  for (;;) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM && !watched.stopped && !is_asked_to_end(slot)) {
      watched.stopped = true;
      append_to_report(slot, "stopped\n");
    }
    if (signal == SIGCHLD && ::waitid(P_PID, static_cast<id_t>(command), &watched.end, WEXITED | WNOHANG) == 0 && watched.end.si_pid == command)
      return watched;
  }
}

/// As systemd tells it: systemd.exec(5), $EXIT_CODE and $EXIT_STATUS.
std::string words_of(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) return "exited " + std::to_string(end.si_status);
  const char* name = ::sigabbrev_np(end.si_status);
  return (end.si_code == CLD_DUMPED ? "dumped " : "killed ") + (name ? std::string{name} : std::to_string(end.si_status));
}

/// Until when those whom the command has left behind may go on.
Clock::time_point end_of_patience(const fs::path& slot) {
  std::ifstream file{slot / stopping_file};
  std::int64_t grace_end = 0;
  if (file >> grace_end) return Clock::time_point{milliseconds{grace_end}};  // On Linux that is CLOCK_MONOTONIC.
  return Clock::now() + settling_time;
}

void settle(const fs::path& slot) {
  const auto cgroup = own_cgroup();
  const bool asked_to_end = is_asked_to_end(slot);
  const auto patience = end_of_patience(slot);
  while (Clock::now() < patience) {
    if (cgroup.processes().size() <= 1) return;
    ::poll(nullptr, 0, 5);
  }
  auto left = cgroup.processes();
  left.erase(::getpid());
  if (left.empty()) return;
  if (!asked_to_end) append_to_report(slot, "leftovers " + std::to_string(left.size()) + "\n");
  // Whom this does not end, a fork bomb for one, systemd does.
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
}

/// Then somebody has started the unit by hand, or restarted it.
bool has_run(const fs::path& slot) { return !read_report(slot / report_file).invocation.empty(); }

int run(const fs::path& slot) {
  if (has_run(slot)) return already_run();  // No step is ever run twice.
  append_to_report(slot, "invocation " + variable("INVOCATION_ID") + "\n");
  const auto request = ExecRequest::parse(read_file(slot / step_file));
  if (!request) return not_started(slot, "request", errno == 0 ? EBADMSG : errno);
  // Also for reading: while the agent is away, for however long, the output has a reader and nobody dies of writing. It
  // stays open here until the end is written down: an agent that opens it, and then finds no end, has missed nothing.
  const int output = ::open((slot / output_file).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (output < 0) return not_started(slot, "output", errno);
  sigset_t signals;
  ::sigfillset(&signals);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  const pid_t command = ::fork();
  if (command < 0) return not_started(slot, "exec", errno);
  if (command == 0) ::_exit(become_command(slot, *request, output));
  const auto watched = watch(slot, command, signals);
  // At once: from here on somebody may kill all that is left in the unit, and with it whoever writes the whole report.
  append_to_report(slot, "exit " + words_of(watched.end) + "\n");
  if (!watched.stopped) settle(slot);  // Else whoever has stopped it decides.
  return watched.end.si_code == CLD_EXITED ? watched.end.si_status : 128 + watched.end.si_status;
}

/// What comes after this can do no more than the command itself.
int run_below_sandbox(const fs::path& slot, const std::vector<std::string>& writable) {
  const Descriptor report = open_report(slot);  // Half of a sandbox may be one in which it cannot be opened.
  auto failure = enter_sandbox(writable);
  if (auto kept = give_up_administration()) failure = std::move(kept);
  if (!failure) return run(slot);
  if (has_run(slot)) return already_run();
  std::fprintf(stderr, "outpost-step: cannot make the sandbox: %s\n", failure->what.c_str());
  return not_started(report, "sandbox", failure->code);
}

// ---- ExecStopPost ----------------------------------------------------------------------------------------------------

bool found_closed_directory = false;

/// What the command made for itself alone, the agent (which is in the group of the slot) shall read too.
int open_up(const char* path, const struct stat* status, int kind, FTW*) {
  if (status->st_uid != ::getuid()) return 0;
  const mode_t mode = status->st_mode & 07777;
  if (kind == FTW_F && (mode & S_IRGRP) == 0) ::chmod(path, mode | S_IRGRP);
  found_closed_directory = found_closed_directory || kind == FTW_DNR;
  if ((kind == FTW_D || kind == FTW_DNR) && (mode & S_IRWXG) != S_IRWXG) ::chmod(path, mode | S_IRWXU | S_IRWXG);
  return 0;
}

void open_outcome(const ExecRequest& request) {
  for (const char* directory : request.outcome()) {
    for (int depth = 0; depth < 32; ++depth) {  // One pass opens what the next can enter.
      found_closed_directory = false;
      ::nftw(directory, open_up, 32, FTW_PHYS);
      if (!found_closed_directory) break;
    }
  }
}

int report(const fs::path& slot) {
  StepReport report = read_report(slot / report_file);
  if (report.complete) return 0;  // Of the step; this is the end of a start that was refused.
  report.figures = own_cgroup().figures();
  report.result = variable("SERVICE_RESULT");
  if (report.exit_kind.empty()) {  // `run` was killed.
    report.exit_kind = variable("EXIT_CODE");
    report.exit_status = variable("EXIT_STATUS");
  }
  report.complete = true;
  const auto request = ExecRequest::parse(read_file(slot / step_file));
  if (request) open_outcome(*request);
  std::ofstream file{slot / report_file, std::ios::trunc};
  file << to_text(report) << std::flush;
  return file ? 0 : 74;
}

// ---- as whom -----------------------------------------------------------------------------------------------------------

/// systemd starts `report` as root and without the unit's sandbox, because to set that up again costs more than all that
/// it does. It is the step's user before it touches anything, and touches only what is that user's.
/// The users of slots are systemd-sysusers', in /etc/passwd: a program that is linked statically can ask nobody else.
bool become(const std::string& user) {
  std::ifstream users{"/etc/passwd"};
  for (std::string line; std::getline(users, line);) {
    if (!line.starts_with(user + ":")) continue;
    unsigned uid = 0, gid = 0;
    const auto numbers = line.find(':', user.size() + 1);
    if (numbers == std::string::npos || std::sscanf(line.c_str() + numbers, ":%u:%u:", &uid, &gid) != 2) return false;
    return ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
  }
  return false;
}

}  // namespace

int main(int count, char** given) {
  const std::vector<std::string> arguments{given + 1, given + count};
  const std::string mode = arguments.size() >= 2 ? arguments[0] : "";
  if (mode == "sandbox") return run_below_sandbox(arguments[1], {arguments.begin() + 1, arguments.end()});
  // A unit that has the capability for a sandbox gives it to all its commands.
  if (::getuid() != 0 && give_up_administration()) {
    std::perror("outpost-step: cannot give up its capability");
    return 77;
  }
  if (mode == "run" && arguments.size() == 2) return run(arguments[1]);
  if (mode == "report" && arguments.size() <= 3) {
    if (arguments.size() == 2 || become(arguments[2])) return report(arguments[1]);
    std::fprintf(stderr, "outpost-step: cannot become %s: is it in /etc/passwd? Run systemd-sysusers\n", arguments[2].c_str());
    return 77;
  }
  std::fputs("outpost-step is started by the units outpost-step@.service; it is of no use by itself\n", stderr);
  return 64;
}
