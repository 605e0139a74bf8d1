#include "plugins/hooks/trial/test_case.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/schema_library.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/parse.hpp>

#include <set>

using namespace outpost;
using namespace std::chrono_literals;

namespace {

/// A case with every key.
const std::string good = R"(description: installs on the array
hook: install
before: [acquire]
given: {"$OUTPOST_SHARED/hosts": "a\n"}
job:
  topic: OCP-4.16
  grace: 2s
  components: [{type: ocp, version: 4.16.3, tags: [build]}]
  resources: {cluster4: {hosts: [10.0.0.4]}}
config: {array_ip: 192.0.2.10, password: s3cret}
secrets: {bmc: hunter2}
env: {ACME_REGION: west}
stubs:
  oc:
    - {args: [get, nodes, -o, json], stdout: "{}", times: 2}
    - {args: "apply -f *", stdin: "*kind*", stderr: busy, exit: 1, delay: 10ms, times: "0-3"}
ordered: true
expect:
  exit: 0
  verdict: success
  reason: none
  stdout: [contains: CSI ready, not: s3cret, matches: "^a.c$"]
  results: [{name: csi-ready, outcome: pass}]
  artifacts: ["logs/*.log"]
  files: {"$OUTPOST_STATE/installed": exists, "$OUTPOST_TMP/lock": absent, "$OUTPOST_SHARED/x": {content: "one\n"}}
  leftover_processes: 1
  duration: "<5s"
  calls: {oc: 3}
  released: false
expect_fault: {released: true}
faults: [cancel@1s, timeout@2s, oom, disk-full, kill-agent@500ms]
x-notes: ours
)";

std::optional<hooks::TestCase> read(const std::string& text, hooks::Diagnoses& diagnoses) {
  return hooks::parse_test_case(text, "/plugin/tests/install.t.yml", "tests/install.t.yml", diagnoses);
}

std::string diagnosis_of(const std::string& text) {
  hooks::Diagnoses diagnoses;
  const auto test = read(text, diagnoses);
  CHECK(test.has_value() == diagnoses.empty());
  return replace_all(hooks::text_of(diagnoses), "tests/install.t.yml:", "");
}

