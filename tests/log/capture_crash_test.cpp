// The agent is killed at every point of taking output in, cutting pieces and packing segments: afterwards every byte
// that it had taken from the pipe is in the log, once.
#include "capture_fixture.hpp"

#include "agent/log/secret_forms.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <fstream>

using namespace outpost;
using namespace outpost::log;
using namespace outpost::log::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

/// Where the agent may die; it does at the one with the number that was asked for.
struct Points {
  int fatal = 0, count = 0;
  void pass() {
    if (count++ == fatal) ::raise(SIGKILL);
  }
};

/// What stands for the journal: a line for each event.
void journal(const fs::path& events, const json::object& event) {
  std::ofstream{events, std::ios::app} << json::serialize(event) << "\n";
}

Remains replay(const fs::path& events);

/// The agent, from the first byte to the last piece; or from where one before it has died.
int agent(const Place& place, int pipe, const fs::path& events, Points points, bool resumes = false) {
  const CaptureOptions options{.segment_size = 3000};
  auto capture = resumes ? Capture::resume(place, redactor(), system_clock(), replay(events), options)
                         : Capture::open(place, redactor(), system_clock(), options);
  if (!capture || !capture->problems().empty()) return 1;
  const auto cut_piece = [&](bool last) {
    const auto piece = capture->prepare(last);
    points.pass();
    if (!piece) return;
    const auto synced = piece->sync();
    points.pass();
    journal(events, {{"cut", synced->blob.range->offset + synced->blob.size}});
    points.pass();
    capture->taken(*synced);
  };
  const auto pack_segments = [&] {
    const std::vector<Segment> closed = capture->closed();
    for (const auto& segment : closed) {
      const auto blob = segment.pack();
      points.pass();
      if (!blob || !sync_for_naming(place)) ::_exit(2);
      journal(events, {{"begin", segment.begin},
                       {"size", segment.size},
                       {"redacted", segment.redacted},
                       {"redactor", to_json(segment.redactor)},
                       {"path", blob->path},
                       {"bytes", blob->size}});
      points.pass();
      segment.remove_plain();
      points.pass();
    }
    capture->named(closed.size());
  };
  for (int turn = 0;; ++turn) {
    const auto taken = capture->take(pipe, 1000);
    points.pass();
    if (taken.end) break;
    if (turn % 5 == 4) cut_piece(false);
    if (turn % 7 == 6) pack_segments();
  }
  cut_piece(true);
  return 0;
}

Remains replay(const fs::path& events) {
  Remains remains;
  std::ifstream file{events};
  for (std::string line; std::getline(file, line);) {
    const auto event = json::parse(line).as_object();
    if (const auto* cut = event.if_contains("cut")) {
      remains.cut_bytes = cut->to_number<std::uint64_t>();
      continue;
    }
    const auto number = [&](const char* key) { return event.at(key).to_number<std::uint64_t>(); };
    remains.segments.push_back({number("begin"),
                                number("size"),
                                number("redacted"),
                                event.at("redactor").as_object(),
                                {.path = job::text_at(event, "path"), .size = number("bytes")},
                                false});
  }
  return remains;
}

}  // namespace

TEST_CASE("killed at any point, the agent has every byte that it took, once, and offsets stay") {
  std::string text;
  for (int number = 0; number < 500; ++number)
    text += "line " + std::to_string(number) + " hunter22 hunter2 " + to_base64("x:hunter22") + "\n";
  int deaths = 0;
  for (int fatal = 0;; ++fatal) {
    CAPTURE(fatal);
    const JobDirectory job;
    const auto events = job.path / "events";
    StepPipe pipe;
    pipe.print(text);
    pipe.close();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(agent(job.place(), pipe.out(), events, {.fatal = fatal}));
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
      REQUIRE(WEXITSTATUS(status) == 0);
      CHECK(job.raw() == text);
      break;
    }
    ++deaths;
    int left = 0;
    REQUIRE(::ioctl(pipe.out(), FIONREAD, &left) == 0);
    const auto taken = text.substr(0, text.size() - static_cast<std::size_t>(left));
    const auto remains = replay(events);
    const auto before = job.log().substr(0, remains.cut_bytes);
    CHECK(job.raw().size() >= taken.size());  // A segment may be there twice until it is settled.

    auto capture = Capture::recover(job.place(), redactor(), system_clock(), remains);
    REQUIRE(capture);
    CHECK(capture->problems().empty());
    CHECK(job.raw() == taken);
    CHECK(job.log() == redactor().redact(taken));
    CHECK(job.log().substr(0, remains.cut_bytes) == before);
    if (const auto piece = cut(*capture, true)) CHECK(piece->blob.range->offset == remains.cut_bytes);
  }
  CHECK(deaths > 50);
}

TEST_CASE("killed again and again, agents that go on with a living step give one log, as if there had been one") {
  std::string text;
  for (int number = 0; number < 500; ++number)
    text += "line " + std::to_string(number) + " hunter22 hunter2 " + to_base64("x:hunter22") + "\n";
  for (int lifetime = 1; lifetime < 25; lifetime += 1 + lifetime / 8) {
    CAPTURE(lifetime);
    const JobDirectory job;
    const auto events = job.path / "events";
    StepPipe pipe;
    pipe.print(text);
    pipe.close();
    for (int agents = 0;; ++agents) {
      REQUIRE(agents < 1000);
      const pid_t child = ::fork();
      // The first point comes after something was done, so that each gets further than the one before.
      if (child == 0)
        ::_exit(agent(job.place(), pipe.out(), events, {.fatal = lifetime + agents % 7}, agents > 0));
      int status = 0;
      ::waitpid(child, &status, 0);
      if (!WIFEXITED(status)) continue;
      REQUIRE(WEXITSTATUS(status) == 0);
      break;
    }
    CHECK(job.raw() == text);
    CHECK(job.log() == redactor().redact(text));
    CHECK(replay(events).cut_bytes == job.log().size());
  }
}

TEST_CASE("a secret over any border is hidden: of reads, of segments, and of a crash") {
  const std::string secret = "one-Secret\nof two/lines";
  for (const auto& form : forms_of(secret)) {
    for (std::size_t border = 1; border < form.size(); ++border) {
      const std::string text = "before " + form + " after";
      const JobDirectory job;
      StepPipe pipe;
      Redactor hides;
      hides.add(secret);
      const auto expected = hides.redact(text);
      Remains remains;
      {
        auto capture = Capture::open(job.place(), hides, system_clock(), {.segment_size = 7 + border});
        REQUIRE(capture);
        pipe.print(std::string_view{text}.substr(0, 7 + border));
        REQUIRE(capture->take(pipe.out()).bytes == 7 + border);
        if (const auto piece = cut(*capture, false)) remains.cut_bytes = piece->blob.size;
        remains.segments = pack(*capture);
        REQUIRE(remains.segments.size() == 1);
        pipe.print(std::string_view{text}.substr(7 + border));
        while (capture->take(pipe.out()).bytes > 0) {
        }
        if (border % 2 == 0) REQUIRE(capture->prepare(true));
        if (border % 2 == 0) CHECK(job.log() == expected);
      }
      {
        auto capture = Capture::resume(job.place(), hides, system_clock(), remains);
        REQUIRE(capture);
        REQUIRE(expected.starts_with(job.log()));
      }
      auto capture = Capture::recover(job.place(), hides, system_clock(), remains);
      REQUIRE(capture);
      if (job.log() != expected) FAIL("border " << border << " of " << form << ": " << job.log());
    }
  }
}
