#include "agent/files/unpacker.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/own_programs.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace outpost::files {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;

/// Removing what was written takes seconds, even of very many files. What takes longer was stopped by somebody.
constexpr int patience_ms = 120'000;
constexpr std::size_t longest_answer = 1 << 20;

Result<pid_t> start(const fs::path& program, std::vector<std::string> words, int socket) {
  const Descriptor nothing{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  words.insert(words.begin(), program.string());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char* no_environment[] = {nullptr};

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, nothing.get(), STDOUT_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);  // What a terminal sends to our group is our business.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments.data(), no_environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return errno_error("cannot start", program.native(), error);
  return pid;
}

/// Reads to the end of the stream. Once `stop` asks for it the other side hears the end of ours, and has some time.
std::string hear(int socket, pid_t pid, const std::stop_token& stop) {
  const Descriptor wanted{::eventfd(0, EFD_CLOEXEC)};
  const std::stop_callback wake{stop, [&] { ::eventfd_write(wanted.get(), 1); }};
  std::array<pollfd, 2> events{{{socket, POLLIN, 0}, {wanted.get(), POLLIN, 0}}};
  std::string text;
  std::array<char, 4096> bytes{};
  for (int patience = -1; text.size() < longest_answer;) {
    const int ready = ::poll(events.data(), events.size(), patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ::kill(pid, SIGKILL);
      break;
    }
    if (events[1].revents != 0) {
      ::shutdown(socket, SHUT_WR);
      events[1].fd = -1;
      patience = patience_ms;
    }
    if (events[0].revents == 0) continue;
    const ssize_t got = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string end_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return std::string{"was killed by signal "} + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

/// Blocks.
Result<Unpacked> run(const fs::path& program, const fs::path& archive, const fs::path& target,
                     const UnpackLimits& limits, const std::stop_token& stop) {
  if (stop.stop_requested()) return Error{Fault::cancelled, archive.string() + ": unpacking was cancelled"};
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return errno_error("cannot start", program.native(), errno);
  Descriptor ours{sockets[0]}, theirs{sockets[1]};
  std::vector<std::string> words{archive.string(), target.string()};
  for (const std::uint64_t limit :
       {limits.bytes, limits.entries, limits.ratio, limits.ratio_from, std::uint64_t{limits.depth}})
    words.push_back(std::to_string(limit));
  const auto pid = start(program, std::move(words), theirs.get());
  if (!pid) return pid.error();
  theirs.close();
  const std::string text = hear(ours.get(), *pid, stop);
  ours.close();  // Should it still want to say something.
  const std::string end = end_of(*pid);
  if (const auto answer = parse_unpack_answer(text)) return *answer;
  fs::path draft = fs::absolute(target).lexically_normal();
  draft += ".unpacking";
  std::error_code ignored;
  fs::remove_all(draft, ignored);
  return Error{Fault::unavailable, archive.string() + ": " + program.filename().string() + " " + end +
                                       " before it had unpacked it; look for it in the system's log (out of memory?)"};
}

/// Ends when it is cancelled, and hands that on to who only knows stop tokens.
asio::awaitable<void> pass_on_cancellation(std::stop_source stop) {
  asio::steady_timer never{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
  co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
  stop.request_stop();
}

}  // namespace

asio::awaitable<Result<Unpacked>> Unpacker::unpack(fs::path archive, fs::path target, UnpackLimits limits) const {
  using namespace asio::experimental::awaitable_operators;
  std::stop_source stop;
  auto work = [program = program_, archive = std::move(archive), target = std::move(target), limits,
               token = stop.get_token()] { return run(program, archive, target, limits, token); };
  Result<Unpacked> result = Error{Fault::bug, "unpacking did not run"};
  auto unpacking = workers_->run(std::move(work));
  auto either = co_await (std::move(unpacking) || pass_on_cancellation(stop));
  if (auto* unpacked = std::get_if<0>(&either))
    result = std::move(*unpacked);
  else
    result = Error{Fault::cancelled, "unpacking was cancelled"};
  co_return result;
}

Result<fs::path> find_unpacker() { return find_own_program("outpost-unpack"); }

std::string unpack_answer(const Result<Unpacked>& outcome) {
  if (outcome) return json::serialize(json::object{{"entries", outcome->entries}, {"bytes", outcome->bytes}});
  return json::serialize(
      json::object{{"fault", static_cast<int>(outcome.error().fault)}, {"message", outcome.error().message}});
}

std::optional<Result<Unpacked>> parse_unpack_answer(std::string_view text) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // An error may name a file.
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed, {}, options);
  const auto* object = failed ? nullptr : value.if_object();
  const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
    const auto* found = object ? object->if_contains(key) : nullptr;
    boost::system::error_code is_none;
    const auto count = found ? found->to_number<std::uint64_t>(is_none) : 0;
    if (!found || is_none) return {};
    return count;
  };
  const auto entries = number("entries"), bytes = number("bytes"), fault = number("fault");
  if (entries && bytes) return Unpacked{*entries, *bytes};
  const auto* message = object ? object->if_contains("message") : nullptr;
  if (fault && *fault <= static_cast<std::uint64_t>(Fault::bug) && message && message->is_string())
    return Error{static_cast<Fault>(*fault), std::string{message->get_string()}};
  return {};
}

}  // namespace outpost::files
