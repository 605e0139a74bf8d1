#include "agent/daemon/identity_lock.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <thread>

namespace outpost::daemon {

namespace {

int open_socket(int flags = 0) { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0); }

/// A leading zero byte makes the name abstract.
std::pair<sockaddr_un, socklen_t> address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

struct Holder {
  bool may_be_agent = true;
  std::string process;  ///< " (process 12, uid 34)", as far as it is known.
};

bool is_user_of_jobs(uid_t uid) {
  const passwd* user = ::getpwuid(uid);
  return user && std::string_view{user->pw_name}.starts_with("outpost-job-");
}

/// An agent listens from the moment on in which it has the name, and runs as nobody's job. Else any hook could keep us
/// from being started again.
Holder holder_of(const sockaddr* address, socklen_t size) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Descriptor asking{open_socket(SOCK_NONBLOCK)};
    if (::connect(asking.get(), address, size) == 0) {
      ucred peer{};
      socklen_t length = sizeof peer;
      if (::getsockopt(asking.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return {};
      return {!is_user_of_jobs(peer.uid), " (process " + std::to_string(peer.pid) + ", uid " + std::to_string(peer.uid) + ")"};
    }
    if (errno != ECONNREFUSED) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return {.may_be_agent = false, .process = {}};
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
    const auto holder = holder_of(generic, size);
    if (holder.may_be_agent)
      return Error{Fault::refused, printable(client_id, 200) + " at " + printable(url, 200) + " is the identity of another agent on this host" + holder.process +
                                       " too; two agents would claim jobs for the same lab: stop that one, or give each a remoteci of its own"};
    warn_("something that is no agent" + holder.process + " holds the name by which agents with the identity " + printable(client_id, 200) +
          " see each other: a second one would not be noticed");
    std::shared_ptr<void> token = std::make_shared<int>();
    held_[name] = token;
    return token;
  }
  if (::listen(socket->get(), 8) != 0) return errno_error("cannot hold the identity", client_id, errno);
  std::shared_ptr<void> token = std::move(socket);
  held_[name] = token;
  return token;
}

}  // namespace outpost::daemon
