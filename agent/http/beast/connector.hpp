#pragma once

#include "agent/base/result.hpp"
#include "agent/http/beast/connection.hpp"
#include "agent/http/beast/tls_context.hpp"
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

/// "Basic ..." (RFC 7617), or empty when the proxy's URL names no user.
[[nodiscard]] std::string proxy_authorization(const ProxyUrl& proxy);

/// A proxy that asks for credentials (407); `offered` is its Proxy-Authenticate.
[[nodiscard]] Error proxy_wants_credentials(const Route& route, std::string_view offered);

/// Makes connections: looks the name up, connects, asks the proxy, and shakes hands for TLS.
class Connector {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Connector>> make(ClientOptions options);
  ~Connector();

  /// Refused when the request does not want to reach local addresses and the URL names one.
  [[nodiscard]] Result<Route> route(Url url, const Request& request) const;
  /// Errors are complete sentences that name the server, and the proxy when there is one.
  boost::asio::awaitable<Result<std::unique_ptr<Connection>>> connect(const Route& route,
                                                                      std::chrono::milliseconds idle_timeout);

 private:
  /// How long it may take: without a byte, and altogether.
  struct Limits {
    std::chrono::milliseconds idle;
    SocketStream::Clock::time_point deadline;
  };
  using Streamed = boost::asio::awaitable<Result<std::unique_ptr<Stream>>>;

  explicit Connector(ClientOptions options);
  Result<const TlsContext*> context(std::optional<TlsContext>& made, bool with_certificate) const;
  Streamed dial(const Route& route, Limits limits) const;
  Streamed tunnel(std::unique_ptr<Stream> to_proxy, const Route& route) const;
  Streamed secure(std::unique_ptr<Stream> plain, const TlsContext& context, const std::string& host,
                  const std::string& where) const;

  ClientOptions options_;
  std::optional<ProxyUrl> proxy_;
  // Made when the first https URL comes, unless files are to be checked: the system's store costs memory.
  std::optional<TlsContext> server_tls_, proxy_tls_;  // A proxy never sees the client's certificate.
};

}  // namespace outpost::http
