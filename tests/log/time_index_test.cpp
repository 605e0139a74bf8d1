#include "capture_fixture.hpp"

using namespace outpost;
using namespace outpost::log;
using namespace outpost::log::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct HandClock final : Clock {
  [[nodiscard]] Timestamp now() const override { return wall; }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return boot; }
  void pass(std::chrono::milliseconds time) {
    wall += time;
    boot += time;
  }
  Timestamp wall = *parse_rfc3339("2026-11-20T22:00:00Z");
  std::chrono::nanoseconds boot = 1000s;
};

Capture open(const JobDirectory& job, const Clock& clock) {
  auto capture = Capture::open(job.place(), redactor(), clock);
  REQUIRE(capture);
  return std::move(*capture);
}

std::string at(const JobDirectory& job, std::uint64_t offset) {
  LineTimes times{job.place().times()};
  const auto time = times.at(offset);
  return time ? to_rfc3339(*time).substr(11, 12) : "none";
}

}  // namespace

TEST_CASE("every line has the time of the read that began it") {
  const JobDirectory job;
  HandClock clock;
  auto capture = open(job, clock);
  capture.write("one hunter22\n");  // 0: "one ***\n"
  clock.pass(1500ms);
  capture.write("two");  // 8
  clock.pass(1s);
  capture.write(" goes on\nthree\nfo");  // three begins at 20, fo at 26
  clock.pass(1s);
  capture.write("ur\n");
  CHECK(at(job, 0) == "22:00:00.000");
  CHECK(at(job, 8) == "22:00:01.500");
  CHECK(at(job, 20) == "22:00:02.500");
  CHECK(at(job, 26) == "22:00:02.500");
  CHECK(at(job, 1'000'000) == "22:00:02.500");
  CHECK(fs::file_size(job.place().times()) == 24 + 3 * 16);
}

TEST_CASE("times follow the time since boot, whoever sets the clock") {
  const JobDirectory job;
  HandClock clock;
  auto capture = open(job, clock);
  capture.write("one\n");
  clock.pass(1s);
  clock.wall -= 24h;
  capture.write("two\n");
  clock.wall += 24h * 400;
  clock.pass(1s);
  capture.write("three\n");
  CHECK(at(job, 4) == "22:00:01.000");
  CHECK(at(job, 8) == "22:00:02.000");
}

TEST_CASE("the index is smaller than the log, however it comes") {
  const JobDirectory job;
  HandClock clock;
  auto capture = open(job, clock);
  for (int line = 0; line < 1000; ++line) {
    clock.boot += 10us;
    capture.write("x\n");
  }
  CHECK(fs::file_size(job.place().times()) <= 24 + 11 * 16);
}

TEST_CASE("a torn, short, foreign or missing index costs times, nothing else") {
  const JobDirectory job;
  HandClock clock;
  {
    auto capture = open(job, clock);
    for (int line = 0; line < 5; ++line) {
      capture.write("line\n");
      clock.pass(1s);
    }
  }
  const auto whole = read_file(job.place().times());
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_file(job.place().times(), std::string_view{whole}.substr(0, size));
    const auto records = size < 24 ? 0 : (size - 24) / 16;
    CHECK(at(job, 1000) == (records == 0 ? "none" : "22:00:0" + std::to_string(records - 1) + ".000"));
  }
  write_file(job.place().times(), whole + std::string(64, '\0'));  // As a power failure may leave it.
  CHECK(at(job, 1000) == "22:00:04.000");
  write_file(job.place().times(), std::string(200, 'x'));
  CHECK(at(job, 0) == "none");
  fs::remove(job.place().times());
  CHECK(at(job, 0) == "none");
}

TEST_CASE("an index of many records answers in any order") {
  const JobDirectory job;
  HandClock clock;
  auto capture = open(job, clock);
  for (int line = 0; line < 10'000; ++line) {
    capture.write("line\n");
    clock.pass(1ms);
  }
  LineTimes times{job.place().times()};
  const auto began = *times.began();
  for (const std::uint64_t line : {0, 9'999, 5'000, 1, 2, 3, 4'095, 4'096, 4'097, 8'000, 0})
    CHECK(*times.at(line * 5) == began + std::chrono::milliseconds{line});
}
