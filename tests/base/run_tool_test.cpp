#include "agent/base/run_tool.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

using namespace outpost;
using namespace std::chrono_literals;

namespace {

/// Waits until nobody holds a FIFO's other end any more: everything that was started with it is gone. Where nobody ever
/// has, poll() would not end, so read() is asked first.
bool all_gone(int fifo) {
  for (;;) {
    char piece = 0;
    const auto got = ::read(fifo, &piece, 1);
    if (got == 0) return true;
    if (got > 0 || errno == EINTR) continue;
    pollfd readable{fifo, POLLIN, 0};
    if (errno != EAGAIN || ::poll(&readable, 1, 60'000) <= 0) return false;
  }
}

}  // namespace

TEST_CASE("a tool's output and its end are told") {
  const auto end = run_tool({.words = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
  REQUIRE(end);
  CHECK(end->status == 3);
  CHECK(end->output == "out\n");
  CHECK(run_tool({.words = {"sh", "-c", "echo err >&2"}, .errors_too = true})->output == "err\n");
  CHECK(run_tool({.words = {"sh", "-c", "kill -9 $$"}})->status == 128 + 9);
  CHECK(run_tool({.words = {"pwd"}, .directory = "/usr"})->output == "/usr\n");
}

TEST_CASE("a tool that is not installed is told from one that fails") {
  const auto end = run_tool({.words = {"outpost-no-such-tool"}, .limit = 1h});
  REQUIRE_FALSE(end);
  CHECK(end.error().fault == Fault::unavailable);
  CHECK(end.error().message.find("outpost-no-such-tool") != std::string::npos);
}

TEST_CASE("a tool that ends in time is not touched by its limit") {
  const auto end = run_tool({.words = {"sh", "-c", "exec >&-; exit 4"}, .limit = 1h});
  REQUIRE(end);
  CHECK(end->status == 4);
}

TEST_CASE("a tool that does not end is killed at its limit, with what it started") {
  const test::TemporaryDirectory directory;
  const auto path = directory.path / "alive";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int alive = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(alive >= 0);
  const std::string holds = "exec 9>'" + path.native() + "'; ";
  const auto script = GENERATE(as<std::string>{}, "sleep 1000 & sleep 1000", "exec >&-; sleep 1000");
  const auto end = run_tool({.words = {"sh", "-c", holds + script}, .limit = 300ms});
  REQUIRE_FALSE(end);
  CHECK(end.error().fault == Fault::retry_later);
  CHECK(end.error().message == "sh did not end within 300ms and was killed");
  CHECK(all_gone(alive));
  ::close(alive);
}
