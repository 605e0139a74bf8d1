// A download that was broken off goes on with what is proven to be right.
#include "files/download_bench.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::files;
using namespace outpost::test;

TEST_CASE("a broken transfer goes on where it stopped, with a fresh request and the entity tag") {
  const std::string content = content_of(10'000);
  const FileServer server{content, "\"v1\""};
  int n = 0;
  DownloadBench bench{[&](const http::Request& request) {
    FakeReply reply = server(request);
    if (++n < 3) reply.break_after = 3000;
    return reply;
  }};
  SECTION("with a checksum") { bench.expect(content); }
  SECTION("without one") {}
  const auto downloaded = bench.run();
  REQUIRE(downloaded);
  CHECK(bench.got() == content);
  CHECK(downloaded->sha256 == sha256_hex(content));
  CHECK(downloaded->attempts == 3);
  CHECK(bench.opened == 3);
  CHECK(bench.client.requests[1].headers.get("Range") == "bytes=3000-");
  CHECK(bench.client.requests[1].headers.get("If-Range") == "\"v1\"");
  CHECK(bench.client.requests[2].headers.get("Range") == "bytes=6000-");
}

TEST_CASE("without checksum and entity tag a broken transfer starts again") {
  const std::string content = content_of(5000);
  for (const std::string etag : {"", "W/\"weak\""}) {
    int n = 0;
    DownloadBench bench{[&](const http::Request& request) {
      FakeReply reply = FileServer{content, etag}(request);
      if (++n == 1) reply.break_after = 2000;
      return reply;
    }};
    REQUIRE(bench.run());
    CHECK_FALSE(bench.client.requests[1].headers.has("Range"));
    CHECK(bench.got() == content);
  }
}

TEST_CASE("a file that changed between two attempts is taken from its beginning") {
  const std::string before = content_of(4000), after = std::string(3500, 'n');
  int n = 0;
  DownloadBench bench{[&](const http::Request& request) {
    FakeReply reply = FileServer{++n == 1 ? before : after, n == 1 ? "\"v1\"" : "\"v2\""}(request);
    if (n == 1) reply.break_after = 3000;
    return reply;
  }};
  REQUIRE(bench.run());
  CHECK(bench.client.requests[1].headers.has("Range"));
  CHECK(bench.got() == after);
}

TEST_CASE("what an earlier call left is continued when a checksum proves it") {
  const std::string content = content_of(9000);
  DownloadBench bench{FileServer{content, "\"v1\""}};
  test::write_file(bench.part(), content.substr(0, 7000));
  SECTION("with a checksum") {
    bench.expect(content);
    const auto downloaded = bench.run();
    REQUIRE(downloaded);
    CHECK(downloaded->resumed == 7000);
    CHECK(bench.client.requests[0].headers.get("Range") == "bytes=7000-");
  }
  SECTION("not without") {
    const auto downloaded = bench.run();
    REQUIRE(downloaded);
    CHECK(downloaded->resumed == 0);
    CHECK_FALSE(bench.client.requests[0].headers.has("Range"));
  }
  CHECK(bench.got() == content);
}

TEST_CASE("a partial file that is complete needs no request") {
  const std::string content = content_of(9000);
  DownloadBench bench{FileServer{content, ""}};
  bench.expect(content);
  test::write_file(bench.part(), content);
  const auto downloaded = bench.run();
  REQUIRE(downloaded);
  CHECK(downloaded->resumed == content.size());
  CHECK(bench.client.requests.empty());
  CHECK(bench.got() == content);
}

TEST_CASE("a complete partial file of unknown size is recognised by 416") {
  const std::string content = content_of(9000);
  DownloadBench bench{FileServer{content, ""}};
  bench.request.expected_sha256 = sha256_hex(content);
  test::write_file(bench.part(), content);
  REQUIRE(bench.run());
  CHECK(bench.client.requests.size() == 1);
  CHECK(bench.got() == content);
}

TEST_CASE("a partial file that is wrong or too long is thrown away") {
  const std::string content = content_of(9000);
  DownloadBench bench{FileServer{content, ""}};
  bench.request.expected_sha256 = sha256_hex(content);
  SECTION("wrong bytes") { test::write_file(bench.part(), std::string(4000, 'x')); }
  SECTION("too long, size known") {
    bench.expect(content);
    test::write_file(bench.part(), content + "more");
  }
  SECTION("too long, size unknown") { test::write_file(bench.part(), content + "more"); }
  SECTION("right length, wrong bytes") {
    bench.expect(content);
    test::write_file(bench.part(), std::string(9000, 'x'));
  }
  REQUIRE(bench.run());
  CHECK(bench.got() == content);
}

TEST_CASE("a server that ignores the range sends everything, and that is fine") {
  const std::string content = content_of(9000);
  DownloadBench bench{[&](const http::Request&) {
    FakeReply reply;
    reply.body = content;
    return reply;
  }};
  bench.expect(content);
  test::write_file(bench.part(), content.substr(0, 5000));
  const auto downloaded = bench.run();
  REQUIRE(downloaded);
  CHECK(downloaded->resumed == 0);
  CHECK(bench.got() == content);
}

TEST_CASE("a server that sends another range than asked for is not believed") {
  const std::string content = content_of(9000);
  for (const std::string range : {"bytes 0-8999/9000", "", "bytes x-y/z", "items 5000-8999/9000"}) {
    DownloadBench bench{[&](const http::Request& request) {
      FakeReply reply;
      reply.body = content;
      if (request.headers.has("Range")) {
        reply.status = 206;
        if (!range.empty()) reply.headers.set("Content-Range", range);
      }
      return reply;
    }};
    bench.expect(content);
    test::write_file(bench.part(), content.substr(0, 5000));
    REQUIRE(bench.run());
    CHECK(bench.client.requests.size() == 2);
    CHECK(bench.got() == content);
  }
}

TEST_CASE("progress resets the count of failures") {
  const std::string content = content_of(10'000);
  int n = 0;
  DownloadBench bench{[&](const http::Request& request) {
    FakeReply reply = FileServer{content, ""}(request);
    if (++n < 10) reply.break_after = 1000;
    return reply;
  }};
  bench.expect(content);
  bench.options.attempts = 2;
  bench.options.worthwhile = 1000;
  REQUIRE(bench.run());
  CHECK(bench.client.requests.size() == 10);
}
