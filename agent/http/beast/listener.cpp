#include "agent/http/beast/listener.hpp"

#include "agent/http/url.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace outpost::http {
namespace {

constexpr int socket_type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

Error listen_error(const std::string& where, int code) {
  std::string advice;
  if (code == EADDRINUSE) advice = "; another program listens there";
  if (code == EACCES) advice = "; ports below 1024 need a privilege, directories need to be writable";
  if (code == EADDRNOTAVAIL) advice = "; this machine does not have that address";
  return {Fault::unavailable, "listening on " + where + ": " + std::strerror(code) + advice};
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return Error{Fault::unavailable, "listening on " + path + ": a socket's path has 1 to " +
                                         std::to_string(sizeof address.sun_path - 1) + " bytes"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// Makes room for our socket file.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return Error{Fault::refused, "listening on " + path + ": a file that is not a socket is already there"};
  const int probe = ::socket(AF_UNIX, socket_type, 0);
  if (probe < 0) return listen_error(path, errno);
  const int connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int code = errno;
  ::close(probe);
  // EAGAIN: somebody listens, with a full backlog.
  if (connected == 0 || code == EAGAIN)
    return Error{Fault::refused, "listening on " + path + ": another process already listens there; stop it first"};
  if (code != ECONNREFUSED) return listen_error(path, code);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return listen_error(path, errno);
  return {};
}

}  // namespace

Result<Listener> Listener::tcp(const TcpAddress& address) {
  const std::string where = host_and_port(address.host, address.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (code != 0) return Error{Fault::unavailable, "listening on " + where + ": " + ::gai_strerror(code)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> entry{found, &::freeaddrinfo};

  Listener listener{::socket(entry->ai_family, socket_type, 0), entry->ai_family};
  if (listener.descriptor_ < 0) return listen_error(where, errno);
  const int on = 1;
  ::setsockopt(listener.descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.descriptor_, entry->ai_addr, entry->ai_addrlen) != 0) return listen_error(where, errno);
  if (::listen(listener.descriptor_, SOMAXCONN) != 0) return listen_error(where, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener.descriptor_, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return listen_error(where, errno);
  listener.port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                     : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return listener;
}

Result<Listener> Listener::local(const UnixAddress& at) {
  const auto address = unix_address(at.path);
  if (!address) return address.error();
  const auto room = remove_stale(at.path, *address);
  if (!room) return room.error();
  Listener listener{::socket(AF_UNIX, socket_type, 0), AF_UNIX};
  if (listener.descriptor_ < 0) return listen_error(at.path, errno);
  if (::bind(listener.descriptor_, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return listen_error(at.path, errno);
  struct stat status{};
  if (::lstat(at.path.c_str(), &status) == 0) {
    listener.path_ = at.path;
    listener.device_ = status.st_dev;
    listener.inode_ = status.st_ino;
  }
  // Between bind and listen nobody can connect, so the mode is in force before the first client.
  if (::chmod(at.path.c_str(), at.mode) != 0) return listen_error(at.path, errno);
  if (::listen(listener.descriptor_, SOMAXCONN) != 0) return listen_error(at.path, errno);
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)},
      family_{other.family_},
      port_{other.port_},
      path_{std::exchange(other.path_, {})},
      device_{other.device_},
      inode_{other.inode_} {}

Listener::~Listener() {
  if (descriptor_ >= 0) ::close(descriptor_);
  struct stat status{};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
    ::unlink(path_.c_str());
}

int Listener::release() { return std::exchange(descriptor_, -1); }

}  // namespace outpost::http
