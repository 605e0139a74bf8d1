#include "agent/job/verdict.hpp"

#include "support/catch.hpp"

#include <csignal>

using namespace outpost::job;
using Kind = StepEnding::Kind;

namespace {

struct Row {
  Stage stage;
  StepEnding ending;
  std::optional<Verdict> verdict;
  std::string reason;
};

StepEnding exited(int status) { return {Kind::exited, status, {}}; }

}  // namespace

TEST_CASE("the table of verdicts: what an ending means in a stage") {
  const std::vector<Row> table{
      {Stage::install, exited(0), std::nullopt, ""},
      {Stage::install, exited(65), std::nullopt, ""},
      {Stage::install, exited(1), Verdict::failure, "step-failed"},
      {Stage::certify, exited(63), Verdict::failure, "step-failed"},
      {Stage::test, exited(2), Verdict::failure, "step-failed"},
      {Stage::test, exited(100), Verdict::failure, "step-failed"},   // Not a request to reboot.
      {Stage::test, exited(124), Verdict::failure, "step-failed"},   // Not a timeout.
      {Stage::test, exited(255), Verdict::failure, "step-failed"},
      {Stage::acquire, exited(1), Verdict::error, "step-failed"},
      {Stage::pre_run, exited(63), Verdict::error, "step-failed"},
      {Stage::install, exited(64), Verdict::error, "hook-usage"},
      {Stage::install, exited(69), Verdict::error, "unavailable"},
      {Stage::test, exited(70), Verdict::error, "hook-bug"},
      {Stage::test, exited(75), Verdict::error, "retry-later"},
      {Stage::test, exited(77), Verdict::error, "infrastructure"},
      {Stage::test, exited(78), Verdict::error, "configuration"},
      {Stage::install, exited(126), Verdict::error, "hook-not-runnable"},
      {Stage::install, exited(127), Verdict::error, "hook-not-runnable"},
      {Stage::test, {Kind::signalled, SIGSEGV, {}}, Verdict::failure, "step-failed"},
      {Stage::test, {Kind::signalled, SIGKILL, {}}, Verdict::error, "stopped-from-outside"},
      {Stage::acquire, {Kind::signalled, SIGSEGV, {}}, Verdict::error, "step-failed"},
      {Stage::install, {Kind::timed_out, 0, {}}, Verdict::failure, "timeout"},
      {Stage::acquire, {Kind::timed_out, 0, {}}, Verdict::error, "timeout"},
      {Stage::test, {Kind::cancelled, 0, {}}, Verdict::killed, "cancelled"},
      {Stage::test, {Kind::out_of_memory, 0, {}}, Verdict::error, "oom"},
      {Stage::test, {Kind::stopped, 0, {}}, Verdict::error, "stopped-from-outside"},
      {Stage::test, {Kind::lost, 0, {}}, Verdict::error, "step-lost"},
      {Stage::install, {Kind::not_started, 0, {}}, Verdict::error, "hook-not-runnable"},
  };
  for (const auto& row : table) {
    CAPTURE(to_string(row.stage), describe(row.ending));
    const auto judgement = judge(row.stage, "acme", "hook", row.ending);
    CHECK(judgement.has_value() == row.verdict.has_value());
    if (!judgement || !row.verdict) continue;
    CHECK(judgement->verdict == *row.verdict);
    CHECK(judgement->reason == row.reason);
    CHECK(judgement->message.find("acme/hook") != std::string::npos);
  }
}

TEST_CASE("a message says what happened in words") {
  CHECK(describe(exited(3)) == "exited with status 3");
  CHECK(describe({Kind::signalled, SIGKILL, {}}) == "was killed by SIGKILL");
  CHECK(describe({Kind::out_of_memory, 0, "it had 64MiB"}) == "ran out of memory (it had 64MiB)");
  CHECK(describe({Kind::not_started, 0, "No such file"}) == "could not be started (No such file)");
}

TEST_CASE("a judgement survives its way through JSON") {
  const auto judgement = judge(Stage::test, "acme", "test", exited(3));
  REQUIRE(judgement);
  const auto read = judgement_from_json(to_json(*judgement));
  CHECK(read.verdict == Verdict::failure);
  CHECK(read.stage == Stage::test);
  CHECK(read.exit_status == 3);
  CHECK(read.plugin == "acme");
}

TEST_CASE("every stage has a name that is read back") {
  for (const Stage stage : all_points) CHECK(parse_stage(to_string(stage)) == stage);
  CHECK_FALSE(parse_stage("deploy"));
}
