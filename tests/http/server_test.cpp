// The server against clients that do as they like.
#include "agent/base/workers.hpp"
#include "support/raw_peer.hpp"
#include "world.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <fstream>

#include <sys/stat.h>
#include <sys/un.h>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;
using boost::asio::awaitable;

namespace {

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

/// Talks to a server of this world from another thread.
struct Clients : World {
  template <class Talk>
  std::string talk(const std::string& url, Talk talk) {
    return await(loop, workers.run([talk, port = port_of(url)] {
      const auto connection = RawConnection::connect(port);
      return talk(*connection);
    }));
  }

  /// Sends bytes and returns all that comes until the server closes.
  std::string exchange(const std::string& url, const std::string& bytes) {
    return talk(url, [bytes](RawConnection& connection) {
      connection.write(bytes);
      return connection.read_all();
    });
  }

  Workers workers{1};
};

int status_of(const std::string& answer) { return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3)); }
std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
bool has(const std::string& answer, std::string_view text) { return answer.find(text) != answer.npos; }

constexpr auto get_and_close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE_METHOD(Clients, "what is not a request is answered with 400 and the connection closed") {
  const auto url = serve(echo);
  for (const char* bytes :
       {"garbage\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\xfc\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    CAPTURE(bytes);
    const auto answer = exchange(url, bytes);
    CHECK(status_of(answer) == 400);
    CHECK(has(answer, "Connection: close\r\n"));
  }
  CHECK(status_of(exchange(url, "GET / HTTP/1.1\r\n\r\n")) == 400);  // No Host (RFC 9112 §3.2).
  CHECK(status_of(exchange(url, "GET / HTTP/2.0\r\nHost: h\r\n\r\n")) == 505);
}

TEST_CASE_METHOD(Clients, "a head above the limit is answered with 431") {
  ListenOptions options;
  options.head_limit = 1000;
  const auto url = serve(echo, options);
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
  CHECK(status_of(exchange(url, start + "X: " + std::string(500, 'x') + "\r\n\r\n")) == 200);
  CHECK(status_of(exchange(url, start + "X: " + std::string(2000, 'x') + "\r\n\r\n")) == 431);
  CHECK(status_of(exchange(url, "GET /" + std::string(2000, 'x') + " HTTP/1.1\r\n")) == 431);
  CHECK(status_of(exchange(url, start + std::string(10'000'000, 'x'))) == 431);  // Still readable after all of this.
}

TEST_CASE_METHOD(Clients, "the target is taken apart") {
  std::string path, query, target;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    path = request.path;
    query = request.query;
    target = request.target;
    co_return ServerResponse{};
  };
  const auto url = serve(handler);
  exchange(url, "GET /a%20b/c?d=%20e?f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(path == "/a b/c");
  CHECK(query == "d=%20e?f");
  CHECK(target == "/a%20b/c?d=%20e?f");
  exchange(url, "GET http://h:80/x?y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(path == "/x");
  CHECK(query == "y");
  exchange(url, "GET http://h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(path == "/");
}

TEST_CASE_METHOD(Clients, "pipelined requests are answered in order") {
  const auto url = serve(echo);
  const auto answer = exchange(url,
                               "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
                               "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
                               "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const auto first = answer.find("POST /1 one"), second = answer.find("POST /2 two"), third = answer.find("GET /3 ");
  CHECK(first < second);
  CHECK(second < third);
  CHECK(third != answer.npos);
}

TEST_CASE_METHOD(Clients, "a request may come byte by byte") {
  const auto url = serve(echo);
  const auto answer = talk(url, [](RawConnection& connection) {
    for (const char byte :
         std::string_view{"POST /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"})
      connection.write({&byte, 1});
    return connection.read_all();
  });
  CHECK(body_of(answer) == "POST /slow body");
}

TEST_CASE_METHOD(Clients, "a client that expects 100-continue is told to go on only when its body is read") {
  const auto handler = [](ServerRequest& request) -> awaitable<ServerResponse> {
    if (request.path == "/read") co_return co_await echo(request);
    ServerResponse refusal;
    refusal.status = 413;
    co_return refusal;
  };
  const auto url = serve(handler);
  const auto head = [](const std::string& path) {
    return "POST " + path +
           " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
  };
  const auto read = talk(url, [&](RawConnection& connection) {
    connection.write(head("/read"));
    const std::string interim = connection.read_head();
    connection.write("body");
    return interim + connection.read_all();
  });
  CHECK(read.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
  CHECK(has(read, "POST /read body"));
  const auto refused = talk(url, [&](RawConnection& connection) {
    connection.write(head("/refuse"));
    return connection.read_all();
  });
  CHECK(status_of(refused) == 413);
}

TEST_CASE_METHOD(Clients, "an unread body is dropped, a large one together with the connection") {
  int requests = 0;
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> {
    ++requests;
    co_return ServerResponse{};
  };
  const auto url = serve(handler);
  const auto body = [](std::size_t size) {
    return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'x');
  };
  const auto small = exchange(url, body(100'000) + get_and_close);
  CHECK(requests == 2);
  CHECK(has(small.substr(20), "HTTP/1.1 200 OK"));
  requests = 0;
  const auto large = exchange(url, body(8'000'000) + get_and_close);  // The client sends it all before it reads.
  CHECK(requests == 1);
  CHECK(status_of(large) == 200);
  CHECK(has(large, "Connection: close"));
  requests = 0;
  std::string chunks = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 64; ++i) chunks += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  const auto chunked = exchange(url, chunks + "0\r\n\r\n" + get_and_close);
  CHECK(requests == 1);
  CHECK(status_of(chunked) == 200);
}

TEST_CASE_METHOD(Clients, "a handler learns of a body that breaks off, is no chunk, or is too long") {
  Result<std::string> body = std::string{};
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    body = co_await request.read_all(10);
    co_return ServerResponse{};
  };
  const auto url = serve(handler);
  const auto send = [&](const std::string& rest) {
    talk(url, [&](RawConnection& connection) {
      connection.write("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + rest);
      connection.shutdown_send();
      return connection.read_all();
    });
  };
  send("Content-Length: 5\r\n\r\n12345");
  REQUIRE(body);
  CHECK(*body == "12345");
  send("Content-Length: 5\r\n\r\n123");
  REQUIRE_FALSE(body);
  CHECK(body.error().fault == Fault::retry_later);
  send("Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n");
  REQUIRE_FALSE(body);
  CHECK(body.error().fault == Fault::retry_later);
  send("Transfer-Encoding: chunked\r\n\r\nxyz\r\n123\r\n");
  REQUIRE_FALSE(body);
  CHECK(body.error().fault == Fault::malformed);
  send("Content-Length: 11\r\n\r\n12345678901");
  REQUIRE_FALSE(body);
  CHECK(body.error().fault == Fault::refused);
  send("Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n");
  REQUIRE_FALSE(body);
  CHECK(body.error().fault == Fault::refused);
  send("Transfer-Encoding: chunked\r\n\r\n3;extension=1\r\n123\r\n0\r\nTrailer: x\r\n\r\n");
  REQUIRE(body);
  CHECK(*body == "123");
}

TEST_CASE_METHOD(Clients, "HTTP/1.0 clients get what they understand") {
  const auto handler = [](ServerRequest& request) -> awaitable<ServerResponse> {
    ServerResponse response;
    response.body = "text";
    if (request.path == "/produced")
      response.body = Producer{[left = 2]() mutable -> awaitable<Result<std::string>> {
        co_return left-- > 0 ? std::string{"piece "} : std::string{};
      }};
    co_return response;
  };
  const auto url = serve(handler);
  const auto produced = exchange(url, "GET /produced HTTP/1.0\r\n\r\n");
  CHECK_FALSE(has(produced, "chunked"));
  CHECK(body_of(produced) == "piece piece ");
  CHECK(body_of(exchange(url, "GET / HTTP/1.0\r\n\r\n")) == "text");
  const auto kept = exchange(url, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
  CHECK(has(kept, "Connection: keep-alive\r\n"));
  CHECK(has(kept, "Connection: close\r\n"));
}

TEST_CASE_METHOD(Clients, "a handler that throws, or answers with nonsense, is a 500 without details") {
  const auto handler = [](ServerRequest& request) -> awaitable<ServerResponse> {
    if (request.path == "/throw") throw std::runtime_error{"internal detail"};
    ServerResponse response;
    if (request.path == "/header") response.headers.set("X", "a\r\nSet-Cookie: evil");
    if (request.path == "/status") response.status = 42;
    if (request.path == "/file") response.body = FileRange{"/nonexistent/file", 0, 10};
    co_return response;
  };
  const auto url = serve(handler);
  for (const char* path : {"/throw", "/header", "/status", "/file"}) {
    CAPTURE(path);
    const auto response = get(url + path);
    REQUIRE(response);
    CHECK(response->status == 500);
    CHECK_FALSE(response->headers.has("Set-Cookie"));
    CHECK(response->body.find("detail") == std::string::npos);
    CHECK(response->body.find("nonexistent") == std::string::npos);
  }
  CHECK(get(url)->status == 200);
}

TEST_CASE_METHOD(Clients, "a double can break the connection wherever it wants") {
  TemporaryDirectory directory;
  write_file(directory.path / "file", std::string(1000, 'f'));
  ServerResponse prepared;
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> { co_return prepared; };
  const auto url = serve(handler);
  prepared.body = std::string(1000, 't');
  prepared.break_after = 0;
  CHECK(exchange(url, get_and_close).empty());
  prepared.break_after = 10;
  CHECK(body_of(exchange(url, get_and_close)) == std::string(10, 't'));
  prepared.omit_length = true;
  CHECK(body_of(exchange(url, get_and_close)) == "3e8\r\n" + std::string(10, 't'));
  prepared.omit_length = false;
  prepared.body = FileRange{directory.path / "file", 0, 1000};
  CHECK(body_of(exchange(url, get_and_close)) == std::string(10, 'f'));
  prepared.body = Producer{[]() -> awaitable<Result<std::string>> { co_return std::string{"four"}; }};
  CHECK(body_of(exchange(url, get_and_close)) == "4\r\nfour\r\n4\r\nfour\r\n4\r\nfo");
  const auto seen = get(url);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().fault == Fault::retry_later);
}

TEST_CASE_METHOD(Clients, "a producer that fails breaks the answer visibly") {
  const auto handler = [](ServerRequest& request) -> awaitable<ServerResponse> {
    ServerResponse response;
    response.body =
        Producer{[throws = request.path == "/throw", first = true]() mutable -> awaitable<Result<std::string>> {
          if (std::exchange(first, false)) co_return std::string{"begun"};
          if (throws) throw std::runtime_error{"no more"};
          co_return Error{Fault::retry_later, "no more"};
        }};
    co_return response;
  };
  const auto url = serve(handler);
  for (const char* path : {"/throw", "/error"}) {
    const auto response = get(url + path);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::retry_later);
  }
}

TEST_CASE_METHOD(Clients, "a silent connection is closed, a request that does not end is answered with 408") {
  ListenOptions options;
  options.idle_timeout = std::chrono::milliseconds{200};
  const auto url = serve(echo, options);
  CHECK(exchange(url, "").empty());
  CHECK(status_of(exchange(url, "GET / HTTP/1.1\r\nHost:")) == 408);
  const auto trickle = talk(url, [](RawConnection& connection) {
    connection.write("GET / HTTP/1.1\r\nX: ");
    while (!connection.is_readable(20)) connection.write("x");  // Never idle, and never complete.
    return connection.read_all();
  });
  CHECK(status_of(trickle) == 408);
  const auto kept = exchange(url, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(status_of(kept) == 200);  // And then the kept connection is closed.
}

TEST_CASE_METHOD(Clients, "a client that does not read its answer is given up") {
  ListenOptions options;
  options.idle_timeout = std::chrono::milliseconds{200};
  std::atomic<bool> ended{false};
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> {
    const std::shared_ptr<void> until_end{nullptr, [&](void*) { ended = true; }};
    ServerResponse response;
    response.body =
        Producer{[until_end]() -> awaitable<Result<std::string>> { co_return std::string(1'000'000, 'x'); }};
    co_return response;
  };
  const auto url = serve(handler, options);
  talk(url, [&](RawConnection& connection) {
    connection.write(get_and_close);
    while (!ended) ::poll(nullptr, 0, 10);
    return std::string{};
  });
  CHECK(ended);
}

TEST_CASE_METHOD(Clients, "a dead server's socket file is replaced, a living one's is not") {
  TemporaryDirectory directory;
  const std::string path = directory.path / "api.sock";
  ListenOptions options;
  options.address = UnixAddress{path, 0660};
  REQUIRE(server->listen(options, echo));
  const auto other = make_beast_server(loop.get_executor());
  const auto refused = other->listen(options, echo);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().fault == Fault::refused);
  CHECK(refused.error().message.find(path + ": another process already listens") != std::string::npos);
  server->stop();
  CHECK_FALSE(std::filesystem::exists(path));

  // What a crash leaves behind: a bound socket file without a process.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(dead);
  REQUIRE(std::filesystem::exists(path));
  CHECK(other->listen(options, echo));
  other->stop();
  CHECK_FALSE(std::filesystem::exists(path));

  write_file(path, "precious");
  const auto file = other->listen(options, echo);
  REQUIRE_FALSE(file);
  CHECK(file.error().message.find("not a socket") != std::string::npos);
  CHECK(read_file(path) == "precious");
}

TEST_CASE_METHOD(Clients, "an address that cannot be bound is an error that says why") {
  ListenOptions options;
  const auto port = server->listen(options, echo);
  REQUIRE(port);
  CHECK(*port != 0);
  options.address = TcpAddress{"127.0.0.1", *port};
  const auto taken = server->listen(options, echo);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find("another program listens") != std::string::npos);
  options.address = UnixAddress{"/nonexistent/directory/socket"};
  CHECK_FALSE(server->listen(options, echo));
  options.address = UnixAddress{"/tmp/" + std::string(200, 'x')};
  CHECK_FALSE(server->listen(options, echo));
  options.address = TcpAddress{"no-such-host.invalid", 0};
  CHECK_FALSE(server->listen(options, echo));
}

TEST_CASE_METHOD(Clients, "stop closes everything and cancels the handlers that wait") {
  bool destroyed = false;
  const auto handler = [&](ServerRequest&) -> awaitable<ServerResponse> {
    const std::shared_ptr<void> at_end{nullptr, [&](void*) { destroyed = true; }};
    boost::asio::steady_timer never{co_await boost::asio::this_coro::executor, std::chrono::hours{1}};
    server->stop();  // From within, with itself under way.
    co_await never.async_wait(boost::asio::use_awaitable);
    co_return ServerResponse{};
  };
  const auto url = serve(handler);
  const auto idle = RawConnection::connect(port_of(url));
  CHECK(exchange(url, get_and_close).empty());
  CHECK(idle->read_all().empty());
  CHECK(destroyed);
  CHECK_THROWS(RawConnection::connect(port_of(url)));
  const auto again = serve(echo);  // A stopped server can listen again.
  CHECK(get(again));
}

TEST_CASE_METHOD(Clients, "one server listens on several addresses") {
  TemporaryDirectory directory;
  const auto first = serve(echo), second = serve(echo);
  ListenOptions options;
  options.address = UnixAddress{directory.path / "s"};
  serve(echo, options);
  CHECK(first != second);
  CHECK(get(first));
  CHECK(get(second));
}
