#include "agent/pipeline/step_log.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/printing.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;
namespace fs = std::filesystem;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

/// Says when it is asked for the time so often that the loop cannot have got to anything else.
struct CountingClock final : Clock {
  [[nodiscard]] Timestamp now() const override { return SystemClock{}.now(); }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override {
    if (++asked == limit) too_often();
    return SystemClock{}.since_boot();
  }
  mutable int asked = 0;
  int limit = -1;
  std::function<void()> too_often;
};

/// A step that prints, its log, and the journal that hears of it.
struct World {
  World() { fs::create_directories(directory.path / "logs"); }

  /// The log of a step that prints `output` and ends.
  void run(std::string_view output) {
    log::Redactor redactor;
    redactor.add("hunter22");
    auto capture = log::Capture::open(place(), redactor, clock, options.capture);
    REQUIRE(capture);
    pipeline::StepLog step_log{{record, workers, clock, options, loop.get_executor()}, {job::Stage::test, "step1", "acme", "test"}, std::move(*capture)};
    const auto printing = [&]() -> boost::asio::awaitable<void> {
      co_await print(step_log, output);
      if (wait_for_segment) {
        Wakeup named{loop.get_executor()};
        const auto listening = journal.subscribe([&](const job::Event& each) {
          if (each.type == event::log_segment) named.notify();
        });
        co_await named.wait();
      }
      if (before_end) before_end(step_log);
      step_log.stop();
    };
    const auto all = [&]() -> boost::asio::awaitable<bool> {
      co_await (printing() && step_log.tend());
      co_await step_log.cut_last();
      co_await record.commit();
      co_return true;
    };
    await(loop, all());
  }

