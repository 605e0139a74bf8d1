// The client against servers that break the rules, and against no server at all.
#include "support/raw_peer.hpp"
#include "world.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <future>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;
using boost::asio::awaitable;

namespace {

constexpr auto ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Request request_to(std::string url, std::string method = "GET", Body body = {}) {
  Request request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.body = std::move(body);
  return request;
}

/// Answers every connection with `bytes` and closes.
RawServer::Script answering(std::string bytes) {
  return [bytes](RawConnection& connection, int) {
    connection.read_head();
    connection.write(bytes);
    connection.shutdown_send();
    connection.wait_for_close();
  };
}

Result<Response> answer_of(std::string bytes) {
  World world;
  RawServer server{answering(std::move(bytes))};
  return world.get(server.url());
}

bool mentions(const Result<Response>& response, std::string_view text) {
  INFO((response ? "an answer" : response.error().message));
  const bool found = !response && response.error().message.find(text) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("a body that ends early is an error that says how far it came") {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n12345"}) {
    const auto response = answer_of(answer);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::retry_later);
    mentions(response, "cut off after 5");
  }
}

TEST_CASE("a head that ends early, or no answer at all, is to be retried") {
  for (const char* answer : {"", "H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Le"}) {
    const auto response = answer_of(answer);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::retry_later);
    mentions(response, "closed");
  }
}

TEST_CASE("a body without a length lasts until the connection is closed") {
  const auto response = answer_of("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  REQUIRE(response);
  CHECK(response->body == "until the end");
}

TEST_CASE("what is not HTTP is malformed") {
  for (const char* answer :
       {"SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x02\x02\x46", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    CAPTURE(answer);
    const auto response = answer_of(std::string{answer} + "                \r\n\r\n");
    REQUIRE_FALSE(response);
    if (std::string_view{answer}.find("chunked") == std::string_view::npos)
      CHECK(response.error().fault == Fault::malformed);
    mentions(response, "not HTTP/1.1");
  }
}

TEST_CASE("a head without end is refused before it fills the memory") {
  World world;
  RawServer server{[](RawConnection& connection, int) {
    connection.read_head();
    connection.write("HTTP/1.1 200 OK\r\n");
    while (connection.write("X-Padding: " + std::string(10'000, 'x') + "\r\n")) {
    }
  }};
  const auto response = world.get(server.url());
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::malformed);
  mentions(response, "head of the answer is larger");
}

TEST_CASE("interim answers are skipped") {
  const auto response =
      answer_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + std::string{ok});
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == "ok");
  CHECK_FALSE(response->headers.has("Link"));
}

TEST_CASE("a server that stays silent is given up after the idle limit, with what was waited for") {
  World world;
  RawServer server{[](RawConnection& connection, int) {
    if (connection.read_head().starts_with("GET /some"))
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    connection.wait_for_close();
  }};
  Request request = request_to(server.url());
  request.idle_timeout = std::chrono::milliseconds{200};
  auto response = world.send(request);
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "waiting for the answer");
  request.url = server.url("/some");
  response = world.send(request);
  REQUIRE_FALSE(response);
  mentions(response, "receiving the answer (3 of 10 bytes so far)");
}

TEST_CASE("a server that reads nothing is given up, with how much was sent") {
  World world;
  RawServer server{[&](RawConnection& connection, int) {
    connection.read_head();
    while (connection.is_open()) ::poll(nullptr, 0, 10);  // Not reading: the buffers between us fill.
  }};
  Request request = request_to(server.url(), "POST", std::string(64 * 1024 * 1024, 'x'));
  request.idle_timeout = std::chrono::milliseconds{300};
  const auto response = world.send(request);
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "sending the request");
}

