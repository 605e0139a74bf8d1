// What is downloaded is what was asked for, or a clear error; and when it is tried again.
#include "agent/files/stalls.hpp"
#include "files/download_bench.hpp"
#include "files/small_disk.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::files;
using namespace outpost::test;
namespace fs = std::filesystem;
namespace asio = boost::asio;

TEST_CASE("a file is downloaded, verified and named") {
  const std::string content = content_of(10'500);
  DownloadBench bench{FileServer{content, ""}};
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
  DownloadBench bench{FileServer{"", ""}};
  bench.expect("");
  REQUIRE(bench.run());
  CHECK(fs::exists(bench.request.target));
  CHECK(fs::file_size(bench.request.target) == 0);
}

TEST_CASE("a checksum that differs is tried once more, then both sums are named") {
  const std::string content = content_of(4000);
  std::string changed = content;
  changed[100] ^= 1;
  SECTION("the second time it is right") {
    int n = 0;
    DownloadBench bench{[&](const http::Request& request) { return FileServer{++n == 1 ? changed : content, ""}(request); }};
    bench.expect(content);
    REQUIRE(bench.run());
    CHECK(bench.client.requests.size() == 2);
    CHECK_FALSE(bench.client.requests[1].headers.has("Range"));
    CHECK(bench.got() == content);
  }
  SECTION("it stays wrong") {
    DownloadBench bench{FileServer{changed, "\"v1\""}};
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
  DownloadBench bench{FileServer{content_of(5000), ""}};
  bench.request.expected_size = 4000;
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(has(downloaded.error().message, "5000 bytes instead of 4000"));
  CHECK(bench.client.requests.size() == 2);
}

TEST_CASE("a file above the limit is refused, with or without a length") {
  const bool chunked = GENERATE(false, true);
  DownloadBench bench{[&](const http::Request& request) {
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
  DownloadBench bench{[](const http::Request&) { return status(503); }};
  bench.options.attempts = 4;
  std::vector<Retry> retries;
  bench.request.retrying = [&](const Retry& retry) { retries.push_back(retry); };
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::retry_later);
  CHECK(has(downloaded.error().message, "HTTP 503"));
  CHECK(has(downloaded.error().message, "4 attempts"));
  CHECK_FALSE(has(downloaded.error().message, "secret"));
  CHECK(bench.client.requests.size() == 4);
  REQUIRE(retries.size() == 3);  // The last attempt is followed by none.
  CHECK(retries[0].attempt == 1);
  CHECK(retries[2].attempt == 3);
  CHECK(has(retries[2].reason, "HTTP 503"));
}

TEST_CASE("who waits is told as long as one waits, and that none does any more") {
  std::vector<std::string> told;
  std::vector<bool> news;
  Stalls stalls{[&](std::string_view why, bool is_new) {
    told.emplace_back(why);
    news.push_back(is_new);
  }};
  stalls.goes_on("a");
  CHECK(told.empty());
  stalls.waits("a", {2, std::chrono::seconds{20}, "connection refused"});
  stalls.waits("b", {1, std::chrono::milliseconds{300}, "line\nfeed"});
  stalls.goes_on("b");
  stalls.goes_on("b");
  stalls.goes_on("a");
  REQUIRE(told.size() == 4);
  CHECK(told[0] == "downloading a: attempt 2, next in 20.0s: connection refused");
  CHECK(told[1] == "downloading b: attempt 1, next in 300ms: line\\nfeed");
  CHECK(told[2] == told[0]);
  CHECK(told[3].empty());
  CHECK(news == std::vector<bool>{true, true, false, false});
}

TEST_CASE("an answer that will not change is not repeated") {
  for (const int code : {400, 401, 403, 404, 410, 204, 304}) {
    DownloadBench bench{[&](const http::Request&) { return status(code, "no\x1b[31m"); }};
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
    DownloadBench bench{[](const http::Request&) { return status(400); }};
    bench.request.classify = classify;
    const auto downloaded = bench.run();
    REQUIRE_FALSE(downloaded);
    CHECK(downloaded.error().message == "the clock of this machine is wrong");
    CHECK(asked == std::vector<int>{400});
  }
  SECTION("the object store") {
    DownloadBench bench{[](const http::Request& request) {
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
  DownloadBench bench{[&](const http::Request& request) {
    if (request.url.starts_with("https://api.")) return redirect_to("https://store.example.org/k");
    return ++n <= denials ? status(403) : FileServer{content, ""}(request);
  }};
  const auto downloaded = bench.run();
  CHECK(downloaded.has_value() == (denials == 1));
  CHECK(bench.opened == (denials == 1 ? 2 : 3));
}

TEST_CASE("an error of the integration ends the download unless it is a network fault") {
  DownloadBench bench{FileServer{"x", ""}};
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
  DownloadBench bench{[&](const http::Request& request) {
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
  DownloadBench bench{[&](const http::Request&) {
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
  DownloadBench bench{[&](const http::Request&) {
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
  DownloadBench bench{[&](const http::Request& request) {
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
  DownloadBench bench{FileServer{"x", ""}};
  bench.request.target = bench.directory.path / "missing" / "file";
  const auto downloaded = bench.run();
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::unavailable);
  CHECK(has(downloaded.error().message, "missing/file.part"));
}