  [[nodiscard]] log::Place place() const { return {.job_directory = directory.path, .folder = "logs", .step = "step1"}; }
  [[nodiscard]] std::string log() const { return read_file(place().log()); }
  [[nodiscard]] std::vector<job::Event> events(std::string_view type) {
    return *journal.read({.job_id = "job-1", .types = {std::string{type}}, .limit = 100'000});
  }
  static job::Story story() {
    job::Story story;
    story.job.id = "job-1";
    story.steps.push_back({.id = "step1"});
    return story;
  }

  TemporaryDirectory directory;
  boost::asio::io_context loop;
  FakeJournal journal;
  pipeline::JobRecord record{journal, story(), [](const Error&) {}};
  Workers workers;
  CountingClock clock;
  pipeline::LogOptions options;
  std::function<void(pipeline::StepLog&)> before_end;
  bool wait_for_segment = false;  ///< The step goes on until one is named.
};

std::string lines(int count) {
  std::string text;
  for (int number = 0; number < count; ++number) text += "line " + std::to_string(number) + " hunter22\n";
  return text;
}

std::string redacted(std::string text) { return replace_all(std::move(text), "hunter22", "***"); }

}  // namespace

TEST_CASE("segments are compressed, named by events and then their plain files go, while the step runs and after") {
  World world;
  world.options.capture.segment_size = 4096;
  world.wait_for_segment = true;
  const auto text = lines(5000);
  world.run(text);
  CHECK(world.log() == redacted(text));
  const auto named = world.events(event::log_segment);
  REQUIRE_FALSE(named.empty());
  std::int64_t end = 0;
  for (const auto& each : named) {
    CHECK(each.step_id == "step1");
    CHECK(job::number_at(each.data, "begin") == end);
    end += job::number_at(each.data, "size");
    REQUIRE(each.blobs.size() == 1);
    CHECK(fs::file_size(world.directory.path / each.blobs[0].path) == each.blobs[0].size);
    CHECK_FALSE(fs::exists(world.place().segment(static_cast<std::uint64_t>(job::number_at(each.data, "begin")))));
  }
  CHECK(world.record.story().steps[0].segments.size() == named.size());
  CHECK(world.record.story().steps[0].segments.back().redacted <= world.log().size());
}

TEST_CASE("a segment that is old enough is closed though it is small") {
  World world;
  world.options.capture.segment_age = std::chrono::milliseconds{1};
  world.wait_for_segment = true;
  world.run("few\n");
  CHECK(world.events(event::log_segment).size() == 1);
}

TEST_CASE("a full disk is asked for room before anything is dropped") {
  World world;
  const auto text = lines(3000);
  FileSizeLimit full{10'000};
  int asked = 0;
  std::vector<std::string> told;
  world.options.make_room = [&]() -> boost::asio::awaitable<bool> {
    ++asked;
    full.end();
    co_return true;
  };
  world.options.trouble = [&](const std::string&, const std::optional<Error>& why) { told.push_back(why ? why->message : "well"); };
  world.run(text);
  CHECK(asked == 1);
  CHECK(told.empty());
  CHECK(world.log() == redacted(text));
  CHECK(world.events(event::log_gap).empty());
}

TEST_CASE("what no room could be made for is dropped, counted and told") {
  World world;
  const auto text = lines(3000);
  std::vector<std::string> told;
  {
    const FileSizeLimit full{10'000};
    int asked = 0;
    world.options.make_room = [&]() -> boost::asio::awaitable<bool> {
      ++asked;
      co_return false;
    };
    world.options.trouble = [&](const std::string& log, const std::optional<Error>& why) {
      CHECK(log == world.place().log().string());
      told.push_back(why ? why->message : "well");
    };
    world.before_end = [&](pipeline::StepLog&) { full.end(); };
    world.run(text);
    CHECK(asked == 1);  // Not for every read.
  }
  REQUIRE(told.size() == 2);
  CHECK(told[0].find("cannot write " + world.place().log().string() + ": File too large; output is dropped") == 0);
  CHECK(told[1] == "well");
  const auto gaps = world.events(event::log_gap);
  REQUIRE(gaps.size() == 1);
  const auto bytes = job::number_at(gaps[0].data, "bytes");
  CHECK(bytes == static_cast<std::int64_t>(text.size()) - 10'000);
  CHECK(world.log().find("[gap: " + std::to_string(bytes) + " bytes, File too large]\n") != std::string::npos);
}

TEST_CASE("output that the last of a disk is not for is dropped, counted and marked") {
  World world;
  const auto text = lines(20000);
  world.options.has_room = [&] { return !fs::exists(world.place().log()); };
  std::vector<std::string> told;
  world.options.trouble = [&](const std::string&, const std::optional<Error>& why) {
    told.push_back(why ? why->message : "well");
  };
  world.run(text);
  REQUIRE(told.size() == 2);
  CHECK(told[0].find("No space left on device; output is dropped") != std::string::npos);
  const auto gaps = world.events(event::log_gap);
  REQUIRE(gaps.size() == 1);
  const auto bytes = static_cast<std::size_t>(job::number_at(gaps[0].data, "bytes"));
  const std::string kept = redacted(text.substr(0, text.size() - bytes)),
                    mark = "[gap: " + std::to_string(bytes) + " bytes, No space left on device]\n";
  CHECK((world.log() == kept + mark || world.log() == kept + "\n" + mark));
  CHECK(world.events(event::job_warning).empty());
}

TEST_CASE("a gap that the disk takes no mark for is a warning") {
  World world;
  const auto text = lines(3000);
  const FileSizeLimit full{10'000};
  world.run(text);
  const auto warnings = world.events(event::job_warning);
  REQUIRE(warnings.size() == 1);
  CHECK(job::text_at(warnings[0].data, "message").find(" bytes of output are missing at the end of the log: File too large") !=
        std::string::npos);
}

TEST_CASE("while the disk fails the output waits in the pipe, and nothing of it is lost") {
  World world;
  world.options.disk_pause = std::chrono::milliseconds{1};
  const auto text = lines(3000);
  fs::remove(world.directory.path / "logs");
  int told = 0;
  world.options.trouble = [&](const std::string&, const std::optional<Error>& why) {
    ++told;
    if (!why) return;
    CHECK(why->message.find("; the step waits until the disk is back") != std::string::npos);
    fs::create_directories(world.directory.path / "logs");  // It is back.
  };
  world.run(text);
  CHECK(told == 2);
  CHECK(world.log() == redacted(text));
  CHECK(world.events(event::log_gap).empty());
}

TEST_CASE("a segment that is old enough while the disk refuses its log is closed when the disk is back, without hurry") {
  World world;
  world.options.disk_pause = world.options.capture.segment_age = std::chrono::milliseconds{1};
  world.wait_for_segment = true;
  bool refuses = false, spun = false;
  const auto come_back = [&] {
    if (std::exchange(refuses, false)) fs::remove(world.place().log());
  };
  world.options.show = [&](std::string_view, std::string_view) {  // Its raw output is on the disk by now.
    refuses = fs::create_directory(world.place().log());
    world.clock.limit = world.clock.asked + 1000;
  };
  world.clock.too_often = [&] {
    spun = true;
    come_back();
  };
  // The step wants to print more each millisecond; by the fifth look at the clock the segment has been tried twice.
  world.options.has_room = [&] {
    if (world.clock.asked >= world.clock.limit - 995) come_back();
    return true;
  };
  world.run("few\n");
  CHECK_FALSE(spun);
  CHECK(world.log() == "few\n");
  CHECK(world.events(event::log_segment).size() == 1);
}

TEST_CASE("a secret that is announced late gets a warning that it cannot be recalled") {
  World world;
  world.before_end = [](pipeline::StepLog& step_log) { step_log.add_secret("token-12345"); };
  world.run("this is token-12345\n");
  const auto warnings = world.events(event::job_warning);
  REQUIRE(warnings.size() == 1);
  CHECK(job::text_at(warnings[0].data, "message").find("step1: a secret was announced after 20 bytes of the log") == 0);
  CHECK(job::text_at(warnings[0].data, "message").find("cannot be recalled") != std::string::npos);
}

TEST_CASE("what is shown is redacted, and it is all of the log") {
  World world;
  std::string shown;
  world.options.show = [&](std::string_view step, std::string_view output) {
    CHECK(step == "step1");
    shown += output;
  };
  world.run("one hunter22\ntwo hunter");
  CHECK(shown == "one ***\ntwo hunter");
}
