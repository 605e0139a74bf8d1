#include "agent/log/log_reader.hpp"

#include "agent/log/reclaim.hpp"
#include "capture_fixture.hpp"

using namespace outpost;
using namespace outpost::log;
using namespace outpost::log::test;

namespace {

LogReader reader(const JobDirectory& job) {
  auto opened = LogReader::open(job.place());
  REQUIRE(opened);
  return std::move(*opened);
}

}  // namespace

TEST_CASE("lines come with their offsets and times, and more of them when the log has grown") {
  const JobDirectory job;
  auto capture = open(job);
  capture.write("one hunter22\n\nTWO!");
  auto read = reader(job);
  const auto one = read.next();
  REQUIRE(one);
  CHECK(one->text == "one ***");
  CHECK(one->offset == 0);
  CHECK(one->ends);
  CHECK(one->time);
  CHECK(read.next()->text.empty());
  const auto two = read.next();
  CHECK(two->text == "TWO!");
  CHECK_FALSE(two->ends);
  CHECK_FALSE(read.next());
  capture.write(" goes on\nthree\n");
  const auto rest = read.next();
  CHECK(rest->text == " goes on");
  CHECK_FALSE(rest->begins);
  CHECK(rest->offset == two->offset + 4);
  CHECK(read.next()->text == "three");
  read.seek(9);
  CHECK(read.next()->text == "TWO! goes on");
}

TEST_CASE("a long line comes in parts") {
  const JobDirectory job;
  auto capture = open(job);
  const std::string part(100'000, 'x');
  for (int count = 0; count < 10; ++count) capture.write(part);
  capture.write("\nnext\n");
  auto read = reader(job);
  std::size_t size = 0, parts = 0;
  for (bool ends = false; !ends; ++parts) {
    const auto line = read.next();
    REQUIRE(line);
    CHECK(line->text.size() <= LogReader::longest_part);
    CHECK(line->begins == (parts == 0));
    size += line->text.size();
    ends = line->ends;
  }
  CHECK(size == 1'000'000);
  CHECK(read.next()->text == "next");
}

TEST_CASE("what the disk got back is said, and the rest is where it was") {
  const JobDirectory job;
  auto capture = open(job);
  for (int number = 0; number < 10'000; ++number) capture.write("line " + std::to_string(number) + "\n");
  const auto cut_bytes = cut(capture, false)->blob.size;
  job::Story story;
  story.steps.push_back({.id = "step1", .cut_bytes = cut_bytes});
  const auto all = freeable(job.path, story, {{"step1", cut_bytes / 2}});
  REQUIRE(all.size() == 1);
  REQUIRE(free(job.path, all[0]));
  auto read = reader(job);
  const auto gone = read.next();
  REQUIRE(gone);
  CHECK(gone->given_back == all[0].blob.size);
  const auto line = read.next();
  CHECK(line->offset == gone->given_back);
  CHECK(job.log().substr(line->offset, line->text.size()) == line->text);
}
