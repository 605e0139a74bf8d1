#include "agent/files/cache.hpp"

#include "agent/base/hash.hpp"
#include "agent/files/object_store.hpp"
#include "files/small_disk.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/detached.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace outpost;
using namespace outpost::files;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

struct Bench {
  test::TemporaryDirectory directory;
  asio::io_context loop;
  Workers workers{2};
  fs::path root = directory.path / "cache";

  Cache open(std::uint64_t limit = 1 << 20) {
    auto cache = Cache::open(root, limit, workers);
    // The last that a closed cache has done may still be on its way out of a worker's thread, and the lock with it.
    while (!cache && cache.error().fault == Fault::unavailable) {
      std::this_thread::yield();
      cache = Cache::open(root, limit, workers);
    }
    REQUIRE(cache);
    return std::move(*cache);
  }

  Result<bool> keep(Cache& cache, const std::string& content, const std::string& name = "file") {
    fs::remove(directory.path / name);
    test::write_file(directory.path / name, content);
    return test::await(loop, cache.keep(directory.path / name, sha256_hex(content)));
  }

  /// Kept, and nothing but the cache has it.
  bool keep_alone(Cache& cache, const std::string& content) {
    const auto kept = keep(cache, content);
    fs::remove(directory.path / "file");
    return kept && *kept;
  }

  std::optional<std::string> take(Cache& cache, const std::string& content) {
    const fs::path target = directory.path / ("taken" + std::to_string(++taken));
    const auto got = test::await(loop, cache.take(sha256_hex(content), target));
    REQUIRE(got);
    if (!*got) {
      CHECK_FALSE(fs::exists(target));
      return std::nullopt;
    }
    std::string read = test::read_file(target);
    fs::remove(target);
    return read;
  }

  [[nodiscard]] fs::path object(const std::string& content) const {
    const std::string sha256 = sha256_hex(content);
    return root / "objects" / sha256.substr(0, 2) / sha256;
  }

  int taken = 0;
};

}  // namespace

TEST_CASE("what was kept is there for the next job, and after a restart") {
  Bench bench;
  {
    Cache cache = bench.open();
    REQUIRE(bench.keep_alone(cache, "content"));
    CHECK(cache.contains(sha256_hex("content")));
    CHECK(cache.size() == 7);
    CHECK(bench.take(cache, "content") == "content");
    CHECK_FALSE(bench.take(cache, "other"));
  }
  Cache again = bench.open();
  CHECK(again.size() == 7);
  CHECK(bench.take(again, "content") == "content");
}

TEST_CASE("the file that was kept stays where it is, and keeping it twice counts once") {
  Bench bench;
  Cache cache = bench.open();
  REQUIRE(bench.keep(cache, "content"));
  CHECK(test::read_file(bench.directory.path / "file") == "content");
  const auto twice = bench.keep(cache, "content", "second");
  REQUIRE(twice);
  CHECK(*twice);
  CHECK(cache.size() == 7);
}

TEST_CASE("a file that does not hold what its name says is not kept") {
  Bench bench;
  Cache cache = bench.open();
  test::write_file(bench.directory.path / "file", "tampered");
  const auto kept = test::await(bench.loop, cache.keep(bench.directory.path / "file", sha256_hex("content")));
  REQUIRE_FALSE(kept);
  CHECK(kept.error().fault == Fault::malformed);
  CHECK(kept.error().message.find(sha256_hex("tampered")) != std::string::npos);
  CHECK_FALSE(cache.contains(sha256_hex("content")));
  CHECK(cache.size() == 0);
  CHECK_FALSE(test::await(bench.loop, cache.keep(bench.directory.path / "missing", sha256_hex("content"))));
  CHECK_FALSE(test::await(bench.loop, cache.keep(bench.directory.path / "file", "../../etc")));
}

TEST_CASE("a file taken from the cache is read-only, and the target must be new") {
  Bench bench;
  Cache cache = bench.open();
  REQUIRE(bench.keep_alone(cache, "content"));
  const fs::path target = bench.directory.path / "target";
  REQUIRE(test::await(bench.loop, cache.take(sha256_hex("content"), target)));
  struct stat status{};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK((status.st_mode & 0222) == 0);
  const auto again = test::await(bench.loop, cache.take(sha256_hex("content"), target));
  REQUIRE_FALSE(again);
  CHECK(test::read_file(target) == "content");
}

