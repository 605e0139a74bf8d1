// outpost-hook exec: one way to try things again, with its reasons in the log.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "plugins/hooks/helper/helper.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

namespace outpost::hook {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr int out_of_time = 124;
constexpr milliseconds grace = 10s, longest_pause = 5min;

/// SIGCHLD, and what whoever stops the hook sends, as bytes of a file.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set_, signal);
    ::sigprocmask(SIG_BLOCK, &set_, &before_);
    file_ = Descriptor{::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK)};
  }
  /// The next signal within so long; 0: none.
  int wait(milliseconds limit) const {
    pollfd event{file_.get(), POLLIN, 0};
    ::poll(&event, 1, static_cast<int>(std::clamp<std::int64_t>(limit.count(), 0, 3'600'000)));
    signalfd_siginfo info{};
    return ::read(file_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }
  void restore() const { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t set_{}, before_{};
  Descriptor file_{};
};

struct Attempt {
  int status = 0;
  bool stopped = false;  ///< Somebody wants all of this to end.
};

/// Runs the command once, in a group of its own so that a time limit meets what it has started too.
Attempt run_once(const std::vector<std::string>& command, std::optional<milliseconds> limit, const Signals& signals) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return {complain(unavailable, std::string{"exec: cannot make a process: "} + std::strerror(errno)), false};
  if (child == 0) {
    ::setpgid(0, 0);
    signals.restore();
    ::execvp(words[0], words.data());
    const int code = errno;
    std::fprintf(stderr, "outpost-hook: exec: %s: %s\n", words[0], std::strerror(code));
    ::_exit(code == ENOENT ? 127 : 126);
  }
  ::setpgid(child, child);
  auto end = limit ? Clock::now() + *limit : Clock::time_point::max();
  bool late = false, stopped = false;
  for (int status = 0;;) {
    if (::waitpid(child, &status, WNOHANG) == child) {
      const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      return {late ? out_of_time : code, stopped};
    }
    const auto left = end == Clock::time_point::max() ? milliseconds{1h} : std::chrono::ceil<milliseconds>(end - Clock::now());
    if (left <= 0ms) {
      ::kill(-child, late || stopped ? SIGKILL : SIGTERM);
      late = late || !stopped;
      end = Clock::now() + grace;
      continue;
    }
    const int signal = signals.wait(left);
    if (signal == 0 || signal == SIGCHLD) continue;
    stopped = true;
    ::kill(-child, signal);
  }
}

}  // namespace

int run_repeatedly(const Arguments& arguments) {
  std::optional<milliseconds> limit;
  if (const auto text = arguments.value("--timeout")) {
    const auto time = parse_time(*text);
    if (!time) return complain(usage, "exec: --timeout: " + time.error().message);
    limit = *time;
  }
  auto pause = milliseconds{1s};
  if (const auto text = arguments.value("--backoff")) {
    const auto time = parse_time(*text);
    if (!time) return complain(usage, "exec: --backoff: " + time.error().message);
    pause = *time;
  }
  unsigned retries = 0;
  if (const auto text = arguments.value("--retries")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), retries);
    if (error != std::errc{} || end != text->data() + text->size()) return complain(usage, "exec: --retries: \"" + printable(*text, 80) + "\" is no number");
  }
  const Signals signals;
  const std::string shown = printable(arguments.words[0], 200);
  for (unsigned number = 1;; ++number, pause = std::min(pause * 2, longest_pause)) {
    const auto began = Clock::now();
    const auto attempt = run_once(arguments.words, limit, signals);
    if (attempt.status == 0 || attempt.stopped) return attempt.status;
    const auto took = format_duration(std::chrono::duration_cast<milliseconds>(Clock::now() - began));
    const std::string how = attempt.status == out_of_time && limit ? "was stopped, its time was up" : "ended with status " + std::to_string(attempt.status);
    const std::string line = "exec: attempt " + std::to_string(number) + " of " + std::to_string(retries + 1) + ": " + shown + " " + how + " after " + took;
    if (number > retries) return complain(attempt.status, line);
    complain(attempt.status, line + "; again in " + format_duration(pause));
    for (const auto end = Clock::now() + pause; Clock::now() < end;)
      if (const int signal = signals.wait(std::chrono::ceil<milliseconds>(end - Clock::now())); signal != 0 && signal != SIGCHLD) return 128 + signal;
  }
}

}  // namespace outpost::hook
