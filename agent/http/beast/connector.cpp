#include "agent/http/beast/connector.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/http/beast/advance.hpp"
#include "agent/http/beast/no_proxy.hpp"
#include "agent/http/beast/piece_body.hpp"
#include "agent/http/beast/resolve.hpp"
#include "agent/http/beast/tls_stream.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace outpost::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

Error connect_error(error_code error, bool timed_out, const std::string& where, std::chrono::milliseconds waited) {
  if (error == asio::error::operation_aborted) return {Fault::cancelled, where + ": cancelled while connecting"};
  if (timed_out)
    return {Fault::retry_later, where + ": no answer to the connection attempt within " + format_duration(waited)};
  if (error == asio::error::connection_refused)
    return {Fault::retry_later, where + ": connection refused; nothing listens there, or a firewall rejects it"};
  return {Fault::retry_later, where + ": cannot connect: " + error.message()};
}

/// A step after the connection itself has failed.
Error step_error(const Stream& stream, error_code error, const std::string& where, const std::string& step) {
  if (const Error* known = stream.failure()) return Error{*known}.in(where);
  if (error == asio::error::operation_aborted) return {Fault::cancelled, where + ": cancelled during " + step};
  if (error == asio::error::timed_out)
    return {Fault::retry_later, where + ": no answer in time while waiting for " + step};
  if (error == asio::error::eof || error == asio::error::connection_reset || error == asio::error::broken_pipe ||
      error == boost::beast::http::error::end_of_stream || error == boost::beast::http::error::partial_message)
    return {Fault::retry_later, where + ": the connection was closed during " + step};
  const bool is_http = error.category() == make_error_code(boost::beast::http::error::bad_version).category();
  return {is_http ? Fault::malformed : Fault::retry_later, where + ": " + step + ": " + error.message()};
}

Error leads_here(const Route& route, const std::string& address) {
  return {Fault::refused, route.name() + ": refused, because it leads to the local address " + address};
}

/// What can be said without looking the name up: through a proxy, only the proxy does that.
bool is_local_name(const std::string& host) {
  error_code no_address;
  const auto address = asio::ip::make_address(host, no_address);
  return no_address ? equal_ignoring_case(host, "localhost") : is_local(address);
}

}  // namespace

std::string Route::key() const {
  std::string key = url.scheme + "://" + host_and_port(url.host, url.port);
  if (!unix_socket.empty()) key += " unix:" + unix_socket;
  if (in_absolute_form()) key = "proxy";  // Connections to it serve every http origin.
  if (refuse_local) key += " checked";
  return key;
}

std::string Route::name() const {
  if (!unix_socket.empty()) return unix_socket;
  const std::string server = host_and_port(url.host, url.port);
  return proxy ? server + " through the proxy " + proxy->name() : server;
}

std::string proxy_authorization(const ProxyUrl& proxy) {
  if (proxy.user.empty() && proxy.password.empty()) return {};
  return "Basic " + to_base64(proxy.user + ":" + proxy.password);
}

Error proxy_wants_credentials(const Route& route, std::string_view offered) {
  std::string message = route.name() + ": the proxy ";
  message += proxy_authorization(*route.proxy).empty() ? "wants a user name and a password (407)"
                                                       : "does not accept the user name and password (407)";
  message += "; set them in its URL, http://user:password@" + route.proxy->name();
  if (!offered.empty() && !to_lower(offered).starts_with("basic"))
    message += " (it asks for \"" + printable(offered, 100) + "\", but only Basic is supported)";
  return {Fault::retry_later, std::move(message)};
}

Result<std::unique_ptr<Connector>> Connector::make(ClientOptions options) {
  std::unique_ptr<Connector> connector{new Connector{std::move(options)}};
  const ClientOptions& set = connector->options_;
  if (!set.proxy.empty()) {
    auto proxy = parse_proxy_url(set.proxy);
    if (!proxy) return std::move(proxy).error();
    connector->proxy_ = std::move(*proxy);
  }
  if (!set.ca_file.empty() || !set.client_certificate.empty() || !set.client_key.empty()) {
    auto context = connector->context(connector->server_tls_, true);
    if (!context) return std::move(context).error();
  }
  return connector;
}

Connector::Connector(ClientOptions options) : options_{std::move(options)} {}
Connector::~Connector() = default;

Result<Route> Connector::route(Url url, const Request& request) const {
  Route route{std::move(url), request.unix_socket, nullptr, request.refuse_local_addresses};
  if (proxy_ && route.unix_socket.empty() && !is_exempt_from_proxy(options_.no_proxy, route.url.host, route.url.port))
    route.proxy = &*proxy_;
  if (route.refuse_local && is_local_name(route.url.host)) return leads_here(route, route.url.host);
  return route;
}

Result<const TlsContext*> Connector::context(std::optional<TlsContext>& made, bool with_certificate) const {
  if (!made) {
    auto context = TlsContext::client(options_.ca_file, with_certificate ? options_.client_certificate : "",
                                      with_certificate ? options_.client_key : "");
    if (!context) return std::move(context).error();
    made.emplace(std::move(*context));
  }
  return &*made;
}

