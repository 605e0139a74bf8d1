#pragma once

#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace outpost::test {

/// A server that runs beside a test, killed with its owner. What it prints goes to a file.
class BackgroundProcess {
 public:
  /// Starts it, and waits until it has printed a line with `sign`, which line() is then. Throws when it ends before.
  BackgroundProcess(std::vector<std::string> arguments, const std::string& sign) {
    const std::string log = (directory_.path / "log").string();
    std::vector<char*> argv;
    for (auto& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int failed = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error{arguments[0] + " cannot be started"};
    try {
      wait_for(sign, log);
    } catch (...) {
      stop();
      throw;
    }
  }
  ~BackgroundProcess() { stop(); }
  BackgroundProcess(const BackgroundProcess&) = delete;
  BackgroundProcess& operator=(const BackgroundProcess&) = delete;

  /// Kills it, as a machine that goes away.
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] const std::string& line() const { return line_; }

 private:
  void wait_for(const std::string& sign, const std::string& log) {
    for (const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{60};
         std::chrono::steady_clock::now() < give_up;) {
      const std::string all = read_file(log);
      const auto found = all.find(sign);
      if (const auto end = found == std::string::npos ? found : all.find('\n', found); end != std::string::npos) {
        const auto begin = all.rfind('\n', found) + 1;
        line_ = all.substr(begin, end - begin);
        return;
      }
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        throw std::runtime_error{"it has ended:\n" + read_file(log)};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    throw std::runtime_error{"it is not ready after a minute:\n" + read_file(log)};
  }

  TemporaryDirectory directory_;
  pid_t pid_ = -1;
  std::string line_;
};

}  // namespace outpost::test
