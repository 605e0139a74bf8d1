// outpost-guardian: runs one command and leaves no process of it behind. It is a child subreaper, so every process that
// the command starts stays below it, whatever session or parent it gives itself. See guardian_protocol.hpp.

#include "agent/process/exec_request.hpp"
#include "agent/process/local/guardian_protocol.hpp"
#include "agent/process/process_tree.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace outpost::process;
using guardian::Report;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int request_file = 0, output = 1, control = 2;

/// A process in the background that ends because the command did (the `tee` of `exec > >(tee log)`) may say its last
/// words; only then is it a leftover.
constexpr milliseconds settling_time{200};

struct StartFailure {
  Report::Phase phase;
  int code;
};

/// Everything but the three descriptors of the protocol; the agent's sockets may have come along.
void close_other_descriptors() {
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
  for (int descriptor = 3; descriptor < static_cast<int>(::sysconf(_SC_OPEN_MAX)); ++descriptor) ::close(descriptor);
}

/// Gets the processor even when a fork bomb wants it too; it hardly ever wants it. Only root or CAP_SYS_NICE may;
/// others win more slowly. To be called after the fork: the command shall not inherit it.
void take_precedence() {
  sched_param priority{};
  priority.sched_priority = 1;
  if (::sched_setscheduler(0, SCHED_RR, &priority) != 0) ::setpriority(PRIO_PROCESS, 0, -20);
}

/// The command as the runner wrote it into the memory file.
std::optional<ExecRequest> read_request() {
  std::array<char, std::size_t{64} * 1024> chunk;
  std::string all;
  for (ssize_t size = 0; (size = ::read(request_file, chunk.data(), chunk.size())) > 0;)
    all.append(chunk.data(), static_cast<std::size_t>(size));
  return ExecRequest::parse(std::move(all));
}

/// The child between fork and exec.
[[noreturn]] void become_command(const ExecRequest& request, int failure_pipe, pid_t guardian) {
  const auto fail = [&](Report::Phase phase) {
    const StartFailure failure{phase, errno};
    [[maybe_unused]] const auto written = ::write(failure_pipe, &failure, sizeof failure);
    ::_exit(127);
  };
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // The second line, should the guardian be killed.
  if (::getppid() != guardian) ::_exit(127);
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(0007);
  ::dup2(output, 2);
  if (::chdir(request.directory()) != 0) fail(Report::Phase::directory);
  ::execve(request.program(), request.arguments(), request.environment());
  fail(Report::Phase::exec);
  ::_exit(127);
}

class Guardian {
 public:
  explicit Guardian(const ExecRequest& request) : request_{request}, grace_{request.grace_ms()} {}

  Report run() {
    if (!start()) return failure(Report::Phase::fork, errno);
    while (!reap()) {
      if (limit_ && Clock::now() >= *limit_) {
        exterminate();
        break;
      }
      wait();
    }
    if (const auto failed = start_failure()) return failure(failed->phase, failed->code);
    report_.value = status_.value_or(0);
    return report_;
  }

 private:
  bool start() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    signals_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    int pipe[2];
    if (signals_ < 0 || ::pipe2(pipe, O_CLOEXEC) != 0) return false;
    const pid_t self = ::getpid();
    command_ = ::fork();
    if (command_ < 0) return false;
    if (command_ == 0) become_command(request_, pipe[1], self);
    take_precedence();
    ::close(pipe[1]);
    failure_pipe_ = pipe[0];
    ::dup2(request_file, output);  // Whoever reads the pipe must not see us as a writer.
    return true;
  }

  /// What the child said before its exec; nothing when that went well. Only asked once the child has ended.
  std::optional<StartFailure> start_failure() const {
    StartFailure failed{};
    if (::read(failure_pipe_, &failed, sizeof failed) != sizeof failed) return {};
    return failed;
  }

  Report failure(Report::Phase phase, int code) {
    report_.kind = Report::Kind::not_started;
    report_.phase = phase;
    report_.value = code;
    return report_;
  }

  /// Takes in whoever has ended. True when nobody is left.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid == 0) return false;
      if (pid < 0) return errno == ECHILD;
      last_change_ = Clock::now();
      if (pid == command_) {
        status_ = status;
        if (!stopping_) limit_ = Clock::now() + settling_time;
      } else if (killing_leftovers_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        ++report_.leftovers;
      }
    }
  }

  /// Until something ends, the runner speaks or dies, or the limit passes.
  void wait() {
    pollfd events[2] = {{signals_, POLLIN, 0}, {control, POLLIN, 0}};
    int timeout = -1;
    if (limit_) {
      const auto left = std::chrono::ceil<milliseconds>(*limit_ - Clock::now());
      timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    }
    // Once it is being stopped, or settles by itself, nothing the runner says can change anything.
    const bool listening = !stopping_ && !status_;
    if (::poll(events, listening ? 2 : 1, timeout) <= 0) return;
    clear_signals();
    if (listening && events[1].revents) hear();
  }

  void clear_signals() const {
    signalfd_siginfo ignored;
    while (::read(signals_, &ignored, sizeof ignored) > 0) {
    }
  }

  void hear() {
    guardian::Stop stop;
    const auto size = ::recv(control, &stop, sizeof stop, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // A message is the request to stop; the end of file is the death of the runner, and comes to the same.
    stopping_ = true;
    report_.stopped = 1;
    limit_ = Clock::now() + grace_;
    const auto everybody = descendants(all_processes(), {::getpid()});
    signal_all(everybody, SIGTERM);
    signal_all(everybody, SIGCONT);  // A stopped process would not hear of it.
  }

  /// Kills until nobody is left, or nobody goes any more.
  void exterminate() {
    killing_leftovers_ = status_.has_value();
    Extermination extermination;
    last_change_ = Clock::now();
    while (!reap()) {
      const auto victims = descendants(all_processes(), {::getpid()});
      extermination.pass(victims);
      if (extermination.found_new()) {
        last_change_ = Clock::now();
        continue;
      }
      if (Clock::now() - last_change_ > milliseconds{guardian::stuck_after_ms}) return report_stuck(victims);
      pollfd event{signals_, POLLIN, 0};
      ::poll(&event, 1, 5);
      clear_signals();
    }
  }

  void report_stuck(const std::vector<Process>& left) {
    report_.kind = Report::Kind::stuck;
    names_of(left).copy(report_.text.data(), report_.text.size() - 1);
  }

  const ExecRequest& request_;
  const milliseconds grace_;
  Report report_;
  pid_t command_ = 0;
  int signals_ = -1, failure_pipe_ = -1;
  std::optional<int> status_;               ///< Of the command, once it has ended.
  std::optional<Clock::time_point> limit_;  ///< When those that are left will be killed.
  bool stopping_ = false, killing_leftovers_ = false;
  Clock::time_point last_change_{};
};