TEST_CASE("an early refusal of a large body is read, whatever the server does with the rest") {
  World world;
  enum class Rest { ignored, closed, reset, read };
  for (const auto rest : {Rest::ignored, Rest::closed, Rest::reset, Rest::read}) {
    CAPTURE(static_cast<int>(rest));
    std::atomic<bool> answered{false};
    RawServer server{[&](RawConnection& connection, int) {
      connection.read_head();
      connection.write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
      if (rest == Rest::read) connection.wait_for_close();
      if (rest == Rest::closed) connection.shutdown_send();
      // Unread data turns this close into a reset; wait until the client has the answer, as a distance would.
      while (!answered && rest != Rest::reset) ::poll(nullptr, 0, 1);
      if (rest == Rest::reset) connection.close();
    }};
    const auto response = world.send(request_to(server.url(), "POST", std::string(64 * 1024 * 1024, 'x')));
    answered = true;
    REQUIRE(response);
    CHECK(response->status == 413);
    CHECK(response->body == "big");
  }
}

TEST_CASE("a kept connection that the server has closed is replaced, for every method") {
  World world;
  std::atomic<int> requests{0};
  std::promise<void> closed[8];
  RawServer server{[&](RawConnection& connection, int number) {
    const std::string head = connection.read_head();
    if (head.starts_with("POST")) connection.read_exactly(4);
    ++requests;
    connection.write(ok);
    connection.close();
    closed[number].set_value();
  }};
  int number = 0;
  for (const char* method : {"GET", "GET", "POST", "POST", "PUT"}) {
    const auto response = world.send(request_to(server.url(), method, std::string{method} == "POST" ? "body" : ""));
    REQUIRE(response);
    closed[++number].get_future().wait();
  }
  CHECK(requests == 5);
  CHECK(server.connections() == 5);
}

TEST_CASE("a POST that may have been processed is never sent again, a GET is") {
  World world;
  std::atomic<int> posts{0}, gets{0};
  // The first request of a connection is answered; at the second the server dies after it has read all of it.
  RawServer server{[&](RawConnection& connection, int) {
    for (int turn = 0; turn < 2; ++turn) {
      const std::string head = connection.read_head();
      if (head.empty()) return;
      if (head.starts_with("POST")) {
        connection.read_exactly(4);
        ++posts;
      } else {
        ++gets;
      }
      if (turn == 0) connection.write(ok);
    }
  }};
  REQUIRE(world.send(request_to(server.url(), "POST", "body")));
  const auto lost = world.send(request_to(server.url(), "POST", "body"));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().fault == Fault::retry_later);
  CHECK(posts == 2);

  REQUIRE(world.get(server.url()));
  CHECK(world.get(server.url()));
  CHECK(gets == 3);  // One each, and the second one again.

  Request conditional = request_to(server.url(), "PUT");
  conditional.headers.set("If-Match", "etag");
  CHECK_FALSE(world.send(conditional));  // It would fail the second time because it worked the first time.
  CHECK(gets == 4);
}

TEST_CASE("an answer that comes unasked spoils the connection, not the next request") {
  World world;
  RawServer server{[&](RawConnection& connection, int) {
    connection.read_head();
    connection.write(std::string{ok} + "HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n");
    connection.wait_for_close();
  }};
  CHECK(world.get(server.url())->status == 200);
  CHECK(world.get(server.url())->status == 200);
  CHECK(server.connections() == 2);
}

TEST_CASE("a connection that nobody accepts is named in one sentence") {
  World world;
  std::uint16_t port = 0;
  {
    port = RawServer{[](RawConnection&, int) {}}.port();
  }
  const auto response = world.get("http://127.0.0.1:" + std::to_string(port) + "/secret?token=1");
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "127.0.0.1:" + std::to_string(port) + ": connection refused");
  CHECK(response.error().message.find("token") == std::string::npos);
}

TEST_CASE("an unknown host is named") {
  World world;
  const auto response = world.get("http://no-such-host.invalid/");
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "no-such-host.invalid");
}

TEST_CASE("a unix socket that is not there is named") {
  World world;
  TemporaryDirectory directory;
  Request request = request_to("http://outpost/");
  request.unix_socket = directory.path / "none.sock";
  auto response = world.send(request);
  REQUIRE_FALSE(response);
  mentions(response, "none.sock");
  request.unix_socket = directory.path / std::string(200, 'x');
  response = world.send(request);
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::unavailable);
}

