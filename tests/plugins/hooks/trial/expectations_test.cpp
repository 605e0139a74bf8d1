#include "plugins/hooks/trial/expectations.hpp"

#include "agent/base/text.hpp"
#include "plugins/hooks/trial/test_report.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace outpost;
using hooks::InjectedFault;
using hooks::Observed;

namespace {

hooks::TestCase case_of(const std::string& text) {
  hooks::Diagnoses diagnoses;
  auto test = hooks::parse_test_case(text, "/plugin/tests/a.t.yml", "a.t.yml", diagnoses);
  REQUIRE(hooks::text_of(diagnoses) == "");
  return *test;
}

Observed well() {
  Observed seen;
  seen.ran = true;
  seen.output = "hello\nCSI ready\n";
  seen.results = {{"csi:ready", "pass"}, {"slow", "fail"}};
  seen.artifacts = {"logs/csi.log"};
  seen.files["$OUTPOST_STATE/x"] = "one\n";
  seen.stages = {job::Stage::install};
  seen.duration = std::chrono::milliseconds{200};
  return seen;
}

/// "what: first line of the detail", for each mismatch.
std::string told(const std::vector<hooks::Mismatch>& mismatches) {
  std::string text;
  for (const auto& each : mismatches)
    text += each.what + ": " + replace_all(split(each.detail, '\n').front(), "  ", " ") + "\n";
  return text;
}

std::string against(const std::string& expectation, const Observed& seen = well()) {
  return told(compare(case_of("hook: install\nexpect: " + expectation + "\n"), seen));
}

std::string under(const std::string& fault, const Observed& seen, bool has_release = true,
                  const std::string& more = "") {
  const auto test =
      case_of("hook: install\nexpect: {files: {$OUTPOST_STATE/x: exists}}\nfaults: [" + fault + "]\n" + more);
  return told(compare_under(test.faults.front(), test, seen, has_release));
}

Observed ended(job::StepEnding::Kind kind, job::Verdict verdict, const std::string& reason) {
  Observed seen = well();
  seen.struck = true;
  seen.ending.kind = kind;
  seen.judgement = {.verdict = verdict, .reason = reason};
  seen.stages.push_back(job::Stage::release);
  return seen;
}

}  // namespace

TEST_CASE("what is as expected is not spoken of") {
  CHECK(against("{exit: 0, stdout: [CSI ready, {not: s3cret, matches: '^h.*o$'}], results: [{name: ready}, {name: "
                "slow, outcome: fail}], artifacts: ['logs/*'], "
                "files: {$OUTPOST_STATE/x: {content: \"one\\n\"}, $OUTPOST_STATE/y: absent}, duration: '<1s', verdict: "
                "success}") == "");
}

TEST_CASE("each expectation that is not met is told") {
  CHECK(against("{exit: 3}") == "expect.exit: expected 3\n");
  CHECK(against("{verdict: failure, reason: tests-failed}") ==
        "expect.verdict: expected failure\nexpect.reason: expected tests-failed\n");
  CHECK(against("{stdout: {not: CSI}}") == "expect.stdout: expected not to contain \"CSI\"\n");
  CHECK(against("{stdout: {matches: ^ready}}") == "expect.stdout: expected a line that matches \"^ready\"\n");
  Observed endless = well();
  endless.output = std::string(60, 'a') + "!\n";
  const auto undecided = compare(case_of("hook: install\nexpect: {stdout: {matches: ^(a+)+$}}\n"), endless);
  REQUIRE(undecided.size() == 1);
  CHECK(undecided.front().detail.starts_with("expected  a line that matches \"^(a+)+$\"\n"
                                             "undecided a line cannot be compared with it in 4000000 steps and 32 MiB, or all lines in 32000000 steps (write the pattern without a repeat in a "
                                             "repeat: a+ rather than (a+)+)\noutput\n"));
  endless.output += "aaa\n";
  CHECK(against("{stdout: {matches: ^(a+)+$}}", endless) == "");
  // Each line alone is none too many, but after some the work of all is done.
  endless.output = "ok\n";
  for (int line = 0; line < 9; ++line) endless.output.insert(0, std::string(60, 'a') + "!\n");
  CHECK(against("{stdout: {matches: '^(a+)+$|^ok$'}}", endless) == "expect.stdout: expected a line that matches \"^(a+)+$|^ok$\"\n");
  endless.output.erase(0, 4 * 62);
  CHECK(against("{stdout: {matches: '^(a+)+$|^ok$'}}", endless) == "");
  CHECK(against("{results: []}") == "expect.results: expected none\n");
  CHECK(against("{results: [{name: gone}]}") == "expect.results: expected pass gone\n");
  CHECK(against("{results: [{name: slow}]}") == "expect.results: expected pass slow\n");
  CHECK(against("{artifacts: [a, b]}") == "expect.artifacts: expected a\nexpect.artifacts: expected b\n");
  CHECK(against("{artifacts: []}") == "expect.artifacts: expected none\n");
  CHECK(against("{files: {$OUTPOST_STATE/x: absent}}") == "expect.files.$OUTPOST_STATE/x: expected no file\n");
  CHECK(against("{files: {$OUTPOST_STATE/x: {content: \"two\\n\"}}}") ==
        "expect.files.$OUTPOST_STATE/x: - expected, + found\n");
  CHECK(against("{leftover_processes: 2}") == "expect.leftover_processes: expected 2\n");
  CHECK(against("{duration: '<100ms'}") == "expect.duration: expected less than 100ms\n");
  CHECK(against("{duration: '>1s'}") == "expect.duration: expected more than 1.0s\n");
  CHECK(against("{released: true}") == "expect.released: the release hook did not run\n");
  Observed failed = well();
  failed.ending.code = 1;
  CHECK(against("{}", failed) == "expect.exit: expected 0\n");
  CHECK(against("{verdict: success}", failed) == "");
}

