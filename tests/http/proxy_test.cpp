// The client through proxies, and past them.
#include "support/proxy.hpp"
#include "agent/http/beast/no_proxy.hpp"
#include "support/certificates.hpp"
#include "world.hpp"

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;

namespace {

constexpr auto user_pass = "Basic bGFiOnA6dw==";  // lab:p:w

ClientOptions through(const Proxy& proxy, const std::string& user_info = {}) {
  ClientOptions options;
  options.proxy = "http://" + user_info + proxy.address();
  return options;
}

struct Fixture {
  ListenOptions listening(const std::string& name = "server.test") const {
    const auto identity = authority.issue({name, {name}});
    ListenOptions options;
    options.tls = TlsIdentity{identity.certificate, identity.key, {}};
    return options;
  }
  TemporaryDirectory directory;
  CertificateAuthority authority{directory.path};
};

std::string port_of(const std::string& url) { return url.substr(url.rfind(':')); }

void check_message(const Result<Response>& response, Fault fault, std::initializer_list<std::string> words) {
  REQUIRE_FALSE(response);
  INFO(response.error().message);
  CHECK(response.error().fault == fault);
  for (const auto& word : words) {
    CAPTURE(word);
    CHECK(response.error().message.find(word) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("an http URL goes to the proxy in absolute form") {
  Proxy proxy;
  World world{through(proxy)};
  const auto port = port_of(world.serve(echo));
  const auto response = world.post("http://server.test" + port + "/a?b=c", "body");
  REQUIRE(response);
  CHECK(response->body == "POST /a?b=c body");
  CHECK(response->headers.get("X-Host") == "server.test" + port);
  REQUIRE(proxy.heads().size() == 1);
  CHECK(proxy.heads()[0].starts_with("POST http://server.test" + port + "/a?b=c HTTP/1.1\r\nHost: server.test" + port +
                                     "\r\n"));
}

TEST_CASE_METHOD(Fixture, "an https URL goes through a tunnel, verified end to end") {
  Proxy proxy;
  ClientOptions options = through(proxy);
  options.ca_file = authority.file();
  World world{options};
  const auto port = port_of(world.serve(echo, listening()));
  for (int i = 0; i < 2; ++i) {
    const auto response = world.post("https://server.test" + port + "/x", "secret");
    REQUIRE(response);
    CHECK(response->body == "POST /x secret");
  }
  REQUIRE(proxy.heads().size() == 1);  // The second request used the same tunnel.
  CHECK(proxy.heads()[0] == "CONNECT server.test" + port + " HTTP/1.1\r\nHost: server.test" + port + "\r\n\r\n");
  const auto wrong = world.get("https://other.test" + port + "/");
  check_message(wrong, Fault::refused,
                {"other.test" + port + " through the proxy " + proxy.address(), "not for other.test"});
}

TEST_CASE_METHOD(Fixture, "user and password go to the proxy and nowhere else") {
  Proxy::Options wants;
  wants.authorization = user_pass;
  Proxy proxy{wants};
  ClientOptions options = through(proxy, "lab:p%3Aw@");
  options.ca_file = authority.file();
  World world{options};
  Headers seen;
  const auto handler = [&](ServerRequest& request) -> boost::asio::awaitable<ServerResponse> {
    seen = request.headers;
    co_return co_await echo(request);
  };
  const auto port = port_of(world.serve(handler, listening()));
  CHECK(world.get("https://server.test" + port + "/"));
  CHECK_FALSE(seen.has("Proxy-Authorization"));
  CHECK(world.get("http://server.test" + port_of(world.serve(echo)) + "/"));
  for (const auto& head : proxy.heads())
    CHECK(head.find(std::string{"Proxy-Authorization: "} + user_pass) != head.npos);
}

TEST_CASE("a proxy that wants credentials is named, with what to set and without the password") {
  Proxy::Options wants;
  wants.authorization = user_pass;
  Proxy proxy{wants};
  for (const char* scheme : {"http", "https"}) {
    World without{through(proxy)};
    check_message(without.get(std::string{scheme} + "://server.test/"), Fault::retry_later,
                  {"server.test", proxy.address(), "wants a user name and a password (407)", "http://user:password@"});
    World wrong{through(proxy, "lab:hunter2@")};
    const auto response = wrong.get(std::string{scheme} + "://server.test/");
    check_message(response, Fault::retry_later, {proxy.address(), "does not accept the user name and password (407)"});
    CHECK(response.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a proxy's refusal, failure and nonsense are told apart") {
  const auto answer = [](const std::string& text) {
    Proxy::Options options;
    options.answer = text;
    Proxy proxy{options};
    World world{through(proxy)};
    auto response = world.get("https://server.test/");
    REQUIRE_FALSE(response);
    CHECK(response.error().message.find(proxy.address()) != std::string::npos);
    return response;
  };
  check_message(answer("HTTP/1.1 403 Forbidden\r\n\r\n"), Fault::refused, {"403 Forbidden"});
  check_message(answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nsorry"), Fault::retry_later,
                {"502 Bad Gateway"});
  check_message(answer("HTTP/1.1 502 \x1b[31m\r\n\r\n"), Fault::malformed, {"the proxy's answer to CONNECT"});
  check_message(answer("SSH-2.0-OpenSSH\r\n\r\n"), Fault::malformed, {"the proxy's answer to CONNECT"});
  check_message(answer("HTTP/1.1 200 OK\r\n\r\nhello"), Fault::malformed, {"before the server could"});
  check_message(answer("HTTP/1.1 200"), Fault::retry_later, {"closed"});
}

TEST_CASE("a proxy that is not there is named together with the server") {
  std::uint16_t port = 0;
  {
    port = RawServer{[](RawConnection&, int) {}}.port();
  }
  ClientOptions options;
  options.proxy = "http://127.0.0.1:" + std::to_string(port);
  World world{options};
  check_message(world.get("http://server.test/"), Fault::retry_later,
                {"server.test:80 through the proxy 127.0.0.1:" + std::to_string(port) + ": connection refused"});
}

TEST_CASE_METHOD(Fixture, "the proxy itself may be reached by TLS, with TLS to the server inside") {
  const auto identity = authority.issue({"proxy", {"127.0.0.1"}});
  SSL_CTX* context = ::SSL_CTX_new(::TLS_server_method());
  ::SSL_CTX_use_certificate_chain_file(context, identity.certificate.c_str());
  ::SSL_CTX_use_PrivateKey_file(context, identity.key.c_str(), SSL_FILETYPE_PEM);
  {
    Proxy::Options by_tls;
    by_tls.tls = context;
    Proxy proxy{by_tls};
    ClientOptions options;
    options.proxy = "https://" + proxy.address();
    options.ca_file = authority.file();
    World world{options};
    const auto port = port_of(world.serve(echo, listening()));
    const std::string body(3'000'000, 'x');
    const auto response = world.post("https://server.test" + port + "/x", body);
    REQUIRE(response);
    CHECK(response->body == "POST /x " + body);
    CHECK(world.get("http://server.test" + port_of(world.serve(echo)) + "/"));

    ClientOptions distrusting;
    distrusting.proxy = options.proxy;
    World other{distrusting};
    check_message(other.get("https://server.test/"), Fault::refused,
                  {proxy.address() + " (the proxy)", "unknown issuer"});
  }
  ::SSL_CTX_free(context);
}

TEST_CASE("hosts of no_proxy are reached directly") {
  Proxy proxy;
  ClientOptions options = through(proxy);
  options.no_proxy = "example.org,127.0.0.0/8";
  World world{options};
  CHECK(world.get(world.serve(echo)));
  CHECK(proxy.heads().empty());
}

TEST_CASE("a unix socket needs no proxy") {
  Proxy proxy;
  World world{through(proxy)};
  TemporaryDirectory directory;
  ListenOptions options;
  options.address = UnixAddress{directory.path / "s"};
  world.serve(echo, options);
  Request request;
  request.url = "http://outpost/";
  request.unix_socket = directory.path / "s";
  CHECK(world.send(request));
  CHECK(proxy.heads().empty());
}

TEST_CASE("local addresses are refused through a proxy too, as far as the URL shows them") {
  Proxy proxy;
  World world{through(proxy)};
  Request harmless;
  harmless.url = "http://server.test" + port_of(world.serve(echo)) + "/";
  harmless.refuse_local_addresses = true;
  CHECK(world.send(harmless));  // Its connection to the proxy is kept, and must not open a back door.
  for (const char* url : {"http://127.0.0.1/", "https://localhost/", "http://[::1]/", "http://169.254.169.254/"}) {
    Request request;
    request.url = url;
    request.refuse_local_addresses = true;
    check_message(world.send(request), Fault::refused, {"local address"});
  }
  CHECK(proxy.heads().size() == 1);
}

TEST_CASE("no_proxy knows hosts, suffixes, networks, ports and the star") {
  CHECK(is_exempt_from_proxy("example.org", "example.org", 80));
  CHECK(is_exempt_from_proxy("example.org", "API.Example.Org", 80));
  CHECK(is_exempt_from_proxy("example.org", "example.org.", 80));
  CHECK(is_exempt_from_proxy(".example.org", "api.example.org", 80));
  CHECK(is_exempt_from_proxy(".example.org", "example.org", 80));
  CHECK_FALSE(is_exempt_from_proxy("example.org", "notexample.org", 80));
  CHECK_FALSE(is_exempt_from_proxy("api.example.org", "example.org", 80));
  CHECK(is_exempt_from_proxy("localhost, example.org", "example.org", 80));
  CHECK(is_exempt_from_proxy("localhost example.org", "example.org", 80));
  CHECK(is_exempt_from_proxy("*", "anything", 1));
  CHECK(is_exempt_from_proxy("example.org:8080", "example.org", 8080));
  CHECK_FALSE(is_exempt_from_proxy("example.org:8080", "example.org", 80));

  CHECK(is_exempt_from_proxy("10.0.0.1", "10.0.0.1", 80));
  CHECK_FALSE(is_exempt_from_proxy("0.0.1", "10.0.0.1", 80));
  CHECK(is_exempt_from_proxy("10.0.0.0/8", "10.255.0.1", 80));
  CHECK_FALSE(is_exempt_from_proxy("10.0.0.0/8", "11.0.0.1", 80));
  CHECK(is_exempt_from_proxy("192.168.4.0/22", "192.168.7.255", 80));
  CHECK_FALSE(is_exempt_from_proxy("192.168.4.0/22", "192.168.8.0", 80));
  CHECK(is_exempt_from_proxy("0.0.0.0/0", "8.8.8.8", 80));
  CHECK(is_exempt_from_proxy("fd00::/8", "fdff::1", 80));
  CHECK_FALSE(is_exempt_from_proxy("fd00::/8", "fe00::1", 80));
  CHECK(is_exempt_from_proxy("::1", "::1", 80));
  CHECK(is_exempt_from_proxy("[::1]", "0:0:0:0:0:0:0:1", 80));
  CHECK(is_exempt_from_proxy("[::1]:8080", "::1", 8080));
  CHECK_FALSE(is_exempt_from_proxy("[::1]:8080", "::1", 80));
  CHECK(is_exempt_from_proxy("10.0.0.0/8", "::ffff:10.1.1.1", 80));

  for (const char* odd :
       {"", ",", " , ", ".", "/", "10.0.0.0/33", "10.0.0.0/", "/8", "x/8", "[::1", "]", ":80", "[]:80"}) {
    CAPTURE(odd);
    CHECK_FALSE(is_exempt_from_proxy(odd, "10.0.0.1", 80));
    CHECK_FALSE(is_exempt_from_proxy(odd, "example.org", 80));
  }
}
