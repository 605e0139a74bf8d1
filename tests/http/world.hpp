#pragma once

#include "agent/http/beast/beast_client.hpp"
#include "agent/http/beast/beast_server.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace outpost::test {

/// A loop, a server on it and a client that asks it.
struct World {
  explicit World(http::ClientOptions options = {}) {
    auto made = http::make_beast_client(std::move(options));
    REQUIRE(made);
    client = std::move(*made);
  }
  ~World() {
    client.reset();
    server->stop();
    loop.restart();
    loop.poll();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Returns "http://127.0.0.1:port".
  std::string serve(http::Handler handler, http::ListenOptions options = {}) {
    const bool tls = options.tls.has_value();
    const auto port = server->listen(std::move(options), std::move(handler));
    REQUIRE(port);
    return (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(*port);
  }

  Result<http::Response> send(http::Request request) { return await(loop, client->send(std::move(request))); }
  Result<http::Response> get(std::string url) {
    http::Request request;
    request.url = std::move(url);
    return send(std::move(request));
  }
  Result<http::Response> post(std::string url, http::Body body) {
    http::Request request;
    request.method = "POST";
    request.url = std::move(url);
    request.body = std::move(body);
    return send(std::move(request));
  }

  boost::asio::io_context loop;
  std::unique_ptr<http::Server> server = http::make_beast_server(loop.get_executor());
  std::unique_ptr<http::Client> client;
};

/// Answers with method, target and body of the request.
inline boost::asio::awaitable<http::ServerResponse> echo(http::ServerRequest& request) {
  const auto body = co_await request.read_all(64 * 1024 * 1024);
  http::ServerResponse response;
  if (!body) {
    response.status = 413;
    response.body = body.error().message;
    co_return response;
  }
  response.headers.set("Content-Type", "text/plain");
  response.headers.set("X-Peer", request.peer);
  response.headers.set("X-Host", std::string{request.headers.get("host")});
  response.body = request.method + " " + request.target + " " + *body;
  co_return response;
}

}  // namespace outpost::test
