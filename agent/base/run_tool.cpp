#include "agent/base/run_tool.hpp"

#include "agent/base/units.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <limits>
#include <thread>

namespace outpost {
namespace {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;

/// Milliseconds for poll(2); -1: for ever.
int left(const Deadline& deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

/// What comes out of a pipe until nobody has its other end, or until the deadline: false.
bool read_all(int pipe, const Deadline& deadline, std::string& output) {
  std::array<char, 16 * 1024> piece{};
  for (;;) {
    pollfd readable{pipe, POLLIN, 0};
    const int ready = ::poll(&readable, 1, left(deadline));
    if (ready == 0) return false;
    if (ready < 0 && errno == EINTR) continue;
    const auto got = ::read(pipe, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    output.append(piece.data(), static_cast<std::size_t>(got));
  }
}

/// The wait status of a child; nothing when it still runs at the deadline.
std::optional<int> wait_for(pid_t child, const Deadline& deadline) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, deadline ? WNOHANG : 0);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return 0;  // Somebody ignores SIGCHLD: it has ended, how nobody knows.
    if (deadline && Clock::now() >= *deadline) return std::nullopt;
    // Only what closed its output and goes on gets here more than once.
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

}  // namespace

Result<ToolEnd> run_tool(ToolRun run) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return errno_error("cannot make a pipe for", run.words.at(0), errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, run.input.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  if (run.errors_too)
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  else
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addchdir_np(&actions, run.directory.c_str());
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  if (run.limit) ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // To be killed with its children.
  std::vector<char*> arguments;
  for (auto& word : run.words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const Deadline deadline = run.limit ? Deadline{Clock::now() + *run.limit} : std::nullopt;
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  ToolEnd end;
  const bool complete = failed == 0 && read_all(pipe[0], deadline, end.output);
  ::close(pipe[0]);
  if (failed != 0) return errno_error("cannot run", run.words.front(), failed);
  const auto status = complete ? wait_for(child, deadline) : std::nullopt;
  if (!status) {
    ::kill(-child, SIGKILL);
    (void)wait_for(child, {});
    return Error{Fault::retry_later, run.words.front() + " did not end within " + format_duration(*run.limit) + " and was killed"};
  }
  end.status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
  return end;
}

}  // namespace outpost
