#pragma once

#include "support/raw_peer.hpp"

#include <optional>

namespace outpost::test {

/// A small HTTP proxy: CONNECT and absolute-form requests. Every name leads to 127.0.0.1, so that tests can use any
/// host.
class Proxy {
 public:
  struct Options {
    Options() {}                // Lets it be a default argument within the class.
    std::string authorization;  ///< Asked for with 407 unless empty: "Basic dXNlcjpwYXNz".
    std::string answer;         ///< Given to every CONNECT instead of connecting, unless empty.
    SSL_CTX* tls = nullptr;     ///< The proxy itself is reached by TLS.
  };

  explicit Proxy(Options options = {}) : options_{std::move(options)} {}

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  /// The heads of all requests so far.
  [[nodiscard]] std::vector<std::string> heads() const {
    const std::lock_guard lock{mutex_};
    return heads_;
  }

 private:
  void serve(RawConnection& client) {
    if (options_.tls && !client.accept_tls(options_.tls)) return;
    for (;;) {
      std::string head = client.read_head();
      if (head.empty()) return;
      {
        const std::lock_guard lock{mutex_};
        heads_.push_back(head);
      }
      if (!options_.authorization.empty() &&
          head.find("Proxy-Authorization: " + options_.authorization + "\r\n") == head.npos) {
        client.write(
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"lab\"\r\n"
            "Content-Length: 0\r\n\r\n");
        continue;
      }
      const bool tunnel = head.starts_with("CONNECT ");
      if (tunnel && !options_.answer.empty()) {
        client.write(options_.answer);
        return;
      }
      const auto server = RawConnection::connect(port_of(head));
      if (tunnel) {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      } else {
        const auto start = head.find("http://") + 7;
        head.erase(start - 7, head.find('/', start) - start + 7);
        server->write(head);
      }
      RawConnection::relay(client, *server);
      return;
    }
  }

  static std::uint16_t port_of(const std::string& head) {
    auto start = head.find(' ') + 1;
    if (head.compare(start, 7, "http://") == 0) start += 7;
    const std::string authority = head.substr(start, head.find_first_of(" /", start) - start);
    const auto colon = authority.rfind(':');
    return colon == authority.npos ? 80 : static_cast<std::uint16_t>(std::stoi(authority.substr(colon + 1)));
  }

  Options options_;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  RawServer server_{[this](RawConnection& client, int) { serve(client); }};  // Last: its threads use the rest.
};

}  // namespace outpost::test