/// The descriptors of a message; false when there are not three.
bool take_descriptors(const msghdr& message, int (&descriptors)[3]) {
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof descriptors)) return false;
  std::memcpy(descriptors, CMSG_DATA(head), sizeof descriptors);
  return true;
}

/// The descriptors of the next guardian; ends the program when the runner is gone.
void await_order(int (&descriptors)[3]) {
  guardian::Started order;
  iovec bytes{&order, sizeof order};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof descriptors)];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  const auto size = ::recvmsg(request_file, &message, MSG_CMSG_CLOEXEC);
  if (size == sizeof order && order.magic == guardian::magic && take_descriptors(message, descriptors)) return;
  ::_exit(size == 0 ? 0 : 64);
}

/// Forks a guardian for each message. Returns in the guardians only.
void serve() {
  ::setpgid(0, 0);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const guardian::Started ready;
  ::send(request_file, &ready, sizeof ready, MSG_NOSIGNAL);
  for (;;) {
    int descriptors[3];
    await_order(descriptors);
    // Not fork(): the guardian shall be a child of the runner, which waits for it and inherits what it leaves.
    const auto forked = ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    guardian::Started started;
    started.pid = forked < 0 ? -errno : ::getpid();
    if (forked <= 0) ::send(descriptors[control], &started, sizeof started, MSG_NOSIGNAL);
    if (forked == 0) {
      for (int number = 0; number < 3; ++number) ::dup2(descriptors[number], number);
      return close_other_descriptors();
    }
    for (const int descriptor : descriptors) ::close(descriptor);
  }
}

/// The agent keeps itself small, and is the last that the kernel ends when memory runs out; what it runs is neither.
void shed_limits_of_agent() {
  rlimit data{};
  if (::getrlimit(RLIMIT_DATA, &data) == 0) {
    data.rlim_cur = data.rlim_max;
    ::setrlimit(RLIMIT_DATA, &data);
  }
  if (const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
    [[maybe_unused]] const auto written = ::write(score, "0", 1);
    ::close(score);
  }
}

}  // namespace

int main(int count, char** arguments) {
  shed_limits_of_agent();  // While /proc still shows us as our own.
  ::prctl(PR_SET_DUMPABLE, 0);  // The command may be the same user; it shall not trace us or open our descriptors.
  close_other_descriptors();
  if (count == 2 && std::strcmp(arguments[1], guardian::serve) == 0) serve();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::setpgid(0, 0);  // What a terminal sends to the agent's group is the agent's business.
  const auto request = read_request();
  if (!request) {
    constexpr char usage[] = "outpost-guardian is started by outpostd; it is of no use by itself\n";
    [[maybe_unused]] const auto written = ::write(control, usage, sizeof usage - 1);
    return 64;
  }
  const int nothing = ::open("/dev/null", O_RDWR);  // The command's stdin. Not close-on-exec once it is descriptor 0.
  if (nothing < 0 || ::dup2(nothing, request_file) < 0) return 71;
  ::close(nothing);
  const Report report = Guardian{*request}.run();
  ::send(control, &report, sizeof report, MSG_NOSIGNAL);
  return 0;
}
