#pragma once

#include "agent/base/result.hpp"
#include "agent/http/beast/connection.hpp"
#include "agent/http/client.hpp"
#include "agent/http/url.hpp"

#include <memory>
#include <optional>
#include <string>

namespace outpost::http {

/// The way to one origin. Two requests with the same key may share a connection.
struct Route {
  Url url;
  std::string unix_socket;
  const ProxyUrl* proxy = nullptr;  ///< Null: directly.
  bool refuse_local = false;

  /// An http URL through a proxy: the proxy reads the request itself and gets the whole URL (RFC 9112 §3.2.2).
  [[nodiscard]] bool in_absolute_form() const { return proxy && !url.is_tls(); }
  [[nodiscard]] std::string key() const;
  /// "api.example.org:443 through the proxy proxy.lab:3128", for messages.
  [[nodiscard]] std::string name() const;
};

/// "Basic ..." of RFC 7617, or empty when the proxy's URL names no user.
[[nodiscard]] std::string proxy_authorization(const ProxyUrl& proxy);

/// Makes connections: looks the name up, connects, asks the proxy, and shakes hands for TLS.
class Connector {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Connector>> make(ClientOptions options);
  ~Connector();

  [[nodiscard]] Route route(Url url, const Request& request) const;
  /// Errors are complete sentences that name the server, and the proxy when there is one.
  boost::asio::awaitable<Result<std::unique_ptr<Connection>>> connect(const Route& route,
                                                                      std::chrono::milliseconds idle_timeout) const;

 private:
  using Deadline = SocketStream::Clock::time_point;
  explicit Connector(ClientOptions options);
  boost::asio::awaitable<Result<std::unique_ptr<Stream>>> reach(const Route& route,
                                                                std::chrono::milliseconds idle_timeout,
                                                                Deadline deadline) const;
  boost::asio::awaitable<Result<std::unique_ptr<Stream>>> dial(const Route& route,
                                                               std::chrono::milliseconds idle_timeout,
                                                               Deadline deadline) const;

  ClientOptions options_;
  std::optional<ProxyUrl> proxy_;
};

}  // namespace outpost::http
