#include "capture_fixture.hpp"

#include "agent/log/reclaim.hpp"

#include <random>

using namespace outpost;
using namespace outpost::log;
using namespace outpost::log::test;
namespace fs = std::filesystem;

namespace {

/// Lines with secrets in them, some of which lie across any border.
std::string output(std::size_t lines) {
  std::string text;
  for (std::size_t number = 0; number < lines; ++number)
    text += "line " + std::to_string(number) + " hunter22 hunter2 " + to_base64("x:hunter22") + "\n";
  return text;
}

Capture recover(const JobDirectory& job, const Remains& remains) {
  auto capture = Capture::recover(job.place(), redactor(), system_clock(), remains);
  REQUIRE(capture);
  return std::move(*capture);
}

void append(std::vector<job::LogSegment>& all, std::vector<job::LogSegment> more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

TEST_CASE("bytes of a pipe land in segments that are named with their offset") {
  const JobDirectory job;
  StepPipe pipe;
  auto capture = open(job, {.segment_size = 4096});
  CHECK(capture.take(pipe.out()).bytes == 0);
  CHECK(segment_files(job.place()).empty());  // No output, no file.
  const auto text = output(200);
  pipe.print(text);
  while (capture.take(pipe.out()).bytes > 0) {
  }
  pipe.close();
  CHECK(capture.take(pipe.out()).end);
  CHECK(capture.raw_size() == text.size());
  const auto files = segment_files(job.place());
  REQUIRE(files.size() == text.size() / 4096 + 1);
  for (std::size_t index = 0; index < files.size(); ++index) CHECK(files[index].begin == index * 4096);
  CHECK(fs::exists(job.path / "logs/step1.raw.000000004096"));
  CHECK((fs::status(job.place().segment(4096)).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(job.raw() == text);
  REQUIRE(cut(capture, true));
  CHECK(job.log() == redactor().redact(text));
}

TEST_CASE("a step without output leaves no file") {
  const JobDirectory job;
  StepPipe pipe;
  auto capture = open(job);
  pipe.close();
  CHECK(capture.take(pipe.out()).end);
  CHECK_FALSE(cut(capture, true));
  CHECK(fs::is_empty(job.path / "logs"));
  CHECK_FALSE(recover(job, {}).prepare(true));
  CHECK(fs::is_empty(job.path / "logs"));
}

TEST_CASE("what the disk refuses waits in the pipe") {
  const JobDirectory job;
  StepPipe pipe;
  auto capture = open(job);
  pipe.print("12345678abcdefgh\n");
  {
    const FileSizeLimit full{8};
    CHECK(capture.take(pipe.out()).bytes == 8);
    CHECK(capture.take(pipe.out()).refused == EFBIG);
    CHECK(capture.take(pipe.out()).refused == EFBIG);
    CHECK_FALSE(capture.open_gap());
  }
  CHECK(capture.take(pipe.out()).bytes == 9);
  CHECK(job.log() == "12345678abcdefgh\n");
}

TEST_CASE("what is dropped from a pipe is counted exactly") {
  const JobDirectory job;
  StepPipe pipe;
  auto capture = open(job);
  pipe.print("12345678abcdefgh");
  {
    const FileSizeLimit full{8};
    CHECK(capture.take(pipe.out()).bytes == 8);
    CHECK(capture.take(pipe.out()).refused == EFBIG);
    CHECK(capture.drop(pipe.out()).bytes == 8);
    CHECK(capture.drop(pipe.out()).bytes == 0);
  }
  pipe.print("end\n");
  CHECK(capture.take(pipe.out()).bytes == 4);
  CHECK(job.log() == "12345678\n[gap: 8 bytes, File too large]\nend\n");
  pipe.close();
  CHECK(capture.take(pipe.out()).end);
}

TEST_CASE("beyond the limit of a step its pipe is emptied") {
  const JobDirectory job;
  StepPipe pipe;
  auto capture = open(job, {.limit = 10});
  pipe.print("1234567890abcdef");
  CHECK(capture.take(pipe.out()).bytes == 10);
  CHECK(capture.take(pipe.out()).bytes == 6);
  pipe.close();
  CHECK(capture.take(pipe.out()).end);
  REQUIRE(cut(capture, true));
  CHECK(job.log() == "1234567890\n[gap: 6 bytes, the step's limit of 10 bytes of output is reached]\n");
}

TEST_CASE("a packed segment gives the same bytes, and says how many") {
  const JobDirectory job;
  auto capture = open(job, {.segment_size = 50'000});
  const auto text = output(5000);
  for (std::size_t at = 0; at < text.size(); at += 10'000) capture.write(std::string_view{text}.substr(at, 10'000));
  const auto named = pack(capture);
  REQUIRE(named.size() >= 3);
  CHECK(named[1].begin == named[0].size);
  CHECK(named[0].blob.codec == "zstd");
  CHECK(named[0].blob.path == "logs/step1.raw.000000000000.zst");
  CHECK(named[0].blob.size == fs::file_size(job.place().packed(0)));
  CHECK(named[0].blob.sha256 == sha256_hex(read_file(job.place().packed(0))));
  CHECK(SegmentReader::promised_size(job.place().packed(0)) == named[0].size);
  CHECK_FALSE(fs::exists(job.place().segment(0)));
  CHECK((fs::status(job.place().packed(0)).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(job.raw() == text);
}

TEST_CASE("a segment that was torn or changed is not taken for whole") {
  const JobDirectory job;
  auto capture = open(job, {.segment_size = 4096});
  capture.write(output(100));
  pack(capture);
  const auto packed = read_file(job.place().packed(0));
  const auto read = [&] {
    auto reader = SegmentReader::open(job.place(), {0, 0, true});
    std::string chunk(1000, '\0');
    for (;;) {
      const auto size = reader->read(chunk);
      if (!size) return size.error().message;
      if (*size == 0) return std::string{"whole"};
    }
  };
  CHECK(read() == "whole");
  for (std::size_t size = 0; size < packed.size(); size += 7) {
    write_file(job.place().packed(0), std::string_view{packed}.substr(0, size));
    CHECK(read().find("is torn") != std::string::npos);
  }
  auto changed = packed;
  changed[packed.size() / 2] ^= 1;
  write_file(job.place().packed(0), changed);
  CHECK(read().find("is damaged") != std::string::npos);
}

TEST_CASE("the redactor goes on from any place with what an event holds") {
  const std::string text = "aabcdefghi hunter22hunter22 abcdef xabcdxefgh";
  Redactor whole;
  for (const auto secret : {"abcdef", "defghi", "hunter22", "22hu", "abcdx"}) whole.add(secret);
  const auto expected = whole.redact(text);
  for (std::size_t border = 0; border <= text.size(); ++border) {
    auto first = whole;
    auto out = first.feed(std::string_view{text}.substr(0, border));
    const auto state = redactor_state_from_json(to_json(first.state()));
    auto second = whole;
    second.resume(state);
    for (std::size_t at = border - state.held; at < text.size(); ++at)
      out += second.feed(std::string_view{text}.substr(at, 1));
    CHECK(out + second.flush() == expected);
  }
}

TEST_CASE("a redactor's state that is not one is taken for nothing held") {
  namespace json = boost::json;
  CHECK(redactor_state_from_json({}).held == 0);
  CHECK(redactor_state_from_json({{"held", -1}}).held == 0);
  CHECK(redactor_state_from_json({{"held", 4}, {"hidden", json::array{json::array{2, 9}}}}).hidden.empty());
  CHECK(redactor_state_from_json({{"held", 4}, {"hidden", json::array{json::array{0, 1}, json::array{1, 2}}}}).held ==
        0);
  CHECK(redactor_state_from_json({{"held", 4}, {"hidden", json::array{json::array{0, 1}, 7}}}).held == 0);
}

TEST_CASE("recovery begins at the last segment before what was not cut, whatever is gone before it") {
  const auto text = output(400);
  const auto expected = redactor().redact(text);
  for (std::size_t stop = 1000; stop < text.size(); stop += 3001) {
    CAPTURE(stop);
    const JobDirectory job;
    std::vector<job::LogSegment> named;
    std::uint64_t cut_bytes = 0;
    {
      auto capture = open(job, {.segment_size = 4096});
      for (std::size_t at = 0; at < stop; at += 500) {
        capture.write(std::string_view{text}.substr(at, std::min<std::size_t>(500, stop - at)));
        if (at == stop / 1000 * 500) cut_bytes = cut(capture, false)->blob.range->offset + capture.log_size();
        append(named, pack(capture));
      }
    }
    job::Story story;
    story.steps.push_back({.id = "step1", .cut_bytes = cut_bytes, .segments = named});
    std::uint64_t freed = 0;
    for (const auto& each : freeable(job.path, story, {{"step1", cut_bytes}})) {
      if (!each.blob.range) freed += each.blob.size;
      REQUIRE(free(job.path, each));
    }
    CHECK((cut_bytes < 12'000 || freed > 0));
    fs::resize_file(job.place().log(),
                    std::max(cut_bytes, fs::file_size(job.place().log()) - 300));  // A crash before it was written.
    auto capture = recover(job, {.cut_bytes = cut_bytes, .segments = named});
    const auto log = job.log();
    CHECK(log.substr(cut_bytes) == redactor().redact(text.substr(0, stop)).substr(cut_bytes));
    CHECK(capture.take_gaps().empty());
  }
}

TEST_CASE("what can be freed goes oldest first, and offsets stay") {
  const JobDirectory job;
  auto capture = open(job, {.segment_size = 64 * 1024});
  for (int part = 0; part < 40; ++part) capture.write(output(200));
  const auto named = pack(capture);
  REQUIRE(named.size() > 3);
  const auto cut_bytes = cut(capture, false)->blob.size;
  job::Story story;
  story.steps.push_back({.id = "step1", .cut_bytes = cut_bytes, .segments = named});
  CHECK(freeable(job.path, story, {}).empty());
  CHECK(freeable(job.path, story, {{"step1", 100}}).empty());

  const auto before = job.log();
  const auto all = freeable(job.path, story, {{"step1", cut_bytes / 2}});
  REQUIRE(all.size() >= 2);
  CHECK(all.front().blob.path == named.front().blob.path);
  REQUIRE(all.back().blob.range);
  CHECK(all.back().blob.path == "logs/step1.log");
  CHECK(all.back().blob.size <= cut_bytes / 2);
  for (const auto& each : all) {
    const auto got = free(job.path, each);
    REQUIRE(got);
    CHECK(*got == each.bytes);
    CHECK(*free(job.path, each) == 0);
  }
  CHECK(freeable(job.path, story, {{"step1", cut_bytes / 2}}).empty());
  CHECK(job.log().substr(cut_bytes / 2) == before.substr(cut_bytes / 2));

  // Once the step has ended and everything is delivered, nothing of it has to stay.
  cut(capture, true);
  story.steps.front().ended = true;
  for (const auto& each : freeable(job.path, story, {{"step1", cut_bytes}})) REQUIRE(free(job.path, each));
  CHECK(segment_files(job.place()).empty());
}

TEST_CASE("files and events are brought together after a crash, wherever it was") {
  const JobDirectory job;
  const auto text = output(300);
  std::vector<job::LogSegment> named;
  {
    auto capture = open(job, {.segment_size = 4096});
    capture.write(std::string_view{text}.substr(0, 5000));
    capture.write(std::string_view{text}.substr(5000));
    named = pack(capture, false);
  }
  REQUIRE(named.size() == 2);
  const auto healed = [&](const std::vector<job::LogSegment>& events) {
    auto capture = recover(job, {.segments = events});
    CHECK(job.log() == redactor().redact(text));
    CHECK(job.raw() == text);
    return std::vector<std::string>{capture.problems()};
  };
  SECTION("named, and both files are there: the plain one goes") {
    CHECK(healed(named).empty());
    CHECK_FALSE(fs::exists(job.place().segment(0)));
    CHECK(fs::exists(job.place().packed(0)));
  }
  SECTION("not named: the packed one goes") {
    CHECK(healed({}).empty());
    CHECK(fs::exists(job.place().segment(0)));
    CHECK_FALSE(fs::exists(job.place().packed(0)));
  }
  SECTION("half a packed one goes") {
    fs::resize_file(job.place().packed(0), 20);
    CHECK(healed(named).empty());
    CHECK(fs::exists(job.place().segment(0)));
    CHECK_FALSE(fs::exists(job.place().packed(0)));
  }
  SECTION("an event was lost with the end of the journal: the packed one counts") {
    fs::remove(job.place().segment(0));
    CHECK(healed({}).empty());
    CHECK(fs::exists(job.place().packed(0)));
  }
  SECTION("named, but no file is there: that is said") {
    fs::remove(job.place().segment(0));
    fs::remove(job.place().packed(0));
    auto capture = recover(job, {.segments = named});
    REQUIRE(capture.problems().size() == 1);
    CHECK(capture.problems().front() ==
          "the segment logs/step1.raw.000000000000.zst of 5000 bytes of output is named by the journal, but is not "
          "there");
    CHECK(job.log() == redactor().redact(text));  // The redacted log had it already.
    named.front().freed = true;
    CHECK(recover(job, {.segments = named}).problems().empty());
  }
  SECTION("a segment in the middle is gone, and the log too") {
    fs::remove(job.place().segment(0));
    fs::remove(job.place().packed(0));
    fs::remove(job.place().log());
    auto capture = recover(job, {});
    const auto gaps = capture.take_gaps();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps.front().bytes == 5000);
    CHECK(job.log() ==
          "[gap: 5000 bytes, raw output is missing after a restart]\n" + redactor().redact(text.substr(5000)));
  }
  SECTION("a damaged segment costs only itself") {
    fs::remove(job.place().segment(0));
    fs::remove(job.place().log());
    auto packed = read_file(job.place().packed(0));
    packed[packed.size() / 2] ^= 1;
    write_file(job.place().packed(0), packed);
    auto capture = recover(job, {.segments = named});
    REQUIRE(capture.problems().size() == 1);
    CHECK(capture.problems().front().find("is damaged") != std::string::npos);
    CHECK(job.log().find("bytes, the raw segment is damaged]\n" + redactor().redact(text.substr(5000))) !=
          std::string::npos);
  }
}

TEST_CASE("after a power failure a line says that the end may be missing") {
  const JobDirectory job;
  {
    open(job).write("one hunter22\ntwo");
  }
  const std::string line = "[gap: unknown bytes, the machine went down while the step was running]\n";
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto capture = recover(job, {.machine_restarted = true});
    CHECK(job.log() == "one ***\ntwo\n" + line);
    CHECK(capture.take_gaps().size() == (attempt == 0 ? 1 : 0));
    REQUIRE(cut(capture, true));
  }
}

TEST_CASE("zeros at the end of files are what a power failure left, and no output") {
  const JobDirectory job;
  const std::string zeros(100'000, '\0');
  const auto files = [&](std::string_view raw, std::string_view log) {
    write_file(job.place().segment(0), raw);
    write_file(job.place().log(), log);
  };
  const auto recovered = [&](Remains remains) {
    REQUIRE(Capture::recover(job.place(), redactor(), system_clock(), remains));
    return job.log();
  };
  const std::string mark = "[gap: unknown bytes, the machine went down while the step was running]\n";
  files("one\ntwo\nthr" + zeros, "one\ntwo\n" + zeros);
  CHECK(recovered({.cut_bytes = 4, .machine_restarted = true}) == "one\ntwo\nthr\n" + mark);
  // What has been cut was synced; a segment of which nothing got to the disk is none.
  files(zeros, "one\n" + zeros);
  CHECK(recovered({.cut_bytes = 6, .machine_restarted = true}) == std::string{"one\n\0\0", 6} + "\n" + mark);
  CHECK_FALSE(std::filesystem::exists(job.place().segment(0)));
  // When only the agent died, they are the hook's.
  files("one\n" + zeros, "one\n");
  CHECK(recovered({.cut_bytes = 4}) == "one\n" + zeros);
}
