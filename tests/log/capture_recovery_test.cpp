#include "capture_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <random>

using namespace outpost;
using namespace outpost::log;
using namespace outpost::log::test;
namespace fs = std::filesystem;

namespace {

Capture recover(const JobDirectory& job, std::uint64_t cut_bytes, Redactor with = redactor()) {
  auto capture = Capture::recover(job.place(), std::move(with), system_clock(), {.cut_bytes = cut_bytes});
  REQUIRE(capture);
  return std::move(*capture);
}

void files(const JobDirectory& job, std::string_view raw, std::string_view log) {
  write_file(job.place().segment(0), raw);
  write_file(job.place().log(), log);
}

}  // namespace

TEST_CASE("the log is completed from the raw file, and the last piece holds the rest") {
  const JobDirectory job;
  files(job, "one hunter22\ntwo hunter22\nthree hun", "one ***\ntw");
  auto capture = recover(job, 8);
  CHECK(job.log() == "one ***\ntwo ***\nthree hun");
  const auto piece = cut(capture, true);
  REQUIRE(piece);
  CHECK(piece->last);
  CHECK(piece->blob.range->offset == 8);
  CHECK(piece->blob.sha256 == sha256_hex("two ***\nthree hun"));
  CHECK_FALSE(capture.prepare(true));
  CHECK(capture.take_gaps().empty());
}

TEST_CASE("a log that differs is written anew, but not what has been cut") {
  const JobDirectory job;
  files(job, "one\ntwo\nthree\n", "one\ntwX\nthree and more than there was\n");
  auto capture = recover(job, 4);
  CHECK(job.log() == "one\ntwo\nthree\n");
  CHECK(cut(capture, true)->blob.sha256 == sha256_hex("two\nthree\n"));
}

TEST_CASE("when the secrets changed the cut part stays and the rest is repeated rather than lost") {
  const JobDirectory job;
  files(job, "a token1234 b\nc token1234 d\ne\n", "a token1234 b\nc tok");
  for (int attempt = 0; attempt < 2; ++attempt) {  // The second time, after a crash in the first.
    auto capture = recover(job, 16, redactor({"token1234"}));
    const std::string repeated = "[redacted anew after a restart: repeated from byte 2]\n*** b\nc *** d\ne\n";
    CHECK(job.log() == "a token1234 b\nc \n" + repeated);
    CHECK(capture.prepare(true)->offset == 16);
  }
}

TEST_CASE("missing and torn files are no obstacle") {
  SECTION("nothing was written yet") {
    const JobDirectory job;
    auto capture = recover(job, 0);
    CHECK_FALSE(capture.prepare(true));
    CHECK(capture.complete());
  }
  SECTION("no log") {
    const JobDirectory job;
    write_file(job.place().segment(0), "one hunter22\n");
    auto capture = recover(job, 0);
    CHECK(job.log() == "one ***\n");
    CHECK(cut(capture, true)->blob.size == 8);
  }
  SECTION("no log, though a piece of it was announced") {
    const JobDirectory job;
    write_file(job.place().segment(0), "one hunter22\ntwo\n");
    auto capture = recover(job, 8);
    CHECK(cut(capture, true)->blob.sha256 == sha256_hex("two\n"));
  }
  SECTION("no raw file") {
    const JobDirectory job;
    write_file(job.place().log(), "one ***\ntwo\n");
    auto capture = recover(job, 8);
    CHECK(cut(capture, true)->blob.sha256 == sha256_hex("two\n"));
  }
  SECTION("a raw file that ends early") {
    const JobDirectory job;
    files(job, "one hun", "one ***\ntwo\n");
    auto capture = recover(job, 8);
    CHECK(job.log().find("one ***\n") == 0);
    CHECK(capture.prepare(true));
  }
  SECTION("nothing is left of what was announced") {
    const JobDirectory job;
    auto capture = recover(job, 100);
    CHECK_FALSE(capture.prepare(true));
    const auto gaps = capture.take_gaps();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].bytes == 100);
    CHECK(gaps[0].offset == 0);
  }
}

TEST_CASE("a recovered log takes no more output") {
  const JobDirectory job;
  files(job, "one\n", "one\n");
  auto capture = recover(job, 0);
  capture.write("more");
  CHECK(job.log() == "one\n");
  CHECK(job.raw() == "one\n");
}

TEST_CASE("a crash after the last cut was prepared, but before it was journaled, changes nothing") {
  const JobDirectory job;
  {
    auto capture = open(job);
    capture.write("one\nhunter");
    REQUIRE(capture.prepare(true));
    CHECK(job.log() == "one\nhunter");
  }
  auto capture = recover(job, 4);
  CHECK(job.log() == "one\nhunter");
  CHECK(cut(capture, true)->blob.size == 6);
}

TEST_CASE("after a SIGKILL at any moment the log is the redaction of all raw bytes") {
  std::mt19937 random{4711};
  for (int round = 0; round < 25; ++round) {
    const JobDirectory job;
    int cuts[2];
    REQUIRE(::pipe(cuts) == 0);
    const unsigned kill_after = 1 + random() % 60;
    const pid_t writer = ::fork();
    if (writer == 0) {
      // Writes lines with secrets in pieces that cut them anywhere, and tells after each cut how far the log goes.
      ::close(cuts[0]);
      auto capture = Capture::open(job.place(), redactor(), system_clock());
      if (!capture) ::_exit(1);
      std::string text;
      for (std::uint32_t number = 0;; ++number) {
        text += "line " + std::to_string(number) + " hunter22 hunter2 " + to_base64("x:hunter22") + "\n";
        const auto size = 1 + number * 7919 % text.size();
        capture->write(std::string_view{text}.substr(0, size));
        text.erase(0, size);
        if (number % 10 != 0) continue;
        const auto piece = capture->prepare(false);
        if (!piece) continue;
        const auto synced = piece->sync();
        if (!synced) ::_exit(2);
        capture->taken(*synced);
        const std::uint64_t end = synced->blob.range->offset + synced->blob.size;
        if (::write(cuts[1], &end, sizeof end) != sizeof end) ::_exit(3);
      }
    }
    ::close(cuts[1]);
    std::uint64_t announced = 0;
    for (unsigned count = 0; count < kill_after; ++count)
      REQUIRE(::read(cuts[0], &announced, sizeof announced) == sizeof announced);
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    for (std::uint64_t more = 0; ::read(cuts[0], &more, sizeof more) == sizeof more;) announced = more;
    ::close(cuts[0]);

    const auto before = job.log();
    REQUIRE(before.size() >= announced);
    auto capture = recover(job, announced);
    const auto raw = job.raw();
    CHECK(raw.find("hunter22") != std::string::npos);
    CHECK(job.log() == redactor().redact(raw));
    CHECK(job.log().find("hunter22") == std::string::npos);
    CHECK(job.log().substr(0, before.size()) == before);
    const auto piece = capture.prepare(true);
    if (piece) CHECK(piece->offset == announced);
  }
}
