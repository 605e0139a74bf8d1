#include "agent/http/beast/connector.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/http/beast/resolve.hpp"

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

Result<std::unique_ptr<Connector>> Connector::make(ClientOptions options) {
  std::unique_ptr<Connector> connector{new Connector{std::move(options)}};
  return connector;
}

Connector::Connector(ClientOptions options) : options_{std::move(options)} {}
Connector::~Connector() = default;

Route Connector::route(Url url, const Request& request) const {
  Route route{std::move(url), request.unix_socket, nullptr, request.refuse_local_addresses};
  return route;
}

asio::awaitable<Result<std::unique_ptr<Stream>>> Connector::dial(const Route& route,
                                                                 std::chrono::milliseconds idle_timeout,
                                                                 Deadline deadline) const {
  const auto executor = co_await asio::this_coro::executor;
  std::vector<SocketStream::Endpoint> endpoints;
  if (!route.unix_socket.empty()) {
    try {
      endpoints.emplace_back(asio::local::stream_protocol::endpoint{route.unix_socket});
    } catch (const boost::system::system_error& error) {
      co_return Error{Fault::unavailable, route.unix_socket + ": " + error.code().message()};
    }
  } else {
    if (route.refuse_local && is_local_name(route.url.host)) co_return leads_here(route, route.url.host);
    const std::string host = route.proxy ? route.proxy->host : route.url.host;
    auto found = co_await resolve(host, route.proxy ? route.proxy->port : route.url.port, deadline);
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
    const auto share = std::max<SocketStream::Clock::duration>(deadline - now, {}) / (endpoints.size() - i);
    auto stream = std::make_unique<SocketStream>(executor);
    stream->limit(idle_timeout, now + share);
    const error_code error = co_await stream->connect(endpoints[i]);
    if (!error) co_return std::unique_ptr<Stream>{std::move(stream)};
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::min<SocketStream::Clock::duration>(share, idle_timeout));
    failed = connect_error(error, stream->timed_out(), route.name(), waited);
    if (failed.fault == Fault::cancelled) break;
  }
  co_return failed;
}

asio::awaitable<Result<std::unique_ptr<Stream>>> Connector::reach(const Route& route,
                                                                  std::chrono::milliseconds idle_timeout,
                                                                  Deadline deadline) const {
  co_return co_await dial(route, idle_timeout, deadline);
}

asio::awaitable<Result<std::unique_ptr<Connection>>> Connector::connect(const Route& route,
                                                                        std::chrono::milliseconds idle_timeout) const {
  const auto deadline = SocketStream::Clock::now() + options_.connect_timeout;
  auto stream = co_await reach(route, idle_timeout, deadline);
  if (!stream) co_return stream.error();
  co_return std::make_unique<Connection>(std::move(*stream));
}

}  // namespace outpost::http
