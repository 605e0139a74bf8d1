// Processes that do not want to end, for the tests of the runner. Each has an alarm, so that a failing test leaves
// nothing behind for long.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <dirent.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void say(const char* text) { [[maybe_unused]] const auto written = ::write(1, text, std::strlen(text)); }

/// What a daemon does: fork, setsid, fork again; SIGTERM and SIGHUP ignored; no descriptor of ours kept.
void daemonize() {
  if (::fork() != 0) return;
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  ::setsid();
  ::alarm(120);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (int descriptor = 0; descriptor < 3; ++descriptor) ::dup2(nothing, descriptor);
  for (int descriptor = 3; descriptor < 16; ++descriptor) ::close(descriptor);
  for (;;) ::pause();
}

long tasks_of_this_user() {
  long count = 0;
  DIR* proc = ::opendir("/proc");
  while (const dirent* entry = ::readdir(proc)) count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
  ::closedir(proc);
  return count;
}

/// Forks for ever, every second child into a session of its own, up to a limit of 300 processes: then whoever is
/// killed is replaced at once. Root has no such limit, so it becomes somebody else.
[[noreturn]] void bomb() {
  rlimit limit{};
  limit.rlim_cur = limit.rlim_max = 300;
  if (::getuid() == 0) {
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0 || ::setgid(64999) != 0 || ::setuid(64999) != 0) ::_exit(1);
  } else {
    limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(tasks_of_this_user() + 300);
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0) ::_exit(1);
  }
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::alarm(60);
  say("ready\n");
  for (unsigned round = 0;; ++round) {
    if (::fork() != 0) continue;
    ::alarm(60);
    if (round % 2) ::setsid();
  }
}

}  // namespace

int main(int count, char** arguments) {
  const char* mode = count > 1 ? arguments[1] : "";
  ::alarm(120);
  if (!std::strcmp(mode, "daemons")) {
    int started[2];  // Closed by each daemon when it has become one.
    if (::pipe(started) != 0) return 1;
    for (int number = 0; number < 5; ++number) daemonize();
    ::close(started[1]);
    char byte = 0;
    if (::read(started[0], &byte, 1) != 0) return 1;
    say("ready\n");
    if (count > 2) ::pause();
    return 0;
  }
  if (!std::strcmp(mode, "stubborn")) {  // Ignores SIGTERM, and so does its child.
    ::signal(SIGTERM, SIG_IGN);
    if (::fork() == 0)
      ::alarm(120);
    else
      say("ready\n");
    for (;;) ::pause();
  }
  if (!std::strcmp(mode, "bomb")) bomb();
  if (!std::strcmp(mode, "bomb-and-exit")) {
    if (::fork() == 0) bomb();
    return 7;  // At once: the bomb grows while the guardian waits for it to settle.
  }
  if (!std::strcmp(mode, "descriptors")) {
    for (int descriptor = 0; descriptor < 1024; ++descriptor)
      if (::fcntl(descriptor, F_GETFD) >= 0) std::printf("%d\n", descriptor);
    return 0;
  }
  if (!std::strcmp(mode, "signals")) {  // Which are ignored or blocked?
    sigset_t blocked;
    ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction action{};
      if (::sigaction(signal, nullptr, &action) != 0) continue;
      if (action.sa_handler == SIG_IGN || ::sigismember(&blocked, signal) == 1) std::printf("%d\n", signal);
    }
    return 0;
  }
  std::fprintf(stderr, "unknown mode\n");
  return 2;
}
