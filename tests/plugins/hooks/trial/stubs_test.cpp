#include "plugins/hooks/trial/stubs.hpp"

#include "plugins/hooks/trial/expectations.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <fstream>

using namespace outpost;
using hooks::StubCall;
using hooks::StubRule;
using hooks::StubSet;
using Words = std::vector<std::string>;

namespace {

StubRule rule(Words arguments, unsigned least = 1, std::optional<unsigned> most = {}) {
  return {.place = "stubs.oc[0], t.yml:2:3", .arguments = std::move(arguments), .least = least, .most = most};
}

StubCall call(Words arguments) { return {"oc", std::move(arguments), {}, {}, {}}; }

/// The calls with the rules that they fit, one after the other.
std::vector<StubCall> fitted(const StubSet& stubs, std::vector<StubCall> calls) {
  std::vector<StubCall> before;
  for (auto& each : calls) {
    each.rule = fitting_rule(stubs, each, before);
    before.push_back(each);
  }
  return before;
}

}  // namespace

TEST_CASE("a call fits the first rule whose globs its arguments match, as often as the rule lets it") {
  const StubSet stubs{false, {{"oc", {rule({"get", "*"}, 1, 1), rule({"get", "**"}), rule({"**", "--force"})}}}};
  const auto calls = fitted(stubs, {call({"get", "pods"}), call({"get", "pods"}), call({"get"}),
                                    call({"a", "b", "--force"}), call({"delete"})});
  CHECK(calls[0].rule == 0U);
  CHECK(calls[1].rule == 1U);
  CHECK(calls[2].rule == 1U);
  CHECK(calls[3].rule == 2U);
  CHECK_FALSE(calls[4].rule);
  CHECK(missing_calls(stubs, calls).empty());
  CHECK(missing_calls(stubs, {}) ==
        Words{"oc get '*': expected once, came 0 times (stubs.oc[0], t.yml:2:3)",
              "oc get '**': expected at least once, came 0 times (stubs.oc[0], t.yml:2:3)",
              "oc '**' --force: expected at least once, came 0 times (stubs.oc[0], t.yml:2:3)"});
}

TEST_CASE("ordered calls have to come in the order of the rules") {
  const StubSet stubs{true, {{"oc", {rule({"login"}), rule({"apply"}), rule({"logout"})}}}};
  const auto good = fitted(stubs, {call({"login"}), call({"login"}), call({"apply"}), call({"logout"})});
  CHECK((good[1].rule == 0U && good[2].rule == 1U && good[3].rule == 2U));
  const auto bad = fitted(stubs, {call({"login"}), call({"logout"})});
  CHECK_FALSE(bad[1].rule);
  CHECK(explain_stray(stubs, bad[1], {bad[0]}).find("the calls are ordered") != std::string::npos);
}

TEST_CASE("the standard input counts where a rule asks for it") {
  StubRule fed = rule({"apply"});
  fed.input = "*kind: Pod*";
  const StubSet stubs{false, {{"oc", {fed}}}};
  StubCall right = call({"apply"}), wrong = call({"apply"});
  right.input = "kind: Pod\n";
  wrong.input = "kind: Service\n";
  CHECK(fitting_rule(stubs, right, {}));
  CHECK_FALSE(fitting_rule(stubs, wrong, {}));
  CHECK(explain_stray(stubs, wrong, {}).find("its input was kind: Service") != std::string::npos);
}

TEST_CASE("a call that nobody expected is shown beside the nearest one that somebody did") {
  const StubSet stubs{false, {{"oc", {rule({"login"}), rule({"get", "nodes", "-o", "json"}, 1, 1)}}}};
  CHECK(explain_stray(stubs, call({"get", "nodes", "-o", "yaml"}), {}) ==
        "nobody expected this call of the stub oc\n"
        "  called   oc get nodes -o yaml\n"
        "  nearest  oc get nodes -o json  (stubs.oc[0], t.yml:2:3)\n"
        "                           ^^^^\n");
  StubCall once = call({"get", "nodes", "-o", "json"});
  once.rule = 1;
  CHECK(explain_stray(stubs, call({"get", "nodes", "-o", "json"}), {once})
            .find("is expected once, and has come 1 times") != std::string::npos);
}

TEST_CASE("a stub answers by its rules, and notes how it was called") {
  const test::TemporaryDirectory directory;
  const hooks::StubDirectory place{directory.path / "stubs"};
  StubRule answers = rule({"get", "*"});
  answers.output = "three nodes\n";
  answers.errors = "slow\n";
  answers.exit = 3;
  StubRule fake = rule({"run", "**"});
  test::write_file(directory.path / "fake", "#!/bin/sh\necho \"fake $*\"; cat\n");
  std::filesystem::permissions(directory.path / "fake", std::filesystem::perms::owner_all);
  fake.program = directory.path / "fake";
  fake.input = "*";
  const StubSet stubs{false, {{"oc", {answers, fake}}}};
  REQUIRE(place.create(stubs, OUTPOST_STUB));
  const auto run = [&](const std::string& command) {
    const std::string line = "PATH=" + place.commands().string() + ":$PATH; { " + command +
                             "; echo \"status $?\"; } >" + (directory.path / "out").string() + " 2>&1";
    CHECK(std::system(line.c_str()) == 0);
    return test::read_file(directory.path / "out");
  };
  CHECK(run("oc get nodes </dev/null") == "three nodes\nslow\nstatus 3\n");
  CHECK(run("echo fed | env -i " + (place.commands() / "oc").string() + " run a b") == "fake run a b\nfed\nstatus 0\n");
  CHECK(run("bash -c 'exec -a other oc delete' </dev/null").find("nobody expected this call of the stub oc") !=
        std::string::npos);
  const auto calls = place.read_calls();
  REQUIRE(calls);
  REQUIRE(calls->size() == 3);
  CHECK(calls->at(0).rule == 0U);
  CHECK(calls->at(1).input == "fed\n");
  CHECK_FALSE(calls->at(2).rule);
}

TEST_CASE("the difference of two texts shows the lines that only one of them has") {
  CHECK(hooks::line_difference("a\nb\nc", "a\nx\nc") == "    a\n  - b\n  + x\n    c");
  CHECK(hooks::line_difference("a", "a") == "    a");
}

TEST_CASE("variables of the hook stand in paths") {
  const std::map<std::string, std::string> variables{{"OUTPOST_STATE", "/state"}, {"A", "b"}};
  CHECK(hooks::with_variables("$OUTPOST_STATE/x/${A}c", variables) == "/state/x/bc");
  CHECK(hooks::with_variables("$NONE/$", variables) == "$NONE/$");
}
