#include "plugins/dlrn/promoter/tool.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/text.hpp"

#include <fcntl.h>
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

Result<PrivateDirectory> PrivateDirectory::make() {
  const char* given = std::getenv("TMPDIR");
  std::string name = std::string{given && *given ? given : "/tmp"} + "/outpost-promote-XXXXXX";
  if (!::mkdtemp(name.data())) return errno_error("cannot create", name, errno);
  return PrivateDirectory{name};
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<fs::path> PrivateDirectory::write(const std::string& name, std::string_view content) const {
  const fs::path file = path_ / name;
  const Descriptor opened{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  while (opened.is_open() && !content.empty()) {
    const auto written = ::write(opened.get(), content.data(), content.size());
    if (written <= 0) return errno_error("cannot write", file.native(), errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!opened.is_open()) return errno_error("cannot create", file.native(), errno);
  return file;
}

}  // namespace outpost::promoter
