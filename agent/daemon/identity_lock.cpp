#include "agent/daemon/identity_lock.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace outpost::daemon {

namespace {

int open_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

/// A leading zero byte makes the name abstract.
std::pair<sockaddr_un, socklen_t> address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

std::string holder_of(const sockaddr* address, socklen_t size) {
  const Descriptor asking{open_socket()};
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::connect(asking.get(), address, size) != 0 || ::getsockopt(asking.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return "another agent on this host";
  return "another agent on this host (process " + std::to_string(peer.pid) + ", uid " + std::to_string(peer.uid) + ")";
}

}  // namespace

Result<std::shared_ptr<void>> IdentityLocks::hold(const std::string& client_id, const std::string& url) {
  const std::string name = "outpost-agent/" + sha256_hex(url + "\n" + client_id);
  if (auto ours = held_[name].lock()) return ours;
  auto socket = std::make_shared<Descriptor>(open_socket());
  const auto [address, size] = address_of(name);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket->get(), generic, size) != 0) {
    if (errno != EADDRINUSE) return errno_error("cannot hold the identity", client_id, errno);
    return Error{Fault::refused, printable(client_id, 200) + " at " + printable(url, 200) + " is the identity of " + holder_of(generic, size) +
                                     " too; two agents would claim jobs for the same lab: stop that one, or give each a remoteci of its own"};
  }
  if (::listen(socket->get(), 8) != 0) return errno_error("cannot hold the identity", client_id, errno);
  std::shared_ptr<void> token = std::move(socket);
  held_[name] = token;
  return token;
}

}  // namespace outpost::daemon
