#include "agent/doctor/command.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace outpost::doctor {
namespace {

/// Leaves out the oldest lines until so many bytes are left.
void keep_newest(std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return;
  const auto line = text.find('\n', text.size() - bytes - 1);
  text.erase(0, line == std::string::npos ? text.size() - bytes : line + 1);
}

/// Reads until the writers are gone; false when the time was over first.
bool read_all(int pipe, std::chrono::steady_clock::time_point until, Kept kept, std::string& into) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd wanted{pipe, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) <= 0) return false;
    char bytes[4096];
    const auto size = ::read(pipe, bytes, sizeof bytes);
    if (size <= 0) return true;
    const auto count = static_cast<std::size_t>(size);
    into.append(bytes, kept.newest ? count : std::min(count, kept.bytes - std::min(kept.bytes, into.size())));
    if (into.size() > 2 * kept.bytes) keep_newest(into, kept.bytes);
  }
}

}  // namespace

CommandAnswer run_command(const std::vector<std::string>& words, std::chrono::milliseconds limit, Kept kept) {
  CommandAnswer answer;
  int ends[2];
  if (words.empty() || ::pipe2(ends, O_CLOEXEC) != 0) return answer;
  const Descriptor reading{ends[0]};
  Descriptor writing{ends[1]};
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return answer;
  writing = Descriptor{-1};
  answer.ran = read_all(reading.get(), std::chrono::steady_clock::now() + limit, kept, answer.output);
  keep_newest(answer.output, kept.bytes);
  if (!answer.ran) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return answer;
}

}  // namespace outpost::doctor
