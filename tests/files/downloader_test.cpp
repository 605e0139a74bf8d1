#include "agent/files/downloader.hpp"

#include "agent/base/hash.hpp"
#include "fakes/fake_http_client.hpp"
#include "files/small_disk.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <filesystem>
#include <string>

using namespace outpost;
using namespace outpost::files;
using test::FakeHttpClient;
using test::FakeReply;
namespace fs = std::filesystem;
namespace asio = boost::asio;

namespace {

std::string content_of(std::size_t size) {
  std::string content(size, '\0');
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 251);
  return content;
}

/// A server that has one file and obeys Range and If-Range.
struct FileServer {
  std::string content;
  std::string etag;

  FakeReply operator()(const http::Request& request) const {
    FakeReply reply;
    if (!etag.empty()) reply.headers.set("ETag", etag);
    const std::string range{request.headers.get("Range")};
    const bool valid = !request.headers.has("If-Range") || request.headers.get("If-Range") == etag;
    if (range.empty() || !valid) {
      reply.body = content;
      return reply;
    }
    const std::size_t first = std::stoul(range.substr(6));
    if (first >= content.size()) {
      reply.status = 416;
      reply.headers.set("Content-Range", "bytes */" + std::to_string(content.size()));
      return reply;
    }
    reply.status = 206;
    reply.headers.set("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(content.size() - 1) +
                                           "/" + std::to_string(content.size()));
    reply.body = content.substr(first);
    return reply;
  }
};

FakeReply redirect_to(std::string where, int status = 302) {
  FakeReply reply;
  reply.status = status;
  reply.headers.set("Location", std::move(where));
  return reply;
}

FakeReply status(int code, std::string body = {}) {
  FakeReply reply;
  reply.status = code;
  reply.body = std::move(body);
  return reply;
}

struct Bench {
  test::TemporaryDirectory directory;
  asio::io_context loop;  // Outlives the workers, who still touch it when their work has been taken over.
  Workers workers{1};
  FakeHttpClient client;
  DownloadRequest request;
  DownloadOptions options;
  int opened = 0;

  explicit Bench(FakeHttpClient::Script script) : client{std::move(script)} { prepare(); }
  explicit Bench(std::vector<FakeReply> replies) : client{std::move(replies)} { prepare(); }

  void prepare() {
    request.target = directory.path / "file.tar";
    request.open = [this]() { return open("https://api.example.org/files/1?sig=secret"); };
    options.backoff_base = options.backoff_cap = std::chrono::milliseconds{0};
  }

  asio::awaitable<Result<http::Request>> open(std::string url) {
    ++opened;
    http::Request made;
    made.url = std::move(url);
    made.headers.set("Authorization", "DCI2-HMAC-SHA256 secret");
    made.headers.set("X-DCI-Date", "20261120T223206Z");
    co_return made;
  }

  void expect(const std::string& content) {
    request.expected_size = content.size();
    request.expected_sha256 = sha256_hex(content);
  }

  Result<Downloaded> run() {
    Downloader downloader{client, workers, options};
    return test::await(loop, downloader.download(request));
  }