TEST_CASE("the object used longest ago goes first, also after a restart") {
  Bench bench;
  const std::string a(400, 'a'), b(400, 'b'), c(400, 'c'), d(400, 'd');
  {
    Cache cache = bench.open(1000);
    REQUIRE(bench.keep_alone(cache, a));
    REQUIRE(bench.keep_alone(cache, b));
    REQUIRE(bench.take(cache, a));
    REQUIRE(bench.keep_alone(cache, c));
    CHECK(cache.contains(sha256_hex(a)));
    CHECK_FALSE(cache.contains(sha256_hex(b)));
    CHECK_FALSE(fs::exists(bench.object(b)));
    CHECK(cache.size() == 800);
    // Times of files come from a coarse clock; the order must not depend on it.
    const timespec old[2] = {{1'000'000, 0}, {1'000'000, 0}};
    ::utimensat(AT_FDCWD, (bench.object(a).native() + ".stamp").c_str(), old, 0);
  }
  Cache again = bench.open(1000);
  REQUIRE(bench.keep_alone(again, d));
  CHECK_FALSE(again.contains(sha256_hex(a)));
  CHECK(again.contains(sha256_hex(c)));
}

TEST_CASE("a cache that became smaller shrinks when it is opened") {
  Bench bench;
  {
    Cache cache = bench.open(1000);
    REQUIRE(bench.keep_alone(cache, std::string(400, 'a')));
    REQUIRE(bench.keep_alone(cache, std::string(400, 'b')));
  }
  const Cache smaller = bench.open(500);
  CHECK(smaller.size() == 400);
}

TEST_CASE("objects in use are not removed") {
  Bench bench;
  Cache cache = bench.open(1000);
  const std::string a(600, 'a'), b(600, 'b');
  SECTION("held") {
    REQUIRE(bench.keep_alone(cache, a));
    auto held = cache.hold(sha256_hex(a));
    CHECK_FALSE(bench.keep_alone(cache, b));
    CHECK(cache.contains(sha256_hex(a)));
    held.reset();
    CHECK(bench.keep_alone(cache, b));
    CHECK_FALSE(cache.contains(sha256_hex(a)));
  }
  SECTION("linked into a workspace") {
    REQUIRE(bench.keep_alone(cache, a));
    const fs::path target = bench.directory.path / "workspace";
    REQUIRE(test::await(bench.loop, cache.take(sha256_hex(a), target)));
    struct stat status{};
    REQUIRE(::stat(target.c_str(), &status) == 0);
    if (status.st_nlink == 1) {
      WARN("not tested: this file system has reflinks, so nothing is linked");
      return;
    }
    CHECK_FALSE(bench.keep_alone(cache, b));
    fs::remove(target);
    CHECK(bench.keep_alone(cache, b));
  }
}

TEST_CASE("a file larger than the whole cache is not kept, and nothing is lost for it") {
  Bench bench;
  Cache cache = bench.open(1000);
  REQUIRE(bench.keep_alone(cache, "small"));
  const auto kept = bench.keep(cache, std::string(1001, 'x'));
  REQUIRE(kept);
  CHECK_FALSE(*kept);
  CHECK(cache.contains(sha256_hex("small")));
}

TEST_CASE("an object that somebody wrote to is dropped, not handed out") {
  Bench bench;
  Cache cache = bench.open();
  REQUIRE(bench.keep_alone(cache, "content"));
  ::chmod(bench.object("content").c_str(), 0644);
  SECTION("same size") { test::write_file(bench.object("content"), "CONTENT"); }
  SECTION("another size") { test::write_file(bench.object("content"), "c"); }
  SECTION("gone") { fs::remove(bench.object("content")); }
  SECTION("stamp damaged") { test::write_file(bench.object("content").native() + ".stamp", "xyz"); }
  CHECK_FALSE(bench.take(cache, "content"));
  CHECK(cache.size() == 0);
  CHECK(bench.keep_alone(cache, "content"));
  CHECK(bench.take(cache, "content") == "content");
  CHECK(cache.size() == 7);
}