struct Mutation {
  std::string from, to, expected;
  bool schema_sees_it = true;
};

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> list{
      {"hook: install", "hok: install",
       "1:1: PL030 the key \"hook\" is missing (which stage is tested, example: hook: install)\n"
       "2:1: PL005 unknown key \"hok\" (did you mean \"hook\"?)\n"},
      {"hook: install", "hook: instal", "2:1: PL030 hook: \"instal\" is no stage (did you mean \"install\"?)\n"},
      {"hook: install", "hook: health", "2:1: PL030 hook: \"health\" is no stage of a job, and a case tests one of those\n"},
      {"hook: install", "hook: on-cancel", "2:1: PL030 hook: \"on-cancel\" runs beside a hook that is stopped: test that one, with faults: [cancel@1s] or [timeout@1s]\n"},
      {"[acquire]", "[test]", "3:10: PL030 before: \"test\" does not come before install\n", false},
      {"[acquire]", "acquire", "3:1: PL030 before: a single value, but a list (example: [install]) is due\n"},
      {"\"$OUTPOST_SHARED/hosts\":", "hosts:",
       "4:9: PL030 given.hosts: begins with none of the hook's directories (example: $OUTPOST_SHARED/hosts)\n"},
      {"  topic: OCP-4.16", "  topik: OCP-4.16", "6:3: PL005 job: unknown key \"topik\" (did you mean \"topic\"?)\n"},
      {"grace: 2s", "grace: 2", "7:3: PL030 job.grace: \"2\" has no unit (write 2s, 2min, 2h or 2d)\n"},
      {"{type: ocp, version", "{version",
       "8:16: PL030 job.components: the key \"type\" is missing (example: {type: ocp, version: 4.16.3})\n"},
      {"{hosts: [10.0.0.4]}", "{host: [10.0.0.4]}",
       "9:26: PL005 job.resources.cluster4: unknown key \"host\" (did you mean \"hosts\"?)\n"},
      {"config: {array_ip: 192.0.2.10, password: s3cret}", "config: [a]",
       "10:1: PL030 config: a list, but a mapping (example: {address: 192.0.2.10}) is due\n"},
      {"secrets: {bmc: hunter2}", "secrets: bmc",
       "11:1: PL030 secrets: a single value, but a mapping of texts (example: {NAME: value}) is due\n"},
      {"  oc:\n", "  /bin/oc:\n", "14:3: PL030 stubs./bin/oc: \"/bin/oc\" is not the name of a command (no path)\n"},
      {"times: 2", "times: often",
       "15:52: PL030 stubs.oc[0].times: \"often\" is no number of times (examples: 2, \"1+\", \"0-3\")\n"},
      {"\"0-3\"", "\"3-1\"",
       "16:81: PL030 stubs.oc[1].times: \"3-1\" is no number of times (examples: 2, \"1+\", \"0-3\")\n", false},
      {"stdout: \"{}\"", "stdot: \"{}\"",
       "15:38: PL005 stubs.oc[0]: unknown key \"stdot\" (did you mean \"stdout\"?)\n"},
      {"stdout: \"{}\"", "stdout_file: nodes.json",
       "15:38: PL030 stubs.oc[0].stdout_file: \"nodes.json\" is no file in tests\n", false},
      {"stdout: \"{}\"", "program: fake", "15:38: PL030 stubs.oc[0].program: \"fake\" is no file in tests\n", false},
      {"exit: 1,", "exit: 256,", "16:59: PL030 stubs.oc[1].exit: 256 is not between 0 and 255\n"},
      {"exit: 0", "exit: zero", "19:3: PL030 expect.exit: \"zero\" is not a whole number (example: 2)\n"},
      {"verdict: success", "verdict: sucess",
       "20:3: PL030 expect.verdict: \"sucess\" is not one of success, failure, error, killed (did you mean "
       "\"success\"?)\n"},
      {"matches: \"^a.c$\"", "matches: \"(\"",
       "22:46: PL030 expect.stdout.matches: \"(\" is not a regular expression: missing closing parenthesis, at byte 1\n", false},
      {"contains: CSI", "contain: CSI",
       "22:12: PL005 expect.stdout: unknown key \"contain\" (did you mean \"contains\"?)\n"},
      {"outcome: pass", "outcome: passed",
       "23:31: PL030 expect.results.outcome: \"passed\" is not one of pass, fail, error, skip (did you mean "
       "\"pass\"?)\n"},
      {"installed\": exists", "installed\": there",
       "25:11: PL030 expect.files.$OUTPOST_STATE/installed: \"there\" is not one of exists, absent\n"},
      {"duration: \"<5s\"", "duration: 5s", "27:3: PL030 expect.duration: \"5s\" is no bound (example: \"<5s\")\n"},
      {"calls: {oc: 3}", "calls: {oc: many}",
       "28:11: PL030 expect.calls.oc: \"many\" is not a whole number (example: 2)\n"},
      {"released: false", "released: no", "29:3: PL030 expect.released: \"no\" is not a boolean (write false)\n"},
      {"cancel@1s", "cancle@1s", "31:10: PL030 faults: \"cancle@1s\" is no fault (did you mean \"cancel\"?)\n"},
      {"cancel@1s", "cancel@soon", "31:10: PL030 faults: \"soon\" is not a duration (example: cancel@1s)\n", false},
      {"timeout@2s", "timeout", "31:21: PL030 faults: timeout needs a time (example: timeout@2s)\n"},
      {"disk-full", "disk-full@1s",
       "31:38: PL030 faults: the disk is full from the hook's start on (write disk-full)\n"},
      {"ordered: true", "ordered: true\nordered: true",
       "18:1: PL016 the key \"ordered\" is written twice (first in line 17); remove one\n", false},
  };
  return list;
}

std::string mutated(const Mutation& mutation) {
  const auto at = good.find(mutation.from);
  REQUIRE(at != std::string::npos);
  std::string text = good;
  return text.replace(at, mutation.from.size(), mutation.to);
}

std::vector<std::string> violations_of(const std::string& text) {
  config::Problems problems;
  const auto parsed = config::parse_yaml(text, "", problems);
  std::vector<std::string> lines;
  for (const auto& violation : hooks::violations(config::as_typed_json(parsed.root),
                                                 boost::json::parse(test::text_of("hooks/test-case.schema.json"))))
    lines.push_back(join(violation.path, ".") + ": " + violation.message);
  return lines;
}

hooks::Plugin plugin_of(const test::TemporaryDirectory& directory, const std::string& more) {
  test::write_file(directory.path / "acme/plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: 1\n" + more);
  test::write_file(directory.path / "acme/hooks/install", "#!/bin/sh\n");
  return hooks::read_plugin(directory.path / "acme", "acme", "plugin.yml");
}

}  // namespace

