#include "plugins/hooks/hook_runner.hpp"

#include "agent/base/text.hpp"
#include "plugins/hooks/environment.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/step_directories.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using job::StepEnding;

StepEnding ending_of(const process::Ending& ending) {
  if (const auto* exited = std::get_if<process::Exited>(&ending)) return {StepEnding::Kind::exited, exited->status, {}};
  if (const auto* killed = std::get_if<process::Killed>(&ending)) return {StepEnding::Kind::signalled, killed->signal, {}};
  if (std::holds_alternative<process::TimedOut>(ending)) return {StepEnding::Kind::timed_out, 0, {}};
  if (std::holds_alternative<process::Cancelled>(ending)) return {StepEnding::Kind::cancelled, 0, {}};
  return {StepEnding::Kind::lost, 0, std::get<process::Lost>(ending).why};
}

Result<void> write_secret(const fs::path& path, const std::string& value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
  if (file < 0) return errno_error("cannot create", path.native(), errno);
  const ssize_t length = ::write(file, value.data(), value.size());
  const bool written = length == static_cast<ssize_t>(value.size());
  const int code = length < 0 ? errno : ENOSPC;
  ::close(file);
  if (!written) return errno_error("cannot write", path.native(), code);
  return {};
}

/// Takes the secrets away again, however the step ends.
struct Placed {
  fs::path path;
  ~Placed() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

}  // namespace

HookRunner::HookRunner(process::CommandRunner& commands, const Clock& clock, HookOptions options)
    : commands_{commands}, clock_{clock}, options_{std::move(options)} {
  std::error_code ignored;  // What an agent left that died beside a step; no step of ours runs yet.
  if (!options_.secrets_directory.empty()) fs::remove_all(options_.secrets_directory, ignored);
}

Result<std::vector<pipeline::Step>> HookRunner::steps(const job::Definition& definition, job::Stage stage) {
  std::vector<pipeline::Step> all;
  for (const auto& name : definition.plugins) {
    auto folder = find_plugin(options_.plugin_directories, name);
    if (!folder) return folder.error();
    auto steps = hooks_of(*folder, name, stage);
    if (!steps) return steps.error();
    all.insert(all.end(), steps->begin(), steps->end());
  }
  // What was set up last is taken down first.
  if (always_runs(stage)) std::reverse(all.begin(), all.end());
  return all;
}

asio::awaitable<pipeline::StepOutcome> HookRunner::run(pipeline::StepRequest request, process::Output& output) {
  const auto not_started = [](const Error& error) {
    return pipeline::StepOutcome{{StepEnding::Kind::not_started, 0, printable(error.message)}, 0};
  };
  if (auto made = make_step_directories(request); !made) co_return not_started(made.error());
  auto secrets = place_secrets(request);
  if (!secrets) co_return not_started(secrets.error());
  const Placed placed{*secrets};

  EnvironmentInputs inputs{.request = request, .secrets = *secrets, .inherited = inherited_environment(), .now = clock_.now()};
  for (const auto& name : request.story.job.definition.resources)
    if (const auto found = options_.resources.find(name); found != options_.resources.end()) inputs.resources[name] = found->second;
  process::Command command{.program = request.step.program,
                           .arguments = {},
                           .environment = hook_environment(inputs),
                           .directory = request.directory.workspace(),
                           .deadline = request.timeout,
                           .grace = request.grace};
  auto finished = co_await commands_.run(std::move(command), output);
  if (!finished) co_return not_started(finished.error());
  co_return pipeline::StepOutcome{ending_of(finished->ending), finished->leftovers};
}

Result<fs::path> HookRunner::place_secrets(const pipeline::StepRequest& request) const {
  if (options_.secrets.empty()) return fs::path{};
  const fs::path directory = options_.secrets_directory / (request.story.job.id + "." + request.step_id);
  std::error_code error;
  fs::remove_all(directory, error);  // Of an agent that died.
  fs::create_directories(options_.secrets_directory, error);
  if (error || ::mkdir(directory.c_str(), 0700) != 0)
    return errno_error("cannot create", directory.native(), error ? error.value() : errno);
  for (const auto& [name, value] : options_.secrets) {
    auto written = write_secret(directory / name, value);
    if (written) continue;
    fs::remove_all(directory, error);
    return written.error();
  }
  return directory;
}

}  // namespace outpost::hooks