TEST_CASE("what a crash left is removed when the cache is opened") {
  Bench bench;
  {
    Cache cache = bench.open();
    REQUIRE(bench.keep_alone(cache, "good"));
    REQUIRE(bench.keep_alone(cache, "half"));
    REQUIRE(bench.keep_alone(cache, "stampless"));
  }
  ::chmod(bench.object("half").c_str(), 0644);
  fs::resize_file(bench.object("half"), 2);
  fs::remove(bench.object("stampless").native() + ".stamp");
  test::write_file(bench.object("never").native() + ".stamp", "5 5\n");
  test::write_file(bench.root / "incoming" / "1", "draft");
  const Cache cache = bench.open();
  CHECK(cache.size() == 4);
  CHECK(cache.contains(sha256_hex("good")));
  CHECK_FALSE(cache.contains(sha256_hex("half")));
  CHECK_FALSE(fs::exists(bench.object("half")));
  CHECK_FALSE(fs::exists(bench.object("stampless")));
  CHECK_FALSE(fs::exists(bench.object("never").native() + ".stamp"));
  CHECK(fs::is_empty(bench.root / "incoming"));
}

TEST_CASE("a process killed while it fills the cache leaves only whole objects") {
  // What is behind Cache, because a forked child must not start threads.
  const test::TemporaryDirectory directory;
  const fs::path root = directory.path / "cache";
  for (int round = 0; round < 5; ++round) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = ObjectStore::open(root, 1 << 20);
      for (int i = 0; store; ++i) {
        const std::string content = std::to_string(round) + ":" + std::to_string(i) + std::string(2000, 'x');
        const fs::path file = directory.path / ("source" + std::to_string(i));
        fs::remove(file);
        test::write_file(file, content);
        (void)(*store)->keep(file, sha256_hex(content));
        if (i == round) (void)!::write(ready[1], "x", 1);
      }
      ::_exit(1);
    }
    ::close(ready[1]);
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto store = ObjectStore::open(root, 1 << 20);
    REQUIRE(store);
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator{root / "objects"}) {
      const std::string name = entry.path().filename();
      if (!entry.is_regular_file() || name.size() != 64) continue;
      CHECK(sha256_hex(test::read_file(entry.path())) == name);
      bytes += entry.file_size();
    }
    CHECK(bytes == (*store)->size());
    CHECK(bytes > 0);
  }
}

TEST_CASE("several jobs use one cache at the same time") {
  Bench bench;
  Cache cache = bench.open(20'000);
  int finished = 0;
  const auto job = [&](int number) -> asio::awaitable<void> {
    for (int i = 0; i < 30; ++i) {
      const std::string content = std::to_string(i % 10) + std::string(3000, 'x');
      const fs::path file = bench.directory.path / (std::to_string(number) + "-" + std::to_string(i));
      const std::string sha256 = sha256_hex(content);
      const auto taken = co_await cache.take(sha256, file);
      if (taken && !*taken) {
        test::write_file(file, content);
        const auto kept = co_await cache.keep(file, sha256);
        CHECK(kept);
      }
      CHECK(test::read_file(file) == content);
      fs::remove(file);
    }
    ++finished;
  };
  for (int number = 0; number < 4; ++number) asio::co_spawn(bench.loop, job(number), asio::detached);
  bench.loop.run();
  CHECK(finished == 4);
  CHECK(cache.size() <= 20'000);
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator{bench.root / "objects"})
    if (entry.is_regular_file() && entry.path().filename().string().size() == 64) bytes += entry.file_size();
  CHECK(bytes == cache.size());
}

TEST_CASE("one process uses a cache at a time") {
  Bench bench;
  const Cache cache = bench.open();
  const auto second = Cache::open(bench.root, 1000, bench.workers);
  REQUIRE_FALSE(second);
  CHECK(second.error().fault == Fault::unavailable);
  CHECK(second.error().message.find("another process") != std::string::npos);
}

TEST_CASE("a full disk loses nothing but the new object") {
  test::SmallDisk disk{128 * 1024};
  if (!disk.usable) {
    WARN("not tested: a small file system can only be mounted by root");
    return;
  }
  Bench bench;
  bench.root = disk.directory.path / "cache";
  Cache cache = bench.open();
  REQUIRE(bench.keep_alone(cache, "content"));
  const auto kept = bench.keep(cache, std::string(200'000, 'x'));
  REQUIRE_FALSE(kept);
  CHECK(kept.error().fault == Fault::retry_later);
  CHECK(kept.error().message.find("the disk is full") != std::string::npos);
  CHECK(cache.size() == 7);
  CHECK(fs::is_empty(bench.root / "incoming"));
  CHECK(bench.take(cache, "content") == "content");
}