TEST_CASE("a test case is read whole") {
  hooks::Diagnoses diagnoses;
  const auto test = read(good, diagnoses);
  REQUIRE(hooks::text_of(diagnoses) == "");
  CHECK(test->name == "install");
  CHECK(test->hook == job::Stage::install);
  CHECK(test->before == std::vector{job::Stage::acquire});
  CHECK(test->given.at(0).content == "a\n");
  CHECK(test->job.components.at(0).name == "ocp 4.16.3");
  CHECK(test->job.resources.at("cluster4").hosts == std::vector<std::string>{"10.0.0.4"});
  CHECK(test->stubs.ordered);
  const auto& rules = test->stubs.rules.at("oc");
  CHECK(rules.at(0).arguments == std::vector<std::string>{"get", "nodes", "-o", "json"});
  CHECK((rules.at(0).least == 2 && rules.at(0).most == 2U));
  CHECK(rules.at(1).arguments == std::vector<std::string>{"apply", "-f", "*"});
  CHECK((rules.at(1).least == 0 && rules.at(1).most == 3U));
  CHECK(test->expect.output.size() == 3);
  CHECK(test->expect.less_than == 5s);
  CHECK(test->expect.files.size() == 3);
  REQUIRE(test->faults.size() == 5);
  CHECK(test->faults[4].after == 500ms);
  CHECK(test->expect_fault->released == true);
  CHECK(violations_of(good) == std::vector<std::string>{});
}

TEST_CASE("each mistake in a test case is told with its place, its code and what is meant") {
  for (const auto& mutation : mutations()) {
    INFO(mutation.from << " -> " << mutation.to);
    CHECK(diagnosis_of(mutated(mutation)) == mutation.expected);
  }
}

TEST_CASE("the published schema of test cases refuses what the reader refuses, as far as a schema can see it") {
  for (const auto& mutation : mutations()) {
    if (!mutation.schema_sees_it) continue;
    INFO(mutation.from << " -> " << mutation.to);
    CHECK_FALSE(violations_of(mutated(mutation)).empty());
  }
}

TEST_CASE("a file that is a test case, but for its name, is told how it is to be called") {
  const test::TemporaryDirectory directory;
  for (const char* name : {"late.yml", "long.t.yaml", "right.t.yml"}) test::write_file(directory.path / "tests" / name, "hook: test\n");
  test::write_file(directory.path / "tests/hosts.yml", "hosts: [a]\n");
  auto found = hooks::cases_that_never_run(directory.path, "");
  hooks::sort_by_place(found);
  CHECK(hooks::text_of(found) == "tests/late.yml: PL030 is no test case by its name, so it never runs; call it late.t.yml\n"
                                 "tests/long.t.yaml: PL030 is no test case by its name, so it never runs; call it long.t.yml\n");
}

TEST_CASE("a test case that does not fit its plugin is told where") {
  const test::TemporaryDirectory directory;
  const auto plugin =
      plugin_of(directory,
                "config: {type: object, additionalProperties: false, properties: {ip: {type: string, format: ipv4}, "
                "password: {type: string, x-secret: true}}}\nenv: {allow: [\"ACME_*\"]}\n");
  REQUIRE(plugin.manifest);
  const auto settled = [&](const std::string& text) {
    hooks::Diagnoses diagnoses;
    auto test = read(text, diagnoses);
    REQUIRE(test);
    settle_test_case(*test, plugin, diagnoses);
    return std::pair{*test, replace_all(hooks::text_of(diagnoses), "tests/install.t.yml:", "")};
  };
  CHECK(settled("hook: test\n").second == "1:1: PL031 the plugin has no hook test; add hooks/test, or name another\n");
  CHECK(settled("hook: install\nenv: {HOME: x, ACME_A: y, HTTPS_PROXY: z}\n").second ==
        "2:7: PL030 env: the plugin does not let \"HOME\" in; add it to env.allow in plugin.yml\n");
  CHECK(settled("hook: install\nexpect: {calls: {oc: 1}}\n").second ==
        "2:10: PL030 calls: there is no stub \"oc\"; add it to stubs\n");
  CHECK(settled("hook: install\nconfig:\n  ip: here\n").second.starts_with("3:3: PL018 config.ip: "));
  CHECK(settled("hook: install\nconfig:\n  pasword: x\n").second ==
        "3:3: PL018 config.pasword: is not known to the plugin (did you mean \"password\"?)\n");
  const auto [test, complaints] = settled("hook: install\nconfig: {password: s3cret}\n");
  CHECK(complaints == "");
  CHECK(test.secrets.at("password") == "s3cret");
  CHECK(test.configuration.at("password").at("secret") == "password");
}
