// Unpacking in a process of its own: what crosses the border to it. What is unpacked, and what is refused, is in
// unpack_test.cpp.
#include "agent/files/unpacker.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/files/archive/sandbox.hpp"
#include "files/tar_writer.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

using namespace outpost;
using namespace outpost::files;
using test::end_mark;
using test::raw_entry;
using test::TarWriter;
namespace fs = std::filesystem;

namespace {

struct Bench {
  Result<Unpacked> run(const fs::path& program = OUTPOST_UNPACK, UnpackLimits limits = {}) {
    const Unpacker unpacker{program, workers};
    return test::await(loop, unpacker.unpack(archive, target, limits));
  }
  fs::path script(const std::string& text) const {
    const fs::path path = directory.path / "script";
    test::write_file(path, "#!/bin/sh\n" + text + "\n");
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  [[nodiscard]] bool nothing_written() const { return !fs::exists(target) && !fs::exists(draft); }

  test::TemporaryDirectory directory;
  fs::path archive = directory.path / "component.tar", target = directory.path / "out",
           draft = directory.path / "out.unpacking";
  boost::asio::io_context loop;
  Workers workers{1};
};

void write_sample(const fs::path& archive) {
  TarWriter tar{archive, "zstd"};
  tar.file("repo/a.rpm", std::string(100'000, 'a'));
  tar.hard_link("again", "repo/a.rpm");
}

/// What a child of ours returns from `work`.
template <class Work>
int in_a_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a coroutine that unpacks gets the counts, or the error of the other process") {
  Bench bench;
  write_sample(bench.archive);
  const auto unpacked = bench.run();
  REQUIRE(unpacked);
  CHECK(unpacked->entries == 2);
  CHECK(unpacked->bytes == 100'000);
  CHECK(fs::equivalent(bench.target / "again", bench.target / "repo/a.rpm"));

  fs::remove_all(bench.target);
  const auto limited = bench.run(OUTPOST_UNPACK, {.entries = 1});
  REQUIRE_FALSE(limited);
  CHECK(limited.error().fault == Fault::refused);
  CHECK(limited.error().message == bench.archive.string() + ": more than 1 entries; raise the limit if this is right");
  CHECK(bench.nothing_written());

  // Names of files are bytes.
  test::write_file(bench.archive, raw_entry("../\xff\x1b", '0', "x") + end_mark());
  const auto evil = bench.run();
  REQUIRE_FALSE(evil);
  CHECK(evil.error().message.find("refused, its name has \"..\" in it") != std::string::npos);
}

TEST_CASE("a coroutine that unpacks can be cancelled") {
  Bench bench;
  write_sample(bench.archive);
  // The only worker is busy until the cancellation is out, so that it always comes first.
  std::stop_source cancelled;
  boost::asio::cancellation_signal stop;
  auto busy = [token = cancelled.get_token()] {
    while (!token.stop_requested()) std::this_thread::yield();
    return 0;
  };
  boost::asio::co_spawn(bench.loop, bench.workers.run(std::move(busy)), [](std::exception_ptr, int) {});
  boost::asio::post(bench.loop, [&] {
    boost::asio::post(bench.loop, [&] {
      stop.emit(boost::asio::cancellation_type::terminal);
      boost::asio::post(bench.loop, [&] { cancelled.request_stop(); });
    });
  });
  const Unpacker unpacker{OUTPOST_UNPACK, bench.workers};
  const auto result =
      test::await(bench.loop, unpacker.unpack(bench.archive, bench.target), std::chrono::seconds{120}, &stop);
  REQUIRE_FALSE(result);
  CHECK(result.error().fault == Fault::cancelled);
  CHECK(bench.nothing_written());
}

TEST_CASE("a cancelled process hears the end of the stream, and what it says then counts") {
  Bench bench;
  write_sample(bench.archive);
  // It says that it is there; the cancellation comes after that; it answers when its standard input ends.
  const auto program = bench.script("touch " + (bench.directory.path / "there").string() +
                                    "; cat >/dev/null; printf '{\"fault\": 5, \"message\": \"heard\"}' >&0");
  boost::asio::cancellation_signal stop;
  std::thread watch{[&] {
    while (!fs::exists(bench.directory.path / "there")) std::this_thread::yield();
    boost::asio::post(bench.loop, [&] { stop.emit(boost::asio::cancellation_type::terminal); });
  }};
  const Unpacker unpacker{program, bench.workers};
  const auto result =
      test::await(bench.loop, unpacker.unpack(bench.archive, bench.target), std::chrono::seconds{120}, &stop);
  watch.join();
  REQUIRE_FALSE(result);
  CHECK(result.error().fault == Fault::cancelled);
}

TEST_CASE("a process that dies is named, with how it ended, and leaves nothing") {
  Bench bench;
  write_sample(bench.archive);
  fs::create_directories(bench.draft / "half");
  const auto killed = bench.run(bench.script("kill -KILL $$"));
  REQUIRE_FALSE(killed);
  CHECK(killed.error().fault == Fault::unavailable);
  CHECK(killed.error().message.find("script was killed by signal 9 before it had unpacked it") != std::string::npos);
  CHECK(bench.nothing_written());

  const auto silent = bench.run(bench.script("echo nonsense >&0"));
  REQUIRE_FALSE(silent);
  CHECK(silent.error().message.find("script ended with status 0 before it") != std::string::npos);

  const auto missing = bench.run(bench.directory.path / "nowhere");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message ==
        "cannot start " + (bench.directory.path / "nowhere").string() + ": No such file or directory");
}

TEST_CASE("outpost-unpack ends with the agent, and leaves all or nothing") {
  Bench bench;
  write_sample(bench.archive);
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  Descriptor agent{sockets[0]}, theirs{sockets[1]};
  agent.close();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  std::string words[] = {
      OUTPOST_UNPACK, bench.archive.string(), bench.target.string(), "1000000", "10", "200", "1000", "9"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), words[4].data(),
                       words[5].data(), words[6].data(), words[7].data(), nullptr};
  pid_t pid = -1;
  REQUIRE(::posix_spawn(&pid, OUTPOST_UNPACK, &actions, nullptr, arguments, environ) == 0);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  CHECK_FALSE(fs::exists(bench.draft));
}

TEST_CASE("in the sandbox there are no sockets, no programs, and no files but those of the archive") {
  Bench bench;
  test::write_file(bench.archive, "archive");
  const fs::path outside = bench.directory.path / "outside", inside = bench.directory.path / "in";
  fs::create_directory(inside);
  test::write_file(outside, "secret");
  enum : int { fine, socket_made, program_run, outside_read, outside_written, archive_lost, inside_lost, dumps };
  const int found = in_a_child([&] {
    enter_sandbox(bench.archive, inside / "target");
    if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return socket_made;
    char* arguments[] = {nullptr};
    ::execve("/bin/true", arguments, arguments);
    if (errno != EPERM) return program_run;
    if (::open(bench.archive.c_str(), O_RDONLY) < 0) return archive_lost;
    if (::open((inside / "new").c_str(), O_WRONLY | O_CREAT, 0600) < 0) return inside_lost;
    rlimit cores{};
    ::getrlimit(RLIMIT_CORE, &cores);
    if (cores.rlim_max != 0) return dumps;
    if (::open(outside.c_str(), O_RDONLY) >= 0) return outside_read;
    if (::open((bench.directory.path / "other").c_str(), O_WRONLY | O_CREAT, 0600) >= 0) return outside_written;
    return fine;
  });
  if (found == outside_read) {
    WARN("SKIPPED: files outside: this kernel has no Landlock");
    return;
  }
  CHECK(found == fine);
}
