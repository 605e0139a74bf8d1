#include "agent/http/beast/look.hpp"

#include "agent/http/beast/connector.hpp"
#include "agent/http/beast/resolve.hpp"
#include "agent/http/beast/tls_stream.hpp"

namespace outpost::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

struct Way {
  std::unique_ptr<Connector> connector;
  std::unique_ptr<Connection> connection;
};

asio::awaitable<Result<Way>> open(ClientOptions options, std::string url, milliseconds limit) {
  options.connect_timeout = limit;
  auto connector = Connector::make(std::move(options));
  if (!connector) co_return connector.error();
  auto parsed = parse_url(url);
  if (!parsed) co_return parsed.error();
  const Request nothing;
  const auto route = (*connector)->route(std::move(*parsed), nothing);
  if (!route) co_return route.error();
  auto connection = co_await (*connector)->connect(*route, limit);
  if (!connection) co_return connection.error();
  co_return Way{std::move(*connector), std::move(*connection)};
}

}  // namespace

asio::awaitable<Result<std::vector<std::string>>> addresses_of(std::string host, milliseconds limit) {
  const auto found = co_await resolve(std::move(host), 0, steady_clock::now() + limit);
  if (!found) co_return found.error();
  std::vector<std::string> addresses;
  for (const auto& endpoint : *found) addresses.push_back(endpoint.address().to_string());
  co_return addresses;
}

asio::awaitable<Result<milliseconds>> try_connection(std::string host, std::uint16_t port, milliseconds limit) {
  const auto begin = steady_clock::now();
  std::string url = "http://" + host_and_port(host, port) + "/";
  const auto way = co_await open({}, std::move(url), limit);
  if (!way) co_return way.error();
  co_return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
}

asio::awaitable<Result<PeerCertificate>> look_at_certificate(ClientOptions options, std::string url,
                                                             milliseconds limit) {
  const auto way = co_await open(std::move(options), std::move(url), limit);
  if (!way) co_return way.error();
  const auto* stream = dynamic_cast<const TlsStream*>(way->connection->stream.get());
  if (!stream) co_return Error{Fault::malformed, "the server is reached without TLS"};
  co_return stream->peer_certificate();
}

}  // namespace outpost::http
