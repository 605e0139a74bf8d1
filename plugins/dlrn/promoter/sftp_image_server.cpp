#include "plugins/dlrn/promoter/image_server.hpp"

#include "agent/base/text.hpp"
#include "plugins/dlrn/promoter/ssh.hpp"

namespace outpost::promoter {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes limit{3};
/// ssh itself has failed: network, host key, login. Everything else is a command of the batch.
constexpr int no_connection = 255;

/// As sftp reads a name in a line.
std::string in_quotes(std::string_view name) {
  std::string text = "\"";
  for (const char byte : name) {
    // It takes * ? [ for patterns even in quotes.
    if (std::string_view{"\"\\*?["}.find(byte) != std::string_view::npos) text += '\\';
    text += byte;
  }
  return text + "\"";
}

/// What it printed, without the commands that it repeats.
std::vector<std::string> lines_of(const Said& said) {
  std::vector<std::string> lines;
  for (const auto& line : split(said.output, '\n'))
    if (const auto text = trim(line); !text.empty() && !text.starts_with("sftp>")) lines.emplace_back(text);
  return lines;
}

bool says_absent(const Said& said) {
  return to_lower(said.output).find("no such file") != std::string::npos ||
         to_lower(said.output).find("not found") != std::string::npos;
}

}  // namespace

Result<std::unique_ptr<SftpImageServer>> SftpImageServer::make(process::CommandRunner& commands, ImageHost host) {
  auto program = find_tool("sftp", "openssh-client, or openssh-clients");
  if (!program) return program.error();
  auto directory = PrivateDirectory::make("outpost-promote");
  if (!directory) return directory.error();
  return std::unique_ptr<SftpImageServer>{
      new SftpImageServer{commands, *std::move(program), *std::move(directory), std::move(host)}};
}

std::string SftpImageServer::text() const {
  return ssh_address(host_) + ":" + host_.directory;
}

std::string SftpImageServer::path(const std::string& name) const { return in_quotes(host_.directory + "/" + name); }

asio::awaitable<Result<Said>> SftpImageServer::batch(std::string commands) {
  const auto file = directory_.write("batch", commands);
  if (!file) co_return file.error();
  std::vector<std::string> arguments{"-b", file->string()};
  for (auto& option : ssh_options(host_)) arguments.push_back(std::move(option));
  arguments.push_back(ssh_address(host_));
  auto environment = ssh_environment();
  auto running = run_tool(commands_, program_, std::move(arguments), std::move(environment), limit);
  auto said = co_await std::move(running);
  if (!said || said->status != no_connection) co_return said;
  co_return Error{is_not_let_in(said->output) ? Fault::credentials : Fault::retry_later,
                  text() + ": " + said->last_line()};
}

asio::awaitable<Result<std::vector<std::string>>> SftpImageServer::list(std::string hash) {
  std::string commands = "ls -1a " + path(hash) + "\n";
  const auto said = co_await batch(std::move(commands));
  if (!said) co_return said.error();
  if (said->status != 0 && says_absent(*said)) co_return Error{Fault::refused, text() + "/" + hash + " does not exist"};
  if (said->status != 0) co_return Error{Fault::retry_later, text() + ": " + said->last_line()};
  std::vector<std::string> names;
  for (const auto& line : lines_of(*said)) {
    const std::string name = fs::path{line}.filename().string();
    if (name != "." && name != "..") names.push_back(name);
  }
  co_return names;
}

asio::awaitable<Result<std::optional<std::string>>> SftpImageServer::link(std::string label) {
  // sftp has no word for reading a link, but it goes into a directory by its real name, and says that.
  std::string commands = "cd " + path(label) + "\npwd\n";
  const auto said = co_await batch(std::move(commands));
  if (!said) co_return said.error();
  if (said->status != 0 && says_absent(*said)) co_return std::optional<std::string>{};
  if (said->status != 0) co_return Error{Fault::retry_later, text() + ": " + said->last_line()};
  const auto lines = lines_of(*said);
  const std::string name = lines.empty() ? "" : fs::path{lines.back()}.filename().string();
  if (name.empty()) co_return Error{Fault::malformed, text() + "/" + label + ": sftp did not say where it leads"};
  if (name == label) co_return Error{Fault::refused, text() + "/" + label + " is not a link; move it away"};
  co_return std::optional{name};
}

asio::awaitable<Result<void>> SftpImageServer::set_link(std::string label, std::string hash) {
  const std::string beside = path("." + label + ".outpost");
  // A rename by OpenSSH replaces what is there, in one go.
  std::string commands =
      "-rm " + beside + "\nsymlink " + in_quotes(hash) + " " + beside + "\nrename " + beside + " " + path(label) + "\n";
  const auto said = co_await batch(std::move(commands));
  if (!said) co_return said.error();
  if (said->status != 0) co_return Error{Fault::retry_later, text() + "/" + label + ": " + said->last_line()};
  co_return Result<void>{};
}

asio::awaitable<Result<void>> SftpImageServer::remove_link(std::string label) {
  std::string commands = "rm " + path(label) + "\n";
  const auto said = co_await batch(std::move(commands));
  if (!said) co_return said.error();
  if (said->status != 0 && !says_absent(*said))
    co_return Error{Fault::retry_later, text() + "/" + label + ": " + said->last_line()};
  co_return Result<void>{};
}

asio::awaitable<Result<void>> SftpImageServer::name_directory(std::string from, std::string hash) {
  std::string commands = "rename " + path(from) + " " + path(hash) + "\n";
  const auto said = co_await batch(std::move(commands));
  if (!said) co_return said.error();
  if (said->status != 0) co_return Error{Fault::retry_later, text() + "/" + hash + ": " + said->last_line()};
  co_return Result<void>{};
}

}  // namespace outpost::promoter