TEST_CASE("a hook that prints a secret is told of it, whatever its case expects") {
  const auto test = case_of("hook: install\nsecrets: {bmc: hunter2}\n");
  Observed seen = well();
  seen.output += "login with hunter2\n";
  CHECK(told(compare(test, seen)) ==
        "secrets: the hook printed the secret bmc: the agent makes it unreadable, but a log is no place for it\n");
}

TEST_CASE("under a fault the release hook has to run, and the verdict has to tell of the fault") {
  using Kind = job::StepEnding::Kind;
  CHECK(under("cancel@1s", ended(Kind::cancelled, job::Verdict::killed, "cancelled")) == "");
  CHECK(under("timeout@1s", ended(Kind::timed_out, job::Verdict::failure, "timeout")) == "");
  CHECK(under("oom", ended(Kind::out_of_memory, job::Verdict::error, "oom")) == "");
  CHECK(under("kill-agent", ended(Kind::lost, job::Verdict::error, "agent-restarted")) == "");
  CHECK(under("oom", ended(Kind::exited, job::Verdict::failure, "step-failed")) ==
        "oom.verdict: expected error\noom.reason: expected oom\n");
  Observed unreleased = ended(Kind::cancelled, job::Verdict::killed, "cancelled");
  unreleased.stages.pop_back();
  CHECK(under("cancel", unreleased) == "cancel.released: the release hook did not run\n");
  CHECK(under("cancel", unreleased, false) == "");
  CHECK(under("cancel", unreleased, true, "expect_fault: {released: false}\n") == "");
  Observed quick = well();
  CHECK(under("cancel@1s", quick) ==
        "cancel@1s.hook: the hook ended before the fault came: exited with status 0 after 200ms\n");
}

TEST_CASE("on a full disk a hook may fail, but not say that all is well when it is not") {
  Observed seen = ended(job::StepEnding::Kind::exited, job::Verdict::success, "");
  CHECK(under("disk-full", seen) == "");
  seen.files.clear();
  CHECK(under("disk-full", seen) ==
        "disk-full.expect.files.$OUTPOST_STATE/x: the hook ended with 0 on a full disk, but\n");
  seen.ending.code = 1;
  CHECK(under("disk-full", seen) == "");
}

TEST_CASE("the report of a test is XML, whatever a hook has printed") {
  hooks::TestOutcome outcome{
      .plugin = "acme", .name = "install", .fault = "cancel@1s", .state = hooks::TestOutcome::State::failed};
  outcome.mismatches.push_back({{"a.t.yml", 3, 4}, "expect.exit", "expected  0\nfound     1"});
  outcome.output = "<&>\x1b[31m\xff";
  const auto xml = hooks::junit_report({outcome});
  CHECK(xml.find("<testcase classname=\"acme\" name=\"install cancel@1s\"") != std::string::npos);
  CHECK(xml.find("<failure message=\"a.t.yml:3:4: expect.exit\">") != std::string::npos);
  CHECK(xml.find("&lt;&amp;&gt;?[31m?") != std::string::npos);
}

TEST_CASE("the outcome of a test survives its way through a pipe") {
  hooks::TestOutcome outcome{
      .plugin = "acme", .name = "install", .state = hooks::TestOutcome::State::skipped, .why = "no tmpfs"};
  outcome.mismatches.push_back({{"a.t.yml", 3, 4}, "expect.exit", "expected"});
  const auto back = hooks::test_outcome_from_json(boost::json::parse(boost::json::serialize(to_json(outcome))));
  REQUIRE(back);
  CHECK(back->state == outcome.state);
  CHECK(back->why == "no tmpfs");
  CHECK(back->mismatches.at(0).where.line == 3);
  CHECK_FALSE(hooks::test_outcome_from_json(boost::json::parse("{}")));
}