TEST_CASE("a cancelled request ends at once, whatever it waits for") {
  World world;
  boost::asio::cancellation_signal stop;
  std::string sent;
  bool reads_body = false;
  RawServer server{[&](RawConnection& connection, int) {
    connection.read_head();
    if (reads_body) connection.read_exactly(1024 * 1024);
    connection.write(sent);
    boost::asio::post(world.loop, [&] { stop.emit(boost::asio::cancellation_type::terminal); });
    while (connection.is_open()) ::poll(nullptr, 0, 10);
  }};
  const auto cancelled = [&](Request request) {
    const auto response = await(world.loop, world.client->send(std::move(request)), std::chrono::seconds{120}, &stop);
    REQUIRE_FALSE(response);
    CHECK(response.error().fault == Fault::cancelled);
  };
  SECTION("while the answer is due") { cancelled(request_to(server.url())); }
  SECTION("within the answer") {
    sent = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123";
    cancelled(request_to(server.url()));
  }
  SECTION("while it sends") {
    reads_body = true;
    cancelled(request_to(server.url(), "POST", std::string(64 * 1024 * 1024, 'x')));
  }
  SECTION("while it looks the name up") {
    // Not before the request has begun: the loop starts it after the first handler and before the second.
    const auto emit = [&] { stop.emit(boost::asio::cancellation_type::terminal); };
    boost::asio::post(world.loop, [&] { boost::asio::post(world.loop, emit); });
    const auto response = await(world.loop, world.client->send(request_to("http://no-such-host.invalid/")),
                                std::chrono::seconds{120}, &stop);
    REQUIRE_FALSE(response);
    // The name server may have been faster.
    CHECK((response.error().fault == Fault::cancelled ||
           response.error().message.find("unknown host") != std::string::npos));
  }
}

namespace {

/// Everything is due within a tenth of a second at 10000 bytes a second, so that nobody waits long.
ClientOptions hurried() {
  ClientOptions options;
  options.slow_rate = 10'000;
  options.slow_window = std::chrono::milliseconds{100};
  return options;
}

/// Sends `bytes` one by one, a few milliseconds apart: always something, never enough.
void drip(RawConnection& connection, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size() && connection.write(bytes.substr(i, 1)); ++i) ::poll(nullptr, 0, 10);
}

}  // namespace

TEST_CASE("an answer that comes in drops is given up, head or body") {
  World world{hurried()};
  const std::string long_head = "HTTP/1.1 200 OK\r\nX-Filler: " + std::string(100'000, 'x');
  RawServer server{[&](RawConnection& connection, int) {
    const bool body = connection.read_head().starts_with("GET /body");
    if (body) connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(connection, long_head);
  }};
  auto response = world.get(server.url("/head"));
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "less than 10000 bytes a second moved for 100ms while waiting for the answer");
  response = world.get(server.url("/body"));
  REQUIRE_FALSE(response);
  mentions(response, "less than 10000 bytes a second moved for 100ms while receiving the answer");
}

TEST_CASE("a server that takes a body in drops is given up") {
  World world{hurried()};
  std::atomic<bool> over{false};
  RawServer server{[&](RawConnection& connection, int) {
    connection.read_head();
    while (!over && !connection.read_some(1).empty()) ::poll(nullptr, 0, 10);
  }};
  const auto response = world.send(request_to(server.url(), "POST", std::string(64 * 1024 * 1024, 'x')));
  over = true;
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  mentions(response, "less than 10000 bytes a second moved for 100ms while sending the request");
}

TEST_CASE("a server that thinks before it answers is not slow") {
  World world{hurried()};
  RawServer server{[](RawConnection& connection, int) {
    connection.read_head();
    connection.write("HTTP/1.1 103 Early Hints\r\n\r\n");
    ::poll(nullptr, 0, 400);
    connection.write(ok);
  }};
  const auto response = world.get(server.url());
  REQUIRE(response);
  CHECK(response->body == "ok");
}
