// Client and server together, in the clear.
#include "world.hpp"

#include <unistd.h>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;

TEST_CASE("a request goes over TCP and its answer comes back") {
  World world;
  const auto url = world.serve(echo);
  const auto response = world.post(url + "/api?x=1", "hello");
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == "POST /api?x=1 hello");
  CHECK(response->headers.get("content-type") == "text/plain");
  CHECK(response->headers.get("X-Host") == url.substr(7));
  CHECK(response->headers.has("Date"));
}

TEST_CASE("a request goes over a unix socket, and the server knows who asked") {
  World world;
  TemporaryDirectory directory;
  const std::string path = directory.path / "api.sock";
  ListenOptions options;
  options.address = UnixAddress{path, 0600};
  std::optional<std::uint32_t> uid;
  world.serve(
      [&](ServerRequest& request) -> boost::asio::awaitable<ServerResponse> {
        uid = request.peer_uid;
        co_return co_await echo(request);
      },
      options);
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  Request request;
  request.url = "http://outpost/status";
  request.unix_socket = path;
  const auto response = world.send(request);
  REQUIRE(response);
  CHECK(response->body == "GET /status ");
  CHECK(response->headers.get("X-Host") == "outpost");
  CHECK(uid == ::getuid());
  CHECK(response->headers.get("X-Peer") == "uid " + std::to_string(::getuid()));
}
