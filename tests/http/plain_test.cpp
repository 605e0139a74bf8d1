// Client and server together, in the clear.
#include "agent/base/hash.hpp"
#include "world.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fstream>
#include <set>

#include <unistd.h>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;
using boost::asio::awaitable;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OUTPOST_SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OUTPOST_SANITIZED true
#endif
#if !defined(OUTPOST_SANITIZED)
#define OUTPOST_SANITIZED false
#endif

namespace {

constexpr bool sanitized = OUTPOST_SANITIZED;

/// 64 MiB (and a little, so that no piece is even) that do not repeat within a piece.
std::string large_content() {
  std::string content;
  content.reserve(64 * 1024 * 1024 + 16);
  for (std::uint64_t i = 0; content.size() < 64 * 1024 * 1024 + 7; ++i)
    content.append(reinterpret_cast<const char*>(&i), sizeof i);
  return content;
}

std::size_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Takes a body without keeping it and answers with its hash.
awaitable<ServerResponse> hash_body(ServerRequest& request) {
  Sha256 hash;
  std::uint64_t size = 0;
  for (;;) {
    auto piece = co_await request.read_some();
    ServerResponse failed;
    failed.status = 500;
    if (!piece) co_return failed;
    if (piece->empty()) break;
    size += piece->size();
    hash.update(*piece);
  }
  ServerResponse response;
  response.body = hash.hex() + " " + std::to_string(size);
  co_return response;
}

/// A sink that hashes what it gets.
struct HashSink {
  int status = 0;
  Sha256 hash;
  std::uint64_t size = 0;

  BodySink sink() {
    BodySink made;
    made.begin = [this](const Response& head) -> Result<void> {
      status = head.status;
      return {};
    };
    made.write = [this](std::string_view bytes) -> Result<void> {
      hash.update(bytes);
      size += bytes.size();
      return {};
    };
    return made;
  }
};

Request get_request(std::string url, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.url = std::move(url);
  return request;
}

}  // namespace

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
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    uid = request.peer_uid;
    co_return co_await echo(request);
  };
  world.serve(handler, options);
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  Request request = get_request("http://outpost/status");
  request.unix_socket = path;
  const auto response = world.send(request);
  REQUIRE(response);
  CHECK(response->body == "GET /status ");
  CHECK(response->headers.get("X-Host") == "outpost");
  CHECK(uid == ::getuid());
  CHECK(response->headers.get("X-Peer") == "uid " + std::to_string(::getuid()));
}

TEST_CASE("a request reaches an IPv6 address") {
  World world;
  ListenOptions options;
  options.address = TcpAddress{"::1", 0};
  const auto port = world.server->listen(options, echo);
  if (!port) {
    WARN("not tested, no IPv6 here: " << port.error().message);
    return;
  }
  const std::string authority = "[::1]:" + std::to_string(*port);
  const auto response = world.get("http://" + authority + "/six");
  REQUIRE(response);
  CHECK(response->body == "GET /six ");
  CHECK(response->headers.get("X-Host") == authority);
  CHECK(response->headers.get("X-Peer").starts_with("[::1]:"));
}

TEST_CASE("requests to one server share a connection") {
  World world;
  std::set<std::string> peers;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    peers.insert(request.peer);
    co_return co_await echo(request);
  };
  const auto url = world.serve(handler);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(world.get(url + "/" + std::to_string(i)));
    REQUIRE(world.post(url, std::string(static_cast<std::size_t>(i) * 30'000, 'x')));
  }
  CHECK(peers.size() == 1);
}

TEST_CASE("64 MiB from a file go up and come down unchanged, in little memory") {
  World world;
  TemporaryDirectory directory;
  std::string expected;
  std::uint64_t size = 0;
  {
    const std::string content = large_content();
    write_file(directory.path / "up", "before" + content + "after");
    expected = sha256_hex(content);
    size = content.size();
  }
  const FileRange range{directory.path / "up", 6, size};
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    if (request.method == "POST") co_return co_await hash_body(request);
    ServerResponse response;
    response.body = range;
    co_return response;
  };
  const auto url = world.serve(handler);
  REQUIRE(world.post(url, "warm up"));
  const auto before = resident_bytes();

  const auto up = world.post(url, range);
  REQUIRE(up);
  CHECK(up->body == expected + " " + std::to_string(size));

  HashSink down;
  const auto fetched = await(world.loop, world.client->fetch(get_request(url), down.sink()));
  REQUIRE(fetched);
  CHECK(fetched->body.empty());
  CHECK(down.status == 200);
  CHECK(down.hash.hex() == expected);
  CHECK(down.size == size);
  if (sanitized)
    WARN("memory is not measured: a sanitizer keeps what is freed");
  else
    CHECK(resident_bytes() < before + 16 * 1024 * 1024);
}

