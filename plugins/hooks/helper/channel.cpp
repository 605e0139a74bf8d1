#include "plugins/hooks/helper/channel.hpp"

#include "agent/base/text.hpp"
#include "plugins/hooks/helper/verbs.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace outpost::hook {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t longest_answer = std::size_t{1} << 20;

std::string now() {
  std::array<char, 32> text{};
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text.data(), text.size(), "%FT%TZ", &parts);
  return text.data();
}

/// An address for a path of any length: what is too long is named below its open directory.
struct Address {
  explicit Address(const std::string& path) {
    std::string name = path;
    if (name.size() >= sizeof address.sun_path) {
      const auto slash = path.rfind('/');
      directory = Descriptor{::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
      name = "/proc/self/fd/" + std::to_string(directory.get()) + path.substr(slash);
    }
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
  }
  Descriptor directory{};
  sockaddr_un address{};
};

/// Whether trying again can help: the agent is being started.
bool may_come_back(int code) { return code == ENOENT || code == ECONNREFUSED || code == ECONNRESET || code == EPIPE || code == EAGAIN || code == EINTR || code == 0; }

}  // namespace

std::string new_call_id() {
  std::array<unsigned char, 12> bytes{};
  static_cast<void>(::getrandom(bytes.data(), bytes.size(), 0));
  std::string id;
  for (const auto byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    id += digits.data();
  }
  return id;
}

void Channel::remember_trouble(int code) { trouble_ = socket_ + ": " + (code == 0 ? "the agent has closed the connection" : std::strerror(code)); }

Descriptor Channel::connect() {
  Descriptor connection{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const Address there{socket_};
  const timeval limit{.tv_sec = patience_seconds, .tv_usec = 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&there.address), sizeof there.address) != 0) {
    const int code = errno;
    connection.close();
    errno = code;
  }
  return connection;
}

bool Channel::send(const Descriptor& connection, std::string_view line, const Descriptor* file) {
  while (!line.empty()) {
    iovec bytes{const_cast<char*>(line.data()), line.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (file) {
      message.msg_control = space.data();
      message.msg_controllen = space.size();
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof(int));
      const int number = file->get();
      std::memcpy(CMSG_DATA(head), &number, sizeof number);
    }
    const auto sent = ::sendmsg(connection.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    line.remove_prefix(static_cast<std::size_t>(sent));
    file = nullptr;
  }
  return true;
}

/// The answer; nothing, with errno, when there is none. An agent that is at it says so from time to time.
std::optional<Answer> Channel::hear(const Descriptor& connection) {
  std::string text;
  for (;;) {
    pollfd event{connection.get(), POLLIN, 0};
    const int ready = ::poll(&event, 1, patience_seconds * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      errno = ETIMEDOUT;
      return std::nullopt;
    }
    std::array<char, 4096> bytes;
    const auto size = ::read(connection.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size == 0) errno = 0;
    if (size <= 0 || text.size() > longest_answer) return std::nullopt;
    text.append(bytes.data(), static_cast<std::size_t>(size));
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
      boost::system::error_code error;
      const auto line = json::parse(std::string_view{text}.substr(0, end), error);
      text.erase(0, end + 1);
      const auto* object = error ? nullptr : line.if_object();
      if (!object) return Answer{broken, "the agent's answer is no JSON", {}};
      if (object->contains("busy")) continue;
      Answer answer;
      if (const auto* status = object->if_contains("status"); status && status->is_int64()) answer.status = static_cast<int>(status->get_int64());
      if (const auto* message = object->if_contains("message"); message && message->is_string()) answer.message = message->get_string();
      if (const auto* value = object->if_contains("value")) answer.value = *value;
      return answer;
    }
  }
}

Result<Answer> Channel::call(std::string_view verb, json::object arguments, const Descriptor* file) {
  json::object request{{"v", 1}, {"id", new_call_id()}, {"verb", verb}, {"args", std::move(arguments)}};
  if (file) request["files"] = 1;
  const std::string line = json::serialize(request) + "\n";
  const auto give_up = Clock::now() + std::chrono::seconds{patience_seconds};
  for (auto pause = 20ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 1s)) {
    const Descriptor connection = connect();
    std::optional<Answer> answer;
    if (connection.is_open() && send(connection, line, file)) answer = hear(connection);
    if (answer) return *answer;
    const int code = errno;
    remember_trouble(code);
    if (!may_come_back(code) || Clock::now() + pause > give_up) break;
    const timespec wait{.tv_sec = pause.count() / 1000, .tv_nsec = pause.count() % 1000 * 1'000'000};
    ::nanosleep(&wait, nullptr);
  }
  return Error{Fault::unavailable, "the agent cannot be reached: " + trouble_};
}

Result<void> Channel::write_down(std::string_view verb, json::object arguments) const {
  const std::string path = (workspace_.empty() ? std::string{"."} : workspace_) + "/.hook-events.ndjson";
  const json::object event{{"v", 1}, {"at", now()}, {"verb", verb}, {"args", std::move(arguments)}};
  const std::string line = json::serialize(event) + "\n";
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
  if (!file.is_open()) return errno_error("cannot open", path, errno);
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return errno_error("cannot write", path, errno);
  return {};
}

}  // namespace outpost::hook
