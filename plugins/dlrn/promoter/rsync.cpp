#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"
#include "plugins/dlrn/promoter/image_carrier.hpp"
#include "plugins/dlrn/promoter/ssh.hpp"

#include <system_error>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// For tens of gigabytes over a slow line. A line that is dead ends it sooner: ssh looks every 15 seconds.
constexpr std::chrono::hours limit{6};
constexpr std::size_t names_shown = 5;
constexpr std::string_view mark = "differs: ";

// Exit statuses of rsync(1).
constexpr int cannot_talk = 2, some_not_copied = 23, not_there = 127, no_connection = 255;

/// A word of the command that rsync makes its connections with: it knows quotes, and a quote in them is written twice.
std::string as_word(const std::string& text) {
  if (text.find_first_of(" '\"") == std::string::npos) return text;
  std::string word = "'";
  for (const char byte : text) word += byte == '\'' ? std::string{"''"} : std::string{byte};
  return word + "'";
}

std::string connection_to(const ImageHost& host) {
  std::string command = "ssh";
  for (const auto& option : ssh_options(host)) command += " " + as_word(option);
  return command;
}

/// What is in a directory, not the directory itself.
std::string content_of(const ImageHost& host, const std::string& name) {
  if (!host.sftp) return (fs::absolute(host.directory) / name).string() + "/";
  // An address of IPv6 has colons of its own.
  const bool brackets = host.host.find(':') != std::string::npos && !host.host.starts_with('[');
  const std::string user = host.user.empty() ? "" : host.user + "@";
  return user + (brackets ? "[" + host.host + "]" : host.host) + ":" + host.directory + "/" + name + "/";
}

std::string who_is(const ImageHost& host) { return host.sftp ? ssh_address(host) : "this machine"; }

/// The first line with a reason; the last one only sums up.
std::string reason_in(const Said& said) {
  for (const auto& line : split(said.output, '\n')) {
    const auto text = trim(line);
    if (!text.empty() && !text.starts_with("rsync error:")) return printable(text, 600);
  }
  return said.last_line();
}

Error error_of(const Said& said, const std::string& who) {
  const std::string reason = reason_in(said);
  if (said.status == not_there || said.status == cannot_talk)
    return {Fault::unavailable, who + " does not run rsync for us (is it installed there, and may this login run "
                                      "commands?): " + reason};
  if (is_not_let_in(said.output)) return {Fault::credentials, who + ": " + reason};
  if (said.status == no_connection) return {Fault::retry_later, who + ": " + reason};
  const bool absent = said.status == some_not_copied && said.output.find("No such file") != std::string::npos;
  return {absent ? Fault::refused : Fault::retry_later, "rsync: " + reason};
}

/// The files that a comparison has named.
std::vector<std::string> names_in(const Said& said) {
  std::vector<std::string> names;
  for (const auto& line : split(said.output, '\n'))
    if (line.starts_with(mark)) names.push_back(printable(line.substr(mark.size()), 200));
  if (names.size() > names_shown) {
    const auto more = names.size() - names_shown;
    names.resize(names_shown);
    names.push_back("and " + std::to_string(more) + " more");
  }
  return names;
}

}  // namespace

Result<std::unique_ptr<Rsync>> Rsync::make(process::CommandRunner& commands, Workers& workers, ImageHost from,
                                           ImageHost to, fs::path rest) {
  auto program = find_tool("rsync", "rsync");
  if (!program) return program.error();
  if (from.sftp || to.sftp)
    if (const auto ssh = find_tool("ssh", "openssh-client, or openssh-clients"); !ssh) return ssh.error();
  return std::unique_ptr<Rsync>{
      new Rsync{commands, workers, *std::move(program), std::move(from), std::move(to), std::move(rest)}};
}

asio::awaitable<Result<void>> Rsync::carry(std::string hash, std::string as) {
  if (from_.sftp && to_.sftp) co_return co_await by_way_of_here(std::move(hash), std::move(as));
  ImageHost from = from_, to = to_;
  co_return co_await copy(std::move(from), std::move(hash), std::move(to), std::move(as));
}

asio::awaitable<Result<void>> Rsync::by_way_of_here(std::string hash, std::string as) {
  auto prepare = [rest = rest_]() -> Result<void> {
    std::error_code error;
    fs::create_directories(rest, error);
    if (error) return errno_error("cannot create", rest.native(), error.value());
    return {};
  };
  auto prepared = co_await workers_.run(std::move(prepare));
  if (!prepared) co_return prepared;
  ImageHost from = from_, here{.directory = rest_.string()}, to = to_;
  ImageHost same = here;
  std::string name = as;
  auto fetched = co_await copy(std::move(from), std::move(hash), std::move(here), std::move(name));
  if (!fetched) co_return fetched;
  name = as;
  auto put = co_await copy(std::move(same), std::move(name), std::move(to), std::move(as));
  if (!put) co_return put;
  auto clear = [rest = rest_] {
    std::error_code ignored;
    return fs::remove_all(rest, ignored);
  };
  co_await workers_.run(std::move(clear));
  co_return Result<void>{};
}

asio::awaitable<Result<Said>> Rsync::run(std::vector<std::string> arguments, std::string who) {
  auto environment = ssh_environment();
  auto running = run_tool(commands_, program_, std::move(arguments), std::move(environment), limit);
  auto said = co_await std::move(running);
  if (!said || said->status == 0) co_return said;
  co_return error_of(*said, who);
}

asio::awaitable<Result<void>> Rsync::copy(ImageHost from, std::string name, ImageHost to, std::string as) {
  const std::string source = content_of(from, name), target = content_of(to, as);
  const ImageHost& other = from.sftp ? from : to;
  // Links that lead out of the directory would publish what is not of the hash.
  std::vector<std::string> both{"--recursive", "--links", "--safe-links", "--delete", "--protect-args"};
  if (other.sftp) both.insert(both.end(), {"--rsh", connection_to(other)});
  auto copying = both;
  // What an interrupted copy, maybe of another hash, has left there is taken piece by piece, not by time and size.
  copying.insert(copying.end(), {"--times", "--perms", "--chmod=D755,F644", "--partial", "--ignore-times", "--",
                                 source, target});
  std::string who = who_is(other);
  const auto copied = co_await run(std::move(copying), std::move(who));
  if (!copied) co_return copied.error();
  auto comparing = both;
  comparing.insert(comparing.end(),
                   {"--checksum", "--dry-run", "--out-format=" + std::string{mark} + "%n", "--", source, target});
  who = who_is(other);
  const auto compared = co_await run(std::move(comparing), std::move(who));
  if (!compared) co_return compared.error();
  const auto differing = names_in(*compared);
  if (!differing.empty())
    co_return Error{Fault::retry_later,
                    target + " is not what " + source + " holds, though it was copied: " + join(differing, ", ")};
  co_return Result<void>{};
}

}  // namespace outpost::promoter
