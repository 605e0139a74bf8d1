#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outpost::test {

/// A blocking connection that sends and reads exactly what a test says: for peers that misbehave. Link OpenSSL::SSL.
class RawConnection {
 public:
  explicit RawConnection(int descriptor) : descriptor_{descriptor} {}
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() {
    ::SSL_free(session_);
    close();
  }

  static std::unique_ptr<RawConnection> connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(descriptor);
      throw std::runtime_error{std::string{"connect: "} + std::strerror(errno)};
    }
    return std::make_unique<RawConnection>(descriptor);
  }

  /// Becomes the server's side of a TLS connection; false when the handshake fails.
  bool accept_tls(SSL_CTX* context) {
    session_ = ::SSL_new(context);
    ::SSL_set_fd(session_, descriptor_);
    return ::SSL_accept(session_) == 1;
  }

  /// False when the peer has closed.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = session_ ? ::SSL_write(session_, bytes.data(), static_cast<int>(bytes.size()))
                                  : ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  /// Some bytes, at most so many; empty at the end.
  std::string read_some(std::size_t most = 64 * 1024) {
    if (!kept_.empty()) return std::exchange(kept_, {});
    std::string bytes(most, '\0');
    const auto count = session_ ? ::SSL_read(session_, bytes.data(), static_cast<int>(bytes.size()))
                                : ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

  /// Up to and with `mark`, or whatever came before the end. What follows is for the next read.
  std::string read_until(std::string_view mark) {
    std::string all;
    for (;;) {
      const std::string more = read_some();
      all += more;
      const auto found = all.find(mark);
      if (found == all.npos && !more.empty()) continue;
      if (found != all.npos) {
        kept_ = all.substr(found + mark.size());
        all.resize(found + mark.size());
      }
      return all;
    }
  }
  std::string read_head() { return read_until("\r\n\r\n"); }

  std::string read_exactly(std::size_t size) {
    std::string all;
    while (all.size() < size) {
      const std::string more = read_some();
      if (more.empty()) break;
      all += more;
    }
    if (all.size() > size) {
      kept_ = all.substr(size);
      all.resize(size);
    }
    return all;
  }

  std::string read_all() {
    std::string all;
    for (std::string more = read_some(); !more.empty(); more = read_some()) all += more;
    return all;
  }

  /// False after close(), abort() or the peer's reset, without reading: the peer's bytes pile up.
  [[nodiscard]] bool is_open() const {
    pollfd state{descriptor_, 0, 0};
    return descriptor_ >= 0 && ::poll(&state, 1, 0) >= 0 && (state.revents & (POLLHUP | POLLERR)) == 0;
  }
  /// Waits so long for something to read, or the end.
  [[nodiscard]] bool is_readable(int milliseconds) const {
    pollfd state{descriptor_, POLLIN, 0};
    return ::poll(&state, 1, milliseconds) > 0;
  }
  /// Waits until one of both has something to read, or has ended.
  static bool wait_for_either(const RawConnection& left, const RawConnection& right) {
    pollfd both[2] = {{left.descriptor_, POLLIN, 0}, {right.descriptor_, POLLIN, 0}};
    return ::poll(both, 2, -1) >= 0 || errno == EINTR;
  }
  void finish_tls() { ::SSL_shutdown(session_); }  ///< Sends close_notify.
  void shutdown_send() { ::shutdown(descriptor_, SHUT_WR); }
  void wait_for_close() {
    while (!read_some().empty()) {
    }
  }
  /// Closes; a session ends without close_notify.
  void close() {
    if (const int open = descriptor_.exchange(-1); open >= 0) ::close(open);
  }
  /// Closes with a TCP reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  /// Ends every blocking call, from another thread.
  void abort() { ::shutdown(descriptor_, SHUT_RDWR); }

  /// Moves bytes between two connections in both directions until one ends.
  static void relay(RawConnection& left, RawConnection& right) {
    const auto has_more = [](RawConnection& of) {
      return !of.kept_.empty() || (of.session_ && ::SSL_pending(of.session_) > 0);
    };
    for (;;) {
      pollfd both[2] = {{left.descriptor_, POLLIN, 0}, {right.descriptor_, POLLIN, 0}};
      const bool waiting = has_more(left) || has_more(right);
      if (::poll(both, 2, waiting ? 0 : -1) < 0 && errno != EINTR) return;
      for (auto [from, to, events] :
           {std::tuple{&left, &right, both[0].revents}, std::tuple{&right, &left, both[1].revents}}) {
        if (events == 0 && !has_more(*from)) continue;
        const std::string bytes = from->read_some();
        if (bytes.empty() || !to->write(bytes)) return;
      }
    }
  }

 private:
  std::atomic<int> descriptor_;
  SSL* session_ = nullptr;
  std::string kept_;
};

/// Listens on a loopback port; every connection is served by `script` on a thread of its own.
class RawServer {
 public:
  using Script = std::function<void(RawConnection& connection, int number)>;  ///< Connections are numbered from 1.

  explicit RawServer(Script script, const char* listen_at = "127.0.0.1") : script_{std::move(script)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, listen_at, &address.sin_addr);
    socklen_t size = sizeof address;
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(descriptor_, 64) != 0 ||
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error{std::string{"raw server: "} + std::strerror(errno)};
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread{[this] { accept(); }};
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    ::shutdown(descriptor_, SHUT_RDWR);
    acceptor_.join();
    ::close(descriptor_);
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
      for (auto* connection : open_) connection->abort();
    }
    for (auto& thread : threads_) thread.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void accept() {
    for (;;) {
      const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int number = ++connections_;
      threads_.emplace_back([this, descriptor, number] { serve(descriptor, number); });
    }
  }

  void serve(int descriptor, int number) {
    // OpenSSL writes to a closed socket without MSG_NOSIGNAL. Only here: the code under test gets no such help.
    sigset_t broken_pipe;
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    RawConnection connection{descriptor};
    {
      const std::lock_guard lock{mutex_};
      if (stopping_) return;
      open_.push_back(&connection);
    }
    script_(connection, number);
    const std::lock_guard lock{mutex_};
    std::erase(open_, &connection);
  }

  Script script_;
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  bool stopping_ = false;
  std::vector<RawConnection*> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace outpost::test
