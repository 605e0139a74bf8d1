#pragma once

#include "support/raw_peer.hpp"

#include <chrono>
#include <condition_variable>
#include <list>
#include <random>
#include <set>

#include <fcntl.h>

namespace outpost::test {

/// A network between a client and a server on loopback that fails as it is told, also in the middle of a connection.
class FaultProxy {
 public:
  /// What happens to connections, open and new, from now on.
  struct Behaviour {
    bool frozen = false;                        ///< Nothing is passed on and nothing closed: the peer has vanished.
    std::uint64_t bytes_per_second = 0;         ///< In each direction; 0: no limit.
    std::uint64_t answer_bytes_per_second = 0;  ///< Only towards the client; 0: no limit.
    std::chrono::milliseconds delay{0};         ///< Before anything is passed on.
    std::uint64_t cut_answers = 0;              ///< A connection ends after so many bytes at most towards the client...
    std::uint64_t cut_requests = 0;  ///< ... or towards the server (by chance, the same with each run; 0: not)...
    bool by_reset = false;           ///< ... with a reset instead of an end.
    unsigned copies = 1;             ///< How often each answer's bytes come.
  };

  /// Between clients that connect to `listen_at` and a server on a port of loopback.
  explicit FaultProxy(std::uint16_t server, std::string listen_at = "127.0.0.1")
      : server_{server}, listen_at_{std::move(listen_at)} {
    // Keeps the port ours while nobody listens there.
    holder_ = bound_socket(0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(holder_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    open();
  }
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy() {
    close();
    ::close(holder_);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://" + listen_at_ + ":" + std::to_string(port_); }
  /// Connections so far, and bytes passed on towards the server.
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] std::uint64_t bytes_to_server() const { return to_server_; }

  /// Connections are refused, and those that are open are reset, until open().
  void close() {
    if (listener_ < 0) return;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    listener_ = -1;
    end_connections();
  }
  void open() {
    if (listener_ >= 0) return;
    {
      const std::lock_guard lock{mutex_};
      ending_ = false;
    }
    listener_ = bound_socket(port_);
    if (::listen(listener_, 128) != 0) throw std::runtime_error{std::string{"fault proxy: "} + std::strerror(errno)};
    acceptor_ = std::thread{[this] { accept(); }};
  }

  /// The connections that are open now freeze for good: their peer is gone without a word. Or they pass on no more than
  /// so many bytes in a second. New ones work.
  void strand(std::uint64_t bytes_per_second = 0) {
    const std::lock_guard lock{mutex_};
    stranded_ = connections_;
    stranded_rate_ = bytes_per_second;
  }

  void behave(Behaviour behaviour) {
    {
      const std::lock_guard lock{mutex_};
      behaviour_ = behaviour;
    }
    changed_.notify_all();
  }

 private:
  [[nodiscard]] int bound_socket(std::uint16_t port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, listen_at_.c_str(), &address.sin_addr);
    address.sin_port = htons(port);
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error{std::string{"fault proxy: "} + std::strerror(errno)};
    return descriptor;
  }

  void accept() {
    for (;;) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const int number = ++connections_;
      const std::lock_guard lock{mutex_};
      threads_.emplace_back([this, descriptor, number] { serve(descriptor, number); });
    }
  }

  void end_connections() {
    std::list<std::thread> threads;
    {
      const std::lock_guard lock{mutex_};
      ending_ = true;
      threads.swap(threads_);
      for (auto* connection : open_) connection->abort();
    }
    changed_.notify_all();
    for (auto& thread : threads) thread.join();
  }

  void serve(int descriptor, int number) {
    RawConnection client{descriptor};
    std::unique_ptr<RawConnection> server;
    try {
      server = RawConnection::connect(server_);
    } catch (const std::runtime_error&) {
      client.reset();
      return;
    }
    {
      const std::lock_guard lock{mutex_};
      if (ending_) server->abort();
      open_.insert({&client, server.get()});
    }
    relay(client, *server, number);
    const std::lock_guard lock{mutex_};
    open_.erase(&client);
    open_.erase(server.get());
    if (ending_) client.reset();
  }

  struct Side {
    RawConnection* from;
    RawConnection* to;
    bool answers;
    std::uint64_t chance;
    std::uint64_t passed = 0;
    std::chrono::steady_clock::time_point due{};
  };

  void relay(RawConnection& client, RawConnection& server, int number) {
    std::mt19937 random{static_cast<unsigned>(number)};
    Side sides[2] = {{&client, &server, false, random()}, {&server, &client, true, random()}};
    for (;;) {
      if (!RawConnection::wait_for_either(client, server)) return;
      Behaviour now;
      {
        std::unique_lock lock{mutex_};
        const auto passes = [&] { return !behaviour_.frozen && (number > stranded_ || stranded_rate_ > 0); };
        changed_.wait(lock, [&] { return ending_ || passes(); });
        if (ending_) return;
        now = behaviour_;
        if (number <= stranded_) now.bytes_per_second = stranded_rate_;
      }
      for (auto& side : sides)
        if (!pass(side, now)) {
          if (now.by_reset) client.reset();
          return;
        }
    }
  }

  /// False when the connection ends here.
  bool pass(Side& side, const Behaviour& now) {
    const auto moment = std::chrono::steady_clock::now();
    if (moment < side.due) {  // Meanwhile the other direction may have something.
      std::this_thread::sleep_until(std::min(side.due, moment + std::chrono::milliseconds{20}));
      return true;
    }
    if (!side.from->is_readable(0)) return true;
    const auto rate =
        side.answers && now.answer_bytes_per_second > 0 ? now.answer_bytes_per_second : now.bytes_per_second;
    const auto cut = side.answers ? now.cut_answers : now.cut_requests;
    const auto last = cut > 0 ? side.chance % cut + 1 : 0;
    std::size_t most = 64 * 1024;
    if (rate > 0) most = std::max<std::size_t>(1, rate / 50);
    if (cut > 0) most = std::min<std::size_t>(most, last > side.passed ? last - side.passed : 0);
    if (most == 0) return false;
    const std::string bytes = side.from->read_some(most);
    if (bytes.empty()) return false;
    if (now.delay.count() > 0) std::this_thread::sleep_for(now.delay);
    for (unsigned copy = 0; copy < (side.answers ? now.copies : 1); ++copy)
      if (!side.to->write(bytes)) return false;
    side.passed += bytes.size();
    if (!side.answers) to_server_ += bytes.size();
    if (rate > 0) side.due = moment + std::chrono::microseconds{bytes.size() * 1'000'000 / rate};
    return true;
  }

  std::uint16_t server_, port_ = 0;
  std::string listen_at_;
  int holder_ = -1, listener_ = -1;
  std::atomic<int> connections_{0};
  std::atomic<std::uint64_t> to_server_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  Behaviour behaviour_;
  bool ending_ = false;
  int stranded_ = 0;
  std::uint64_t stranded_rate_ = 0;
  std::set<RawConnection*> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace outpost::test
