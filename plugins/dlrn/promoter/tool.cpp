#include "plugins/dlrn/promoter/tool.hpp"

#include "agent/base/text.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// What is kept of an output: a manifest list, or a directory.
constexpr std::size_t output_limit = 4 * 1024 * 1024;

}  // namespace

std::string Said::last_line() const {
  const auto lines = split(output, '\n');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (const auto text = trim(*line); !text.empty()) return printable(text, 600);
  return "it said nothing";
}

Result<fs::path> find_tool(const std::string& name, const std::string& package) {
  const char* path = std::getenv("PATH");
  for (const auto& directory : split(path ? path : "/usr/bin:/bin", ':')) {
    const fs::path file = fs::path{directory} / name;
    if (!directory.empty() && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return Error{Fault::unavailable,
               name + " is not installed, which is needed for this promotion (package " + package + ")"};
}

asio::awaitable<Result<Said>> run_tool(process::CommandRunner& commands, fs::path program,
                                       std::vector<std::string> arguments, std::vector<std::string> environment,
                                       std::chrono::milliseconds deadline) {
  Said said;
  process::TextOutput output{[&said](std::string_view piece) {
    if (said.output.size() < output_limit) said.output += piece.substr(0, output_limit - said.output.size());
  }};
  process::Command command;
  command.name = program.filename().string();
  command.program = std::move(program);
  command.arguments = std::move(arguments);
  command.environment = std::move(environment);
  command.deadline = deadline;
  const std::string name = command.name;
  auto finished = co_await commands.run(std::move(command), output);
  if (!finished) co_return finished.error();
  if (const auto* exited = std::get_if<process::Exited>(&finished->ending)) {
    said.status = exited->status;
    co_return said;
  }
  if (std::holds_alternative<process::Cancelled>(finished->ending))
    co_return Error{Fault::cancelled, name + " was stopped"};
  const bool timed_out = std::holds_alternative<process::TimedOut>(finished->ending);
  co_return Error{Fault::retry_later,
                  name + (timed_out ? " took too long" : " was killed") + "; the last it said: " + said.last_line()};
}

}  // namespace outpost::promoter
