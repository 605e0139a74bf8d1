#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <cstdint>
#include <string>

namespace outpost::http {

/// A bound, listening, non-blocking socket. A unix socket's file is removed with it, unless it was replaced meanwhile.
class Listener {
 public:
  [[nodiscard]] static Result<Listener> tcp(const TcpAddress& address);
  /// Replaces the file of a dead server. Refused when a server still listens there, or when it is not a socket.
  [[nodiscard]] static Result<Listener> local(const UnixAddress& address);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  [[nodiscard]] int release();  ///< The descriptor; the caller closes it.
  [[nodiscard]] int family() const { return family_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }  ///< 0 for a unix socket.

 private:
  Listener(int descriptor, int family) : descriptor_{descriptor}, family_{family} {}

  int descriptor_;
  int family_;
  std::uint16_t port_ = 0;
  std::string path_;
  std::uint64_t device_ = 0, inode_ = 0;
};

}  // namespace outpost::http