TEST_CASE("a large body from memory is sent whole") {
  World world;
  const auto url = world.serve(hash_body);
  const std::string content = large_content();
  const auto up = world.post(url, content);
  REQUIRE(up);
  CHECK(up->body == sha256_hex(content) + " " + std::to_string(content.size()));
}

TEST_CASE("a produced body of unknown length arrives in chunks") {
  World world;
  const auto handler = [](ServerRequest&) -> awaitable<ServerResponse> {
    ServerResponse response;
    response.body = Producer{[left = 3]() mutable -> awaitable<Result<std::string>> {
      co_return left == 0 ? std::string{} : "piece" + std::to_string(left--) + " ";
    }};
    co_return response;
  };
  const auto response = world.get(world.serve(handler));
  REQUIRE(response);
  CHECK(response->headers.get("Transfer-Encoding") == "chunked");
  CHECK(response->body == "piece3 piece2 piece1 ");
}

TEST_CASE("a sink gets 2xx bodies only, and its error ends the transfer") {
  World world;
  int status = 404;
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> {
    ServerResponse response;
    response.status = status;
    response.body = std::string(100'000, 'b');
    co_return response;
  };
  const auto url = world.serve(handler);
  HashSink sink;
  const auto missing = await(world.loop, world.client->fetch(get_request(url), sink.sink()));
  REQUIRE(missing);
  CHECK(missing->body.size() == 100'000);
  CHECK(sink.status == 0);

  status = 200;
  BodySink full;
  full.begin = [](const Response&) -> Result<void> { return {}; };
  full.write = [](std::string_view) -> Result<void> { return Error{Fault::retry_later, "the disk is full"}; };
  const auto stopped = await(world.loop, world.client->fetch(get_request(url), full));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().message == "the disk is full");

  BodySink unwilling;
  unwilling.begin = [](const Response&) -> Result<void> { return Error{Fault::refused, "too large for me"}; };
  unwilling.write = full.write;
  const auto refused = await(world.loop, world.client->fetch(get_request(url), unwilling));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "too large for me");
  CHECK(world.get(url));  // Neither left a connection behind that confuses the next request.
}

TEST_CASE("an answer above the limit is an error, announced or not") {
  World world;
  bool announced = true;
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> {
    ServerResponse response;
    response.body = std::string(5000, 'x');
    response.omit_length = !announced;
    co_return response;
  };
  Request request = get_request(world.serve(handler));
  request.response_limit = 4999;
  for (const bool now : {true, false}) {
    announced = now;
    const auto response = world.send(request);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::malformed);
    CHECK(response.error().message.find("larger than") != std::string::npos);
  }
  request.response_limit = 5000;
  CHECK(world.send(request));
}

TEST_CASE("answers without a body leave the connection usable") {
  World world;
  std::set<std::string> peers;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    peers.insert(request.peer);
    ServerResponse response;
    if (request.path == "/204") response.status = 204;
    if (request.path == "/304") response.status = 304;
    response.body = "content";
    co_return response;
  };
  const auto url = world.serve(handler);
  const auto head = world.send(get_request(url, "HEAD"));
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->headers.get("Content-Length") == "7");
  CHECK(head->body.empty());
  CHECK(world.get(url + "/204")->status == 204);
  CHECK(world.get(url + "/304")->status == 304);
  CHECK(world.get(url)->body == "content");
  CHECK(peers.size() == 1);
}

