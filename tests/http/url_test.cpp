#include "agent/http/url.hpp"

#include "support/catch.hpp"

using outpost::Fault;
using namespace outpost::http;

TEST_CASE("a URL is cut into scheme, host, port, target and Host header") {
  const auto url = parse_url("HTTPS://api.example.org/api/v1/jobs?where=name:a%20b&limit=1#top");
  REQUIRE(url);
  CHECK(url->scheme == "https");
  CHECK(url->host == "api.example.org");
  CHECK(url->port == 443);
  CHECK(url->target == "/api/v1/jobs?where=name:a%20b&limit=1");
  CHECK(url->host_header == "api.example.org");
  CHECK(url->is_tls());
}

TEST_CASE("the Host header names the port only when it is not the scheme's own") {
  CHECK(parse_url("http://h:80/")->host_header == "h");
  CHECK(parse_url("http://h:443/")->host_header == "h:443");
  CHECK(parse_url("https://h:443/")->host_header == "h");
  CHECK(parse_url("https://h:5000/")->host_header == "h:5000");
  CHECK(parse_url("https://h:/")->host_header == "h");
}

TEST_CASE("a URL without a path asks for the root") {
  CHECK(parse_url("http://h")->target == "/");
  CHECK(parse_url("http://h?a=b")->target == "/?a=b");
  CHECK(parse_url("http://h#fragment")->target == "/");
}

TEST_CASE("an IPv6 address stands in brackets in the URL and the Host header only") {
  const auto url = parse_url("http://[::1]:8080/x");
  REQUIRE(url);
  CHECK(url->host == "::1");
  CHECK(url->port == 8080);
  CHECK(url->host_header == "[::1]:8080");
  CHECK(parse_url("http://[fd00::2]/")->host_header == "[fd00::2]");
}

TEST_CASE("what is not an http URL is malformed, and the message does not repeat it") {
  for (const char* text : {"", "api.example.org", "/path", "ftp://h/", "http://", "http:///x", "http://h:0/",
                           "http://h:65536/", "http://h:port/", "http://h/a b", "http://h/a\r\nX: y", "http://h\r\n/",
                           "http://[::1/", "http://a%20b/", "http://a%60b/", "http://a%3ab/", "http://a%22/", "https://user:hunter2@h/", "http://h/\xc3\xa9"}) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().fault == Fault::malformed);
    CHECK(url.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a proxy's URL may hold a user and a password, percent-encoded") {
  const auto proxy = parse_proxy_url("http://lab%40home:p%3Aw@proxy.lab:3128");
  REQUIRE(proxy);
  CHECK(proxy->user == "lab@home");
  CHECK(proxy->password == "p:w");
  CHECK(proxy->name() == "proxy.lab:3128");
  CHECK_FALSE(proxy->is_tls());
  CHECK(parse_proxy_url("https://proxy.lab/")->name() == "proxy.lab:443");
  CHECK(parse_proxy_url("http://[::1]:3128")->name() == "[::1]:3128");
}

TEST_CASE("a proxy's URL with a path, another scheme or none is malformed") {
  for (const char* text : {"proxy.lab:3128", "socks5://proxy.lab", "http://proxy.lab/pac", "http://proxy.lab?x", ""}) {
    CAPTURE(text);
    const auto proxy = parse_proxy_url(text);
    REQUIRE_FALSE(proxy);
    CHECK(proxy.error().fault == Fault::malformed);
  }
}
