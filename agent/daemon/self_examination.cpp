#include "agent/daemon/self_examination.hpp"

#include "agent/base/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json/parse.hpp>

#include <unistd.h>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

/// 26 checks, and some of them wait for every machine of the lab.
constexpr std::chrono::minutes longest_look{5};
constexpr std::size_t longest_report = std::size_t{1} << 20;

/// The report, or why there is none. A status of 1 says that a check failed.
Result<json::object> report_of(const Result<process::Finished>& finished, const std::string& printed) {
  if (!finished) return finished.error();
  if (std::holds_alternative<process::TimedOut>(finished->ending))
    return Error{Fault::unavailable, "outpost doctor did not end within " + std::to_string(longest_look.count()) + " minutes"};
  boost::system::error_code error;
  json::value parsed = json::parse(printed, error);
  const auto* exited = std::get_if<process::Exited>(&finished->ending);
  if (error || !parsed.is_object() || !exited || exited->status > 1)
    return Error{Fault::malformed, "outpost doctor did not end well: " + printable(printed, 400)};
  return std::move(parsed.get_object());
}

}  // namespace

struct SelfExamination::State {
  process::CommandRunner& runner;
  const Clock& clock;
  Options options;

  bool running = false;
  std::optional<std::chrono::nanoseconds> ended;  ///< Since boot.
  Timestamp looked_at{};
  std::chrono::milliseconds took{0};
  std::string error;
  std::optional<json::object> report;
};

SelfExamination::SelfExamination(asio::any_io_executor executor, process::CommandRunner& runner, const Clock& clock, Options options)
    : executor_{std::move(executor)}, state_{std::make_shared<State>(State{.runner = runner, .clock = clock, .options = std::move(options)})} {}

json::object SelfExamination::found(std::chrono::seconds most_age) {
  State& state = *state_;
  const bool is_fresh = state.ended && state.clock.since_boot() - *state.ended <= std::max(most_age, least_age);
  if (!state.running && !is_fresh) {
    state.running = true;
    asio::co_spawn(executor_, look(state_), asio::detached);
  }
  return {{"running", state.running},
          {"looked_at", state.ended ? json::value(to_rfc3339(state.looked_at)) : json::value(nullptr)},
          {"took_ms", state.took.count()},
          {"error", state.error},
          {"report", state.report ? json::value(*state.report) : json::value(nullptr)}};
}

asio::awaitable<void> SelfExamination::look(std::shared_ptr<State> state) {
  process::Command command;
  command.program = state->options.program;
  command.arguments = {"doctor", "--json", "--config", state->options.configuration.string()};
  command.environment = state->options.environment;
  command.deadline = longest_look;
  command.grace = std::chrono::seconds{1};
  std::string printed;
  process::TextOutput output{[&printed](std::string_view bytes) {
    printed += bytes.substr(0, longest_report - std::min(longest_report, printed.size()));
  }};
  const auto began = state->clock.since_boot();
  const auto finished = co_await state->runner.run(std::move(command), output);
  state->running = false;
  state->ended = state->clock.since_boot();
  state->looked_at = state->clock.now();
  state->took = std::chrono::duration_cast<std::chrono::milliseconds>(*state->ended - began);
  auto report = report_of(finished, printed);
  state->error = report ? "" : printable(report.error().message);
  if (report) state->report = std::move(*report);
}

fs::path find_command_line() {
  std::error_code ignored;
  const fs::path directory = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& candidate : {directory / "outpost", directory.parent_path() / "bin/outpost"})
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  return "/usr/bin/outpost";
}

}  // namespace outpost::daemon
