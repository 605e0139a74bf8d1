#include "agent/process/systemd/step_report.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <csignal>

using namespace outpost::process;

namespace {

StepReport ended(std::string result, std::string kind, std::string status) {
  StepReport report;
  report.complete = true;
  report.result = std::move(result);
  report.exit_kind = std::move(kind);
  report.exit_status = std::move(status);
  return report;
}

template <class T>
bool is(const Ending& ending) {
  return std::holds_alternative<T>(ending);
}

}  // namespace

TEST_CASE("a report is read as it was written") {
  auto report = ended("oom-kill", "killed", "KILL");
  report.invocation = "0123456789abcdef0123456789abcdef";
  report.leftovers = 3;
  report.stopped = true;
  report.start_failure = {"exec", 2};
  report.figures = {.cpu_us = 1'500'000, .memory_peak = 64ULL << 20, .read_bytes = 0, .written_bytes = 4096, .oom_kills = 2};
  const auto again = parse_report(to_text(report));
  CHECK(to_text(again) == to_text(report));
  CHECK(again.complete);
  CHECK(again.start_failure->phase == "exec");
  CHECK(again.figures.memory_peak == 64ULL << 20);
  CHECK(again.figures.read_bytes == 0U);
  CHECK_FALSE(again.figures.tasks_peak);
}

TEST_CASE("a report that was cut short or scribbled in is not complete") {
  CHECK_FALSE(parse_report("").complete);
  CHECK_FALSE(parse_report("invocation 12\nended success exi").complete);
  const auto odd = parse_report("\n \nwhat is this\nleftovers many\ncpu_us -3\nmemory_peak 5x\nnot-started\n");
  CHECK_FALSE(odd.complete);
  CHECK(odd.leftovers == 0);
  CHECK_FALSE(odd.figures.cpu_us);
  CHECK_FALSE(odd.figures.memory_peak);
}

TEST_CASE("an exit status and a signal are told apart") {
  const auto exited = ending_of(ended("exit-code", "exited", "15"), {});
  REQUIRE(is<Exited>(exited));
  CHECK(std::get<Exited>(exited).status == 15);
  const auto killed = ending_of(ended("success", "killed", "TERM"), {});
  REQUIRE(is<Killed>(killed));
  CHECK(std::get<Killed>(killed).signal == SIGTERM);
  const auto dumped = ending_of(ended("core-dump", "dumped", "SEGV"), {});
  REQUIRE(is<Killed>(dumped));
  CHECK(std::get<Killed>(dumped).signal == SIGSEGV);
}

TEST_CASE("how a command ended is told before its report is complete, and by no one after that") {
  const auto begun = parse_report("invocation 12\n");
  CHECK_FALSE(begun.tells_end());
  const auto settling = parse_report("invocation 12\nexit killed SEGV\n");
  CHECK_FALSE(settling.complete);
  CHECK(settling.tells_end());
  REQUIRE(is<Killed>(ending_of(settling, {})));
  CHECK(to_text(settling) == "invocation 12\nexit killed SEGV\n");
  CHECK(is<StoppedOutside>(ending_of(parse_report("invocation 12\nstopped\n"), {})));
  const auto again = ending_of(parse_report("invocation 12\nended success exited 0\nexit exited 127\n"), {});
  REQUIRE(is<Exited>(again));
  CHECK(std::get<Exited>(again).status == 0);
}

TEST_CASE("what the agent had asked for comes first") {
  auto report = ended("oom-kill", "killed", "KILL");
  report.stopped = true;
  CHECK(is<Cancelled>(ending_of(report, {.cancelled = true})));
  CHECK(is<TimedOut>(ending_of(report, {.timed_out = true})));
}

TEST_CASE("want of memory is seen where systemd tells, and where only the kernel's counter does") {
  CHECK(is<OutOfMemory>(ending_of(ended("oom-kill", "killed", "KILL"), {})));
  auto counted = ended("signal", "killed", "KILL");
  CHECK(is<Killed>(ending_of(counted, {})));
  counted.figures.oom_kills = 1;
  CHECK(is<OutOfMemory>(ending_of(counted, {})));
  counted = ended("exit-code", "exited", "2");
  counted.figures.oom_kills = 1;  // A part of it was killed, and it failed.
  CHECK(is<OutOfMemory>(ending_of(counted, {})));
  counted = ended("success", "exited", "0");
  counted.figures.oom_kills = 1;  // It could do without.
  CHECK(is<Exited>(ending_of(counted, {})));
}

TEST_CASE("a unit that somebody else has stopped says so, whatever the command answered") {
  auto report = ended("success", "exited", "0");
  report.stopped = true;
  CHECK(is<StoppedOutside>(ending_of(report, {})));
}

TEST_CASE("of a report that the command has written full only the beginning counts") {
  const outpost::test::TemporaryDirectory directory;
  const auto file = directory.path / "report";
  outpost::test::write_file(file, "invocation 0123\n" + std::string(1024 * 1024, 'x') + "\nexit exited 0\n");
  const auto report = read_report(file);
  CHECK(report.invocation == "0123");
  CHECK(report.exit_kind.empty());
  CHECK_FALSE(report.complete);
  CHECK(read_report(directory.path / "none").invocation.empty());
}
