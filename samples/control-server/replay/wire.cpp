#include "samples/control-server/replay/wire.hpp"

#include "agent/base/text.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

namespace outpost::replay {
namespace {

class Socket {
 public:
  Socket() = default;
  ~Socket() {
    if (number_ >= 0) ::close(number_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  Result<void> connect(const std::string& host, std::uint16_t port, std::chrono::seconds limit) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const auto service = std::to_string(port);
    if (const int code = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found); code != 0)
      return Error{Fault::retry_later, host + ": " + ::gai_strerror(code)};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
    for (const auto* address = found; address; address = address->ai_next) {
      number_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const timeval wait{limit.count(), 0};
      ::setsockopt(number_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
      ::setsockopt(number_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
      if (::connect(number_, address->ai_addr, address->ai_addrlen) == 0) return {};
      ::close(std::exchange(number_, -1));
    }
    return errno_error("connect to", host + ":" + service, errno);
  }

  /// False when the other side wants no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(number_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Appends some bytes; false at the end or on an error.
  bool receive(std::string& to) {
    std::array<char, 64 * 1024> piece;
    for (;;) {
      const auto got = ::recv(number_, piece.data(), piece.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      to.append(piece.data(), static_cast<std::size_t>(got));
      return true;
    }
  }

  /// Whether the server has begun to answer.
  bool answered() {
    pollfd entry{number_, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
  }

 private:
  int number_ = -1;
};

std::string head_of(const WireRequest& request) {
  auto head = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  return head + "Connection: close\r\n\r\n";
}

std::string chunk(std::string_view bytes) {
  std::array<char, 32> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return size.data() + std::string{bytes} + "\r\n";
}

void send_body(Socket& socket, const WireRequest& request) {
  const bool chunked = equal_ignoring_case(request.headers.get("Transfer-Encoding"), "chunked");
  constexpr std::size_t piece = 256 * 1024;
  for (std::size_t at = 0; at < request.body.size(); at += piece) {
    const auto bytes = std::string_view{request.body}.substr(at, piece);
    if (!socket.send(chunked ? chunk(bytes) : std::string{bytes}) || socket.answered()) return;
  }
  if (chunked) socket.send("0\r\n\r\n");
}

std::string join_chunks(std::string_view framed, bool& complete) {
  std::string body;
  for (;;) {
    const auto line = framed.find("\r\n");
    const std::size_t size =
        line == std::string_view::npos ? 0 : std::strtoull(std::string{framed.substr(0, line)}.c_str(), nullptr, 16);
    complete = line != std::string_view::npos && framed.size() >= line + 2 + size;
    if (!complete || size == 0) return body;
    body += framed.substr(line + 2, size);
    framed.remove_prefix(std::min<std::size_t>(framed.size(), line + 2 + size + 2));
  }
}

}  // namespace

Result<WireAnswer> exchange(const std::string& host, std::uint16_t port, const WireRequest& request,
                            std::chrono::seconds limit) {
  Socket socket;
  if (auto connected = socket.connect(host, port, limit); !connected) return connected.error();
  if (socket.send(head_of(request))) send_body(socket, request);
  std::string bytes;
  std::size_t end = std::string::npos;
  for (;;) {
    while ((end = bytes.find("\r\n\r\n")) == std::string::npos)
      if (!socket.receive(bytes))
        return Error{Fault::retry_later, "the server closed the connection without an answer"};
    if (!bytes.starts_with("HTTP/1.1 100")) break;
    bytes.erase(0, end + 4);
  }
  WireAnswer answer;
  const auto lines = split(replace_all(bytes.substr(0, end), "\r\n", "\n"), '\n');
  if (lines.front().size() < 12) return Error{Fault::malformed, "the answer is not HTTP"};
  answer.status = std::atoi(lines.front().c_str() + 9);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto colon = lines[i].find(':');
    if (colon != std::string::npos)
      answer.headers.add(lines[i].substr(0, colon), std::string{trim(lines[i].substr(colon + 1))});
  }
  bytes.erase(0, end + 4);
  answer.chunked = equal_ignoring_case(answer.headers.get("Transfer-Encoding"), "chunked");
  if (request.method == "HEAD" || answer.status == 204 || answer.status == 304) return answer;
  const auto length = answer.headers.get("Content-Length");
  const auto promised = length.empty() ? std::string::npos : std::strtoull(std::string{length}.c_str(), nullptr, 10);
  while (bytes.size() < promised && socket.receive(bytes)) {
  }
  answer.complete = length.empty() || bytes.size() == promised;
  answer.body = answer.chunked ? join_chunks(bytes, answer.complete) : std::move(bytes);
  return answer;
}

}  // namespace outpost::replay