TEST_CASE("the client sets the framing and its name, the caller the rest") {
  World world;
  Headers seen;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    seen = request.headers;
    co_return co_await echo(request);
  };
  const auto url = world.serve(handler);
  Request request = get_request(url, "POST");
  request.headers = {{"Host", "evil"}, {"Content-Length", "99"}, {"Transfer-Encoding", "chunked"}, {"X-Mine", "1"}};
  request.body = "abc";
  REQUIRE(world.send(request));
  CHECK(seen.get("Host") == url.substr(7));
  CHECK(seen.get("Content-Length") == "3");
  CHECK_FALSE(seen.has("Transfer-Encoding"));
  CHECK(seen.get("X-Mine") == "1");
  CHECK(seen.get("User-Agent").starts_with("outpost/"));

  request = get_request(url);
  request.headers.set("user-agent", "special");
  REQUIRE(world.send(request));
  CHECK(seen.get("User-Agent") == "special");
  CHECK_FALSE(seen.has("Content-Length"));
  REQUIRE(world.send(get_request(url, "PUT")));
  CHECK(seen.get("Content-Length") == "0");
}

TEST_CASE("a line break in a header, method or URL is refused and nothing is sent") {
  World world;
  int requests = 0;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    ++requests;
    co_return co_await echo(request);
  };
  const auto url = world.serve(handler);
  std::vector<Request> bad(6, get_request(url));
  bad[0].headers.set("X", "a\r\nEvil: 1");
  bad[1].headers.set("X\r\nEvil", "1");
  bad[2].headers.set("X", std::string("a\0b", 3));
  bad[3].method = "GET / HTTP/1.1\r\nEvil: 1\r\n\r\n";
  bad[4].url = url + "/\r\nEvil: 1";
  bad[5].headers.set("", "1");
  for (const auto& request : bad) {
    const auto response = world.send(request);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::malformed);
  }
  CHECK(requests == 0);
}

TEST_CASE("local addresses are refused when asked, however they are written") {
  World world;
  const auto url = world.serve(echo);
  REQUIRE(world.get(url));  // A kept connection must not open a back door.
  const auto port = url.substr(url.rfind(':'));
  for (const char* host : {"127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
                           "169.254.169.254", "[fe80::1]", "2130706433", "0x7f.1"}) {
    CAPTURE(host);
    Request request = get_request("http://" + std::string{host} + port + "/");
    request.refuse_local_addresses = true;
    const auto response = world.send(request);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::refused);
  }
}

TEST_CASE("a file that is missing, too short or no file is an error before anything is sent") {
  World world;
  TemporaryDirectory directory;
  int requests = 0;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    ++requests;
    co_return co_await echo(request);
  };
  const auto url = world.serve(handler);
  write_file(directory.path / "short", "12345");
  CHECK(world.post(url, FileRange{directory.path / "none", 0, 1}).error().message.find("none") != std::string::npos);
  const auto too_short = world.post(url, FileRange{directory.path / "short", 3, 3});
  REQUIRE_FALSE(too_short);
  CHECK(too_short.error().message.find("5 bytes") != std::string::npos);
  CHECK_FALSE(world.post(url, FileRange{directory.path, 0, 1}));
  CHECK(requests == 0);
  CHECK(world.post(url, FileRange{directory.path / "short", 1, 3})->body == "POST / 234");
  CHECK(world.post(url, FileRange{directory.path / "short", 5, 0})->body == "POST / ");
}

TEST_CASE("a file that shrinks while it is sent is an error") {
  World world;
  TemporaryDirectory directory;
  const auto file = directory.path / "shrinks";
  write_file(file, large_content());
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    REQUIRE(co_await request.read_some());
    std::filesystem::resize_file(file, 100);
    const auto rest = co_await request.read_all(1024ULL * 1024 * 1024);
    CHECK_FALSE(rest);
    co_return ServerResponse{};
  };
  const auto response = world.post(world.serve(handler), FileRange{file, 0, 64ULL * 1024 * 1024});
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::unavailable);
  CHECK(response.error().message.find("was it cut") != std::string::npos);
}

TEST_CASE("many requests at a time do not disturb each other") {
  World world;
  const auto url = world.serve(echo);
  const auto one = [&](int number) -> awaitable<bool> {
    Request request = get_request(url + "/" + std::to_string(number), "POST");
    const std::string body(static_cast<std::size_t>(number) * 1000, static_cast<char>('a' + number % 26));
    request.body = body;
    const auto response = co_await world.client->send(std::move(request));
    co_return response && response->body == "POST /" + std::to_string(number) + " " + body;
  };
  int good = 0, ended = 0;
  for (int i = 0; i < 50; ++i)
    boost::asio::co_spawn(world.loop, one(i), [&](const std::exception_ptr&, bool ok) {
      good += ok ? 1 : 0;
      ++ended;
    });
  while (ended < 50) world.loop.run_one();
  CHECK(good == 50);
}
