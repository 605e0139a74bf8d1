#include "plugins/hooks/lint.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace outpost::hooks {
namespace {

/// What a command prints; nothing when it is not installed.
std::string output_of(std::vector<std::string> words, const std::filesystem::path& directory) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::string output;
  std::array<char, 16 * 1024> piece{};
  while (!failed) {
    const auto got = ::read(pipe[0], piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    output.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  if (!failed) ::waitpid(child, nullptr, 0);
  return output;
}

}  // namespace

Diagnoses shellcheck(const std::filesystem::path& folder, const std::vector<std::string>& scripts, const std::string& shown) {
  Diagnoses diagnoses;
  if (scripts.empty()) return diagnoses;
  // What it sources lies beside it or is not there; either way no reason to complain.
  std::vector<std::string> words{"shellcheck", "--format=json", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning", "--exclude=SC1090,SC1091", "--"};
  words.insert(words.end(), scripts.begin(), scripts.end());
  boost::system::error_code error;
  const auto answer = boost::json::parse(output_of(std::move(words), folder), error);
  if (error || !answer.is_array()) return diagnoses;
  for (const auto& item : answer.get_array()) {
    const auto* object = item.if_object();
    if (!object) continue;
    const bool is_error = job::text_at(*object, "level") == "error";
    const std::string rule = "SC" + std::to_string(job::number_at(*object, "code"));
    diagnoses.push_back({"PL013", is_error ? Severity::error : Severity::warning,
                         {shown + printable(job::text_at(*object, "file")), static_cast<int>(job::number_at(*object, "line")), static_cast<int>(job::number_at(*object, "column"))},
                         rule + ": " + printable(job::text_at(*object, "message"), 500), {}});
  }
  return diagnoses;
}

}  // namespace outpost::hooks
