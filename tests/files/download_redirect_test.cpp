// Where a download follows its server to, and where not.
#include "files/download_bench.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::files;
using namespace outpost::test;

TEST_CASE("a redirect is followed without any header of the first request") {
  const std::string content = content_of(3000);
  DownloadBench bench{[&](const http::Request& request) {
    return request.url.starts_with("https://api.")
               ? redirect_to("https://store.example.org/b/k?X-Amz-Signature=%2Babc&e=1")
               : FileServer{content, ""}(request);
  }};
  bench.expect(content);
  REQUIRE(bench.run());
  REQUIRE(bench.client.requests.size() == 2);
  const http::Request& second = bench.client.requests[1];
  CHECK(second.url == "https://store.example.org/b/k?X-Amz-Signature=%2Babc&e=1");
  CHECK(second.method == "GET");
  CHECK(second.refuse_local_addresses);
  for (const auto& [name, value] : second.headers) CHECK(name == "Accept-Encoding");
}

TEST_CASE("redirects to local addresses are allowed only when the integration says so") {
  DownloadBench bench{[](const http::Request& request) {
    return request.url.starts_with("https://api.") ? redirect_to("https://127.0.0.1:9000/k")
                                                   : FileServer{"x", ""}(request);
  }};
  bench.request.allow_local_redirects = true;
  REQUIRE(bench.run());
  CHECK_FALSE(bench.client.requests[1].refuse_local_addresses);
}

TEST_CASE("a relative redirect is resolved against the address before it") {
  struct Case {
    std::string location, url;
  };
  for (const Case& c : {Case{"/other?x=1", "https://api.example.org/other?x=1"},
                        {"2", "https://api.example.org/files/2"},
                        {"../a/./b", "https://api.example.org/a/b"},
                        {"//cdn.example.org:8443/z", "https://cdn.example.org:8443/z"},
                        {"?v=2", "https://api.example.org/files/1?v=2"},
                        {"/a b\"c#frag", "https://api.example.org/a%20b%22c"}}) {
    DownloadBench bench{[&](const http::Request& request) {
      return request.url.ends_with("sig=secret") ? redirect_to(c.location, 307) : FileServer{"x", ""}(request);
    }};
    REQUIRE(bench.run());
    CHECK(bench.client.requests[1].url == c.url);
  }
}

TEST_CASE("a redirect that must not be followed ends the download at once") {
  struct Case {
    std::string location, says;
  };
  for (const Case& c : {Case{"http://store.example.org/k?sig=s3cr3t", "never followed"},
                        {"ftp://example.org/k", "ftp"},
                        {"https://user:pw@example.org/k", "password"},
                        {"", "Location"},
                        {"https://[bad/", "not an address"},
                        {"file:///etc/passwd", "file"}}) {
    DownloadBench bench{[&](const http::Request&) { return redirect_to(c.location); }};
    const auto downloaded = bench.run();
    INFO(c.location);
    REQUIRE_FALSE(downloaded);
    CHECK(has(downloaded.error().message, c.says));
    CHECK_FALSE(has(downloaded.error().message, "s3cr3t"));
    CHECK(downloaded.error().fault != Fault::retry_later);
    CHECK(bench.client.requests.size() == 1);
  }
}

TEST_CASE("more than five redirects in a row are refused") {
  int n = 0;
  DownloadBench bench{[&](const http::Request&) { return redirect_to("https://example.org/" + std::to_string(++n)); }};
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(has(downloaded.error().message, "redirects"));
  CHECK(bench.client.requests.size() == 6);
}