Connector::Streamed Connector::dial(const Route& route, Limits limits) const {
  const auto executor = co_await asio::this_coro::executor;
  std::vector<SocketStream::Endpoint> endpoints;
  if (!route.unix_socket.empty()) {
    try {
      endpoints.emplace_back(asio::local::stream_protocol::endpoint{route.unix_socket});
    } catch (const boost::system::system_error& error) {
      co_return Error{Fault::unavailable, route.unix_socket + ": " + error.code().message()};
    }
  } else {
    const std::string host = route.proxy ? route.proxy->host : route.url.host;
    auto found = co_await resolve(host, route.proxy ? route.proxy->port : route.url.port, limits.deadline);
    if (!found) co_return std::move(found).error().in(route.name());
    for (const auto& endpoint : *found) {
      if (route.refuse_local && !route.proxy && is_local(endpoint.address()))
        co_return leads_here(route, endpoint.address().to_string());
      endpoints.emplace_back(endpoint);
    }
  }
  Error failed;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // Each address gets its share of the time that is left, so that a dead one does not use up the others'.
    const auto now = SocketStream::Clock::now();
    const auto share = std::max<SocketStream::Clock::duration>(limits.deadline - now, {}) / (endpoints.size() - i);
    auto stream = std::make_unique<SocketStream>(executor);
    stream->limit(limits.idle, now + share);
    const error_code error = co_await stream->connect(endpoints[i]);
    if (!error) co_return std::unique_ptr<Stream>{std::move(stream)};
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::min<SocketStream::Clock::duration>(share, limits.idle));
    failed = connect_error(error, stream->timed_out(), route.name(), waited);
    if (failed.fault == Fault::cancelled) break;
  }
  co_return failed;
}

/// Asks the proxy for a way through to the server (RFC 9110 §9.3.6).
Connector::Streamed Connector::tunnel(std::unique_ptr<Stream> to_proxy, const Route& route) const {
  const std::string server = host_and_port(route.url.host, route.url.port);
  std::string head = "CONNECT " + server + " HTTP/1.1\r\nHost: " + server + "\r\n";
  if (const auto credentials = proxy_authorization(*route.proxy); !credentials.empty())
    head += "Proxy-Authorization: " + credentials + "\r\n";
  head += "\r\n";
  Connection connection{std::move(to_proxy)};
  const Moved sent = co_await connection.stream->write(head);
  error_code error = sent.error;
  std::optional<ResponseParser> parser;
  do {
    parser.emplace();
    parser->header_limit(64 * 1024);
    parser->skip(true);  // A 2xx to CONNECT has no body, and another one's does not matter.
    while (!error && !parser->is_header_done()) error = co_await advance(connection, *parser);
  } while (!error && parser->get().result_int() / 100 == 1);
  if (error) co_return step_error(*connection.stream, error, route.name(), "the proxy's answer to CONNECT");

  const unsigned status = parser->get().result_int();
  if (status == 407) {
    const auto offered = parser->get()[boost::beast::http::field::proxy_authenticate];
    co_return proxy_wants_credentials(route, {offered.data(), offered.size()});
  }
  if (status / 100 != 2)
    co_return Error{status / 100 == 5 ? Fault::retry_later : Fault::refused,
                    route.name() + ": the proxy refused the connection: " + std::to_string(status) + " " +
                        printable(std::string_view{parser->get().reason().data(), parser->get().reason().size()}, 100)};
  if (connection.buffer.size() > 0)
    co_return Error{Fault::malformed, route.name() + ": the proxy sent something before the server could"};
  co_return std::move(connection.stream);
}

Connector::Streamed Connector::secure(std::unique_ptr<Stream> plain, const TlsContext& context, const std::string& host,
                                      const std::string& where) const {
  auto stream = std::make_unique<TlsStream>(std::move(plain), context, host);
  const error_code error = co_await stream->handshake();
  if (error) co_return step_error(*stream, error, where, "the TLS handshake");
  co_return std::unique_ptr<Stream>{std::move(stream)};
}

asio::awaitable<Result<std::unique_ptr<Connection>>> Connector::connect(const Route& route,
                                                                        std::chrono::milliseconds idle_timeout) {
  const Limits limits{idle_timeout, SocketStream::Clock::now() + options_.connect_timeout};
  auto stream = co_await dial(route, limits);
  if (!stream) co_return stream.error();
  (*stream)->socket().limit(limits.idle, limits.deadline);
  const std::string where = route.name();
  if (route.proxy && route.proxy->is_tls()) {
    const auto tls = context(proxy_tls_, false);
    if (!tls) co_return tls.error();
    const std::string proxy = route.proxy->name() + " (the proxy)";
    stream = co_await secure(std::move(*stream), **tls, route.proxy->host, proxy);
  }
  if (stream && route.proxy && route.url.is_tls()) stream = co_await tunnel(std::move(*stream), route);
  if (stream && route.url.is_tls()) {
    const auto tls = context(server_tls_, true);
    if (!tls) co_return tls.error();
    stream = co_await secure(std::move(*stream), **tls, route.url.host, where);
  }
  if (!stream) co_return stream.error();
  co_return std::make_unique<Connection>(std::move(*stream));
}

}  // namespace outpost::http
