#pragma once

#include "agent/process/local/local_command_runner.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace outpost::process::test {

using namespace std::chrono_literals;

/// A variable in the environment by which every process of one command can be found, whatever it has become.
struct Mark {
  std::string text = "OUTPOST_TEST_MARK=" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  static inline int count = 0;

  /// The living processes that carry it; `but` leaves one out.
  [[nodiscard]] std::set<pid_t> processes() const {
    std::set<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
      const auto name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream file{entry.path() / "environ", std::ios::binary};
      const std::string environment{std::istreambuf_iterator<char>{file}, {}};
      if (environment.find(text) != std::string::npos) found.insert(std::stoi(name));
    }
    return found;
  }
};

/// For what no event tells: looks again and again. The limit is for failures only.
template <class Predicate>
bool eventually(Predicate predicate) {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// A process of ours that has nothing to do with the command, and shall outlive it.
struct Canary {
  Canary() : pid{::fork()} {
    if (pid != 0) return;
    ::execl("/bin/sleep", "sleep", "600", nullptr);
    ::_exit(127);
  }
  ~Canary() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  Canary(const Canary&) = delete;
  Canary& operator=(const Canary&) = delete;
  [[nodiscard]] bool alive() const { return ::waitpid(pid, nullptr, WNOHANG) == 0; }
  pid_t pid;
};

inline Command program(std::filesystem::path path, std::vector<std::string> arguments, const Mark& mark) {
  return {.program = std::move(path),
          .arguments = std::move(arguments),
          .environment = {"PATH=/usr/bin:/bin", mark.text},
          .directory = "/tmp",
          .deadline = 5min,
          .grace = 20s};
}

inline Command shell(std::string script, const Mark& mark) {
  return program("/bin/sh", {"-c", std::move(script)}, mark);
}
inline Command child(std::vector<std::string> arguments, const Mark& mark) {
  return program(OUTPOST_TEST_CHILD, std::move(arguments), mark);
}

struct Run {
  Result<Finished> finished = Finished{};
  std::string output;
};

inline LocalCommandRunner local_runner() { return LocalCommandRunner{OUTPOST_GUARDIAN}; }

/// The tests of the contract, which are all but those tagged [local], run against the local adapter, and against the
/// other one in a machine that systemd runs (tests/system), with OUTPOST_TEST_RUNNER=systemd.
inline std::unique_ptr<CommandRunner> runner_under_test(boost::asio::io_context& loop) {
  const char* wanted = std::getenv("OUTPOST_TEST_RUNNER");
  if (!wanted || wanted != std::string_view{"systemd"}) return std::make_unique<LocalCommandRunner>(OUTPOST_GUARDIAN);
  return std::make_unique<SystemdCommandRunner>(loop.get_executor(), SystemdCommandRunner::Options{});
}

/// Runs a command and calls `when_ready` once its output holds "ready".
inline Run run(Command command, std::function<void(Run&, boost::asio::cancellation_signal&)> when_ready,
               CommandRunner& runner, boost::asio::io_context& loop) {
  Run run;
  boost::asio::cancellation_signal stop;
  TextOutput sink{[&](std::string_view text) {
    run.output += text;
    if (!when_ready || run.output.find("ready") == std::string::npos) return;
    std::exchange(when_ready, {})(run, stop);
  }};
  run.finished = outpost::test::await(loop, runner.run(std::move(command), sink), 120s, &stop);
  return run;
}

inline Run run(Command command, std::function<void(Run&, boost::asio::cancellation_signal&)> when_ready = {}) {
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  return run(std::move(command), std::move(when_ready), *runner, loop);
}

inline void cancel(Run&, boost::asio::cancellation_signal& stop) {
  stop.emit(boost::asio::cancellation_type::terminal);
}

/// Another process that runs a command as an agent does, and is killed at its end.
class OtherAgent {
 public:
  /// Returns once the command's output holds "ready"; the other process then does what `when_ready` says.
  OtherAgent(const Command& command, const std::function<void(Run&, boost::asio::cancellation_signal&)>& when_ready) {
    int told[2];
    REQUIRE(::pipe(told) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      run(command, [&](Run& so_far, boost::asio::cancellation_signal& stop) {
        [[maybe_unused]] const auto written = ::write(told[1], "x", 1);
        when_ready(so_far, stop);
      });
      ::_exit(0);
    }
    ::close(told[1]);  // Else the end of the agent would not be seen.
    char byte = 0;
    const auto size = ::read(told[0], &byte, 1);
    ::close(told[0]);
    REQUIRE(size == 1);
  }
  ~OtherAgent() { kill(); }
  OtherAgent(const OtherAgent&) = delete;
  OtherAgent& operator=(const OtherAgent&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
};

/// What an agent can do when its command is ready, beside cancel(): take no more of its output, or go on.
inline void take_nothing_more(Run&, boost::asio::cancellation_signal&) { ::pause(); }
inline void go_on(Run&, boost::asio::cancellation_signal&) {}

template <class T>
const T* as(const Run& run) {
  return run.finished ? std::get_if<T>(&run.finished->ending) : nullptr;
}

}  // namespace outpost::process::test
