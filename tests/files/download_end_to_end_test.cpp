#include "agent/base/hash.hpp"
#include "agent/files/downloader.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::files;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// A control server that redirects to an object store, which breaks off a few times: real ones, on loopback.
struct World {
  test::TemporaryDirectory directory;
  asio::io_context loop;
  Workers workers{1};
  std::unique_ptr<http::Server> control = http::make_beast_server(loop.get_executor());
  std::unique_ptr<http::Server> store = http::make_beast_server(loop.get_executor());
  std::unique_ptr<http::Client> client;
  std::uint16_t control_port = 0, store_port = 0;
  fs::path object = directory.path / "object";
  std::vector<std::uint64_t> breaks;  ///< After so many bytes of each answer; then no more.
  std::vector<std::string> ranges;
  bool saw_authorization = false;

  World() {
    client = http::make_beast_client({}).value();
    control_port = *control->listen({}, [this](http::ServerRequest& request) { return redirect(request); });
    store_port = *store->listen({}, [this](http::ServerRequest& request) { return serve(request); });
  }
  ~World() {
    control->stop();
    store->stop();
    loop.restart();
    loop.poll();
    client.reset();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  asio::awaitable<http::ServerResponse> redirect(http::ServerRequest& request) const {
    http::ServerResponse answer;
    answer.status = request.headers.has("Authorization") ? 302 : 401;
    answer.headers.set("Location",
                       "http://127.0.0.1:" + std::to_string(store_port) + "/bucket/key?X-Amz-Signature=abc%2F");
    co_return answer;
  }

  asio::awaitable<http::ServerResponse> serve(http::ServerRequest& request) {
    const std::uint64_t size = fs::file_size(object);
    const std::string range{request.headers.get("Range")};
    const std::uint64_t first = range.empty() ? 0 : std::stoull(range.substr(6));
    ranges.push_back(range);
    saw_authorization = saw_authorization || request.headers.has("Authorization") || request.headers.has("X-DCI-Date");
    http::ServerResponse answer;
    answer.status = range.empty() ? 200 : 206;
    if (!range.empty())
      answer.headers.set("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(size - 1) + "/" +
                                              std::to_string(size));
    answer.body = http::FileRange{object, first, size - first};
    if (!breaks.empty()) {
      answer.break_after = breaks.front();
      breaks.erase(breaks.begin());
    }
    co_return answer;
  }

  asio::awaitable<Result<http::Request>> open() const {
    http::Request request;
    request.url = "http://127.0.0.1:" + std::to_string(control_port) + "/api/v1/components/1/files/object";
    request.headers.set("Authorization", "DCI2-HMAC-SHA256 secret");
    request.headers.set("X-DCI-Date", "20261120T223206Z");
    co_return request;
  }

  Result<Downloaded> download(const std::string& sha256, bool allow_local = true) {
    DownloadRequest request;
    request.open = [this] { return open(); };
    request.target = directory.path / "target";
    request.expected_size = fs::file_size(object);
    request.expected_sha256 = sha256;
    request.allow_local_redirects = allow_local;
    DownloadOptions options;
    options.backoff_base = options.backoff_cap = std::chrono::milliseconds{0};
    Downloader downloader{*client, workers, options};
    return test::await(loop, downloader.download(std::move(request)));
  }
};

std::size_t resident() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * 4096;
}

}  // namespace

TEST_CASE("over a real connection that breaks, a download goes on where it stopped") {
  World world;
  std::string content(3'000'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 997);
  test::write_file(world.object, content);
  world.breaks = {1'000'000, 0, 700'000};
  const auto downloaded = world.download(sha256_hex(content));
  REQUIRE(downloaded);
  CHECK(test::read_file(world.directory.path / "target") == content);
  CHECK(downloaded->attempts == 4);
  REQUIRE(world.ranges.size() == 4);
  CHECK(world.ranges[0].empty());
  const auto offset = [&](std::size_t request) { return std::stoull(world.ranges[request].substr(6)); };
  REQUIRE(world.ranges[1].starts_with("bytes="));
  CHECK(offset(1) > 0);
  CHECK(offset(1) <= 1'000'000);
  CHECK(offset(2) == offset(1));  // Nothing came before the second break.
  CHECK(offset(3) >= offset(2));
  CHECK_FALSE(world.saw_authorization);
}

TEST_CASE("a redirect into this machine is refused by the real client unless allowed") {
  World world;
  test::write_file(world.object, "content");
  const auto downloaded = world.download(sha256_hex("content"), false);
  REQUIRE_FALSE(downloaded);
  CHECK(downloaded.error().fault == Fault::refused);
  CHECK(world.ranges.empty());
}

TEST_CASE("a large file is downloaded in constant memory") {
  World world;
  constexpr std::size_t megabytes = 128;
  Sha256 hash;
  {
    std::ofstream file{world.object, std::ios::binary};
    std::string block(1 << 20, 'x');
    for (std::size_t i = 0; i < megabytes; ++i) {
      block[i] = static_cast<char>(i);
      file << block;
      hash.update(block);
    }
  }
  const std::size_t before = resident();
  const auto downloaded = world.download(hash.hex());
  const std::size_t after = resident();
  REQUIRE(downloaded);
  CHECK(downloaded->size == megabytes << 20);
  INFO("resident memory grew from " << before << " to " << after);
  CHECK(after < before + (16 << 20));
}