  [[nodiscard]] fs::path part() const { return directory.path / "file.tar.part"; }
  [[nodiscard]] std::string got() const { return test::read_file(request.target); }
  [[nodiscard]] bool nothing_left() const { return fs::is_empty(directory.path); }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a file is downloaded, verified and named") {
  const std::string content = content_of(10'500);
  Bench bench{FileServer{content, ""}};
  bench.expect(content);
  std::vector<Progress> seen;
  bench.options.progress_every = std::chrono::milliseconds{0};
  bench.request.progress = [&](const Progress& progress) { seen.push_back(progress); };
  const auto downloaded = bench.run();
  REQUIRE(downloaded);
  CHECK(downloaded->size == content.size());
  CHECK(downloaded->sha256 == sha256_hex(content));
  CHECK(downloaded->attempts == 1);
  CHECK(downloaded->resumed == 0);
  CHECK(bench.got() == content);
  CHECK_FALSE(fs::exists(bench.part()));
  REQUIRE(seen.size() >= 11);
  CHECK(seen.back().received == content.size());
  CHECK(seen.back().total == content.size());
}

TEST_CASE("an empty file is a file") {
  Bench bench{FileServer{"", ""}};
  bench.expect("");
  REQUIRE(bench.run());
  CHECK(fs::exists(bench.request.target));
  CHECK(fs::file_size(bench.request.target) == 0);
}

TEST_CASE("a redirect is followed without any header of the first request") {
  const std::string content = content_of(3000);
  Bench bench{[&](const http::Request& request) {
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
  Bench bench{[](const http::Request& request) {
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
    Bench bench{[&](const http::Request& request) {
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
    Bench bench{[&](const http::Request&) { return redirect_to(c.location); }};
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
  Bench bench{[&](const http::Request&) { return redirect_to("https://example.org/" + std::to_string(++n)); }};
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(has(downloaded.error().message, "redirects"));
  CHECK(bench.client.requests.size() == 6);
}

TEST_CASE("a broken transfer goes on where it stopped, with a fresh request and the entity tag") {
  const std::string content = content_of(10'000);
  const FileServer server{content, "\"v1\""};
  int n = 0;
  Bench bench{[&](const http::Request& request) {
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
    Bench bench{[&](const http::Request& request) {
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
  Bench bench{[&](const http::Request& request) {
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
  Bench bench{FileServer{content, "\"v1\""}};
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
  Bench bench{FileServer{content, ""}};
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
  Bench bench{FileServer{content, ""}};
  bench.request.expected_sha256 = sha256_hex(content);
  test::write_file(bench.part(), content);
  REQUIRE(bench.run());
  CHECK(bench.client.requests.size() == 1);
  CHECK(bench.got() == content);
}

TEST_CASE("a partial file that is wrong or too long is thrown away") {
  const std::string content = content_of(9000);
  Bench bench{FileServer{content, ""}};
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
  Bench bench{[&](const http::Request&) {
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
    Bench bench{[&](const http::Request& request) {
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

TEST_CASE("a checksum that differs is tried once more, then both sums are named") {
  const std::string content = content_of(4000);
  std::string changed = content;
  changed[100] ^= 1;
  SECTION("the second time it is right") {
    int n = 0;
    Bench bench{[&](const http::Request& request) { return FileServer{++n == 1 ? changed : content, ""}(request); }};
    bench.expect(content);
    REQUIRE(bench.run());
    CHECK(bench.client.requests.size() == 2);
    CHECK_FALSE(bench.client.requests[1].headers.has("Range"));
    CHECK(bench.got() == content);
  }
  SECTION("it stays wrong") {
    Bench bench{FileServer{changed, "\"v1\""}};
    bench.expect(content);
    const auto downloaded = bench.run();
    REQUIRE_FALSE(downloaded);
    CHECK(downloaded.error().fault == Fault::refused);
    CHECK(has(downloaded.error().message, sha256_hex(content)));
    CHECK(has(downloaded.error().message, sha256_hex(changed)));
    CHECK(bench.client.requests.size() == 2);
    CHECK_FALSE(fs::exists(bench.request.target));
    CHECK(fs::file_size(bench.part()) == 0);
  }
}

TEST_CASE("a size that differs is noticed before the bytes are fetched, and named") {
  Bench bench{FileServer{content_of(5000), ""}};
  bench.request.expected_size = 4000;
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(has(downloaded.error().message, "5000 bytes instead of 4000"));
  CHECK(bench.client.requests.size() == 2);
}

TEST_CASE("a file above the limit is refused, with or without a length") {
  const bool chunked = GENERATE(false, true);
  Bench bench{[&](const http::Request& request) {
    FakeReply reply = FileServer{content_of(5000), ""}(request);
    if (chunked) reply.headers.set("Transfer-Encoding", "chunked");
    return reply;
  }};
  bench.request.limit = 4999;
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(has(downloaded.error().message, "4999"));
  CHECK(bench.client.requests.size() == 1);
  CHECK_FALSE(fs::exists(bench.request.target));
}

TEST_CASE("network faults and busy servers are retried, and in the end given up") {
  Bench bench{[](const http::Request&) { return status(503); }};
  bench.options.attempts = 4;
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::retry_later);
  CHECK(has(downloaded.error().message, "HTTP 503"));
  CHECK(has(downloaded.error().message, "4 attempts"));
  CHECK_FALSE(has(downloaded.error().message, "secret"));
  CHECK(bench.client.requests.size() == 4);
}

TEST_CASE("progress resets the count of failures") {
  const std::string content = content_of(10'000);
  int n = 0;
  Bench bench{[&](const http::Request& request) {
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

TEST_CASE("an answer that will not change is not repeated") {
  for (const int code : {400, 401, 403, 404, 410, 204, 304}) {
    Bench bench{[&](const http::Request&) { return status(code, "no\x1b[31m"); }};
    const auto downloaded = bench.run();
    INFO(code);
    REQUIRE_FALSE(downloaded);
    CHECK(downloaded.error().fault != Fault::retry_later);
    CHECK(has(downloaded.error().message, std::to_string(code)));
    CHECK_FALSE(has(downloaded.error().message, "\x1b"));
    CHECK(bench.client.requests.size() == 1);
  }
}

TEST_CASE("the integration says what an answer of its server means, not one of the object store") {
  std::vector<int> asked;
  const auto classify = [&](const http::Response& answer) {
    asked.push_back(answer.status);
    return Error{Fault::refused, "the clock of this machine is wrong"};
  };
  SECTION("its server") {
    Bench bench{[](const http::Request&) { return status(400); }};
    bench.request.classify = classify;
    const auto downloaded = bench.run();
    REQUIRE_FALSE(downloaded);
    CHECK(downloaded.error().message == "the clock of this machine is wrong");
    CHECK(asked == std::vector<int>{400});
  }
  SECTION("the object store") {
    Bench bench{[](const http::Request& request) {
      return request.url.starts_with("https://api.") ? redirect_to("https://store.example.org/k") : status(404);
    }};
    bench.request.classify = classify;
    const auto downloaded = bench.run();
    REQUIRE_FALSE(downloaded);
    CHECK(downloaded.error().fault == Fault::refused);
    CHECK(has(downloaded.error().message, "store.example.org/k: HTTP 404"));
    CHECK(asked.empty());
  }
}

TEST_CASE("an address that expired on the way is asked for again, but not for ever") {
  const std::string content = content_of(100);
  int denials = GENERATE(1, 100);
  int n = 0;
  Bench bench{[&](const http::Request& request) {
    if (request.url.starts_with("https://api.")) return redirect_to("https://store.example.org/k");
    return ++n <= denials ? status(403) : FileServer{content, ""}(request);
  }};
  const auto downloaded = bench.run();
  CHECK(downloaded.has_value() == (denials == 1));
  CHECK(bench.opened == (denials == 1 ? 2 : 3));
}

TEST_CASE("an error of the integration ends the download unless it is a network fault") {
  Bench bench{FileServer{"x", ""}};
  int n = 0;
  auto fault = GENERATE(Fault::refused, Fault::retry_later);
  auto failing = [&]() -> asio::awaitable<Result<http::Request>> {
    if (++n == 1) co_return Error{fault, "no address"};
    http::Request request;
    request.url = "https://api.example.org/1";
    co_return request;
  };
  bench.request.open = failing;
  const auto downloaded = bench.run();
  CHECK(downloaded.has_value() == (fault == Fault::retry_later));
  CHECK(n == (fault == Fault::retry_later ? 2 : 1));
}

TEST_CASE("a cancelled download returns, keeps its partial file, and goes on later") {
  const std::string content = content_of(8000);
  int n = 0;
  Bench bench{[&](const http::Request& request) {
    FakeReply reply = FileServer{content, ""}(request);
    if (++n == 1) {
      reply.break_after = 5000;
      reply.hang = true;
    }
    return reply;
  }};
  bench.expect(content);
  asio::cancellation_signal stop;
  bench.client.on_hang = [&] { stop.emit(asio::cancellation_type::terminal); };
  Downloader downloader{bench.client, bench.workers, bench.options};
  const auto downloaded = test::await(bench.loop, downloader.download(bench.request), std::chrono::seconds{120}, &stop);
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::cancelled);
  CHECK(fs::file_size(bench.part()) == 5000);
  REQUIRE(bench.run());
  CHECK(bench.client.requests.back().headers.get("Range") == "bytes=5000-");
  CHECK(bench.got() == content);
}

TEST_CASE("a download that waits for its next attempt is cancelled at once") {
  asio::cancellation_signal stop;
  asio::io_context* loop = nullptr;
  Bench bench{[&](const http::Request&) {
    asio::post(*loop, [&] { asio::post(*loop, [&] { stop.emit(asio::cancellation_type::terminal); }); });
    FakeReply busy = status(503);
    busy.headers.set("Retry-After", "240");
    return busy;
  }};
  loop = &bench.loop;
  Downloader downloader{bench.client, bench.workers, bench.options};
  const auto downloaded = test::await(bench.loop, downloader.download(bench.request), std::chrono::seconds{120}, &stop);
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::cancelled);
  CHECK(bench.client.requests.size() == 1);
}

TEST_CASE("two downloads do not write the same file") {
  const std::string content = content_of(1000);
  Bench bench{[&](const http::Request&) {
    FakeReply reply;
    reply.body = content;
    reply.break_after = 10;
    reply.hang = true;
    return reply;
  }};
  bench.expect(content);
  asio::cancellation_signal stop;
  Result<Downloaded> second = Error{Fault::bug, "did not run"};
  Downloader downloader{bench.client, bench.workers, bench.options};
  bench.client.on_hang = [&] {
    asio::co_spawn(bench.loop, downloader.download(bench.request), [&](std::exception_ptr, Result<Downloaded> result) {
      second = std::move(result);
      stop.emit(asio::cancellation_type::terminal);
    });
  };
  const auto first = test::await(bench.loop, downloader.download(bench.request), std::chrono::seconds{120}, &stop);
  CHECK_FALSE(first);
  REQUIRE_FALSE(second);
  INFO(second.error().message);
  CHECK(has(second.error().message, "another download"));
}

TEST_CASE("a full disk is named with what is needed and what is free, and what arrived is kept") {
  test::SmallDisk disk{64 * 1024};
  if (!disk.usable) {
    WARN("not tested: a small file system can only be mounted by root");
    return;
  }
  const std::string content = content_of(200'000);
  const bool announced = GENERATE(true, false);
  Bench bench{[&](const http::Request& request) {
    FakeReply reply = FileServer{content, ""}(request);
    if (!announced) reply.headers.set("Transfer-Encoding", "chunked");
    return reply;
  }};
  bench.request.target = disk.directory.path / "file.tar";
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::retry_later);
  CHECK(has(downloaded.error().message, disk.directory.path.string()));
  CHECK(has(downloaded.error().message, "the disk is full"));
  CHECK(has(downloaded.error().message, "bytes needed"));
  CHECK(has(downloaded.error().message, "bytes free"));
  CHECK(bench.client.requests.size() == 1);
}

TEST_CASE("a target whose directory is missing is a clear error") {
  Bench bench{FileServer{"x", ""}};
  bench.request.target = bench.directory.path / "missing" / "file";
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::unavailable);
  CHECK(has(downloaded.error().message, "missing/file.part"));
}
