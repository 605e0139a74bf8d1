// What tests leave, end to end: what the control server and the agent make of it, and that they agree.

#include "integration/sample_lab.hpp"

#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

constexpr std::string_view first_run = R"(#!/bin/sh
mkdir -p shots
echo picture >shots/login.png
cat >"$OUTPOST_RESULTS/unit.xml" <<'END'
<testsuites><testsuite name="unit"><testsuite name="inner"><testcase classname="c" name="breaks" time="1"/>
<testcase classname="c" name="mended" time="1"><failure/></testcase><testcase classname="c" name="gone"/></testsuite>
<testcase classname="c" name="errs" time="0.5"><system-out>[[ATTACHMENT|shots/login.png]]</system-out></testcase>
<testcase classname="c" name="shaky"><flakyFailure message="once"/></testcase></testsuite></testsuites>
END
cat >"$OUTPOST_RESULTS/smoke.tap" <<'END'
TAP version 14
1..3
ok 1 - answers
# Subtest: disks
    1..2
    ok 1 - sda
    ok 2 - sdb # SKIP not there
ok 2 - disks
not ok 3 - fan # TODO replace it
END
)";

constexpr std::string_view second_run = R"(#!/bin/sh
cat >"$OUTPOST_RESULTS/unit.xml" <<'END'
<testsuites><testsuite name="unit"><testsuite name="inner"><testcase classname="c" name="breaks" time="1"><failure message="m"/></testcase>
<testcase classname="c" name="mended" time="1"/></testsuite>
<testcase classname="c" name="errs" time="3"><error/></testcase><testcase classname="c" name="shaky"/>
<testcase classname="c" name="new"/></testsuite></testsuites>
END
cat >"$OUTPOST_RESULTS/smoke.tap" <<'END'
1..3
ok 1 - answers
# Subtest: disks
    1..2
    not ok 1 - sda
      ---
      message: no medium
      ...
    ok 2 - sdb
not ok 2 - disks
END
)";

/// The results of a job as the agent has them, by name.
std::map<std::string, json::object> local_results(SampleLab& lab, const std::string& id) {
  std::map<std::string, json::object> results;
  const auto job = lab.local("/api/v1/jobs/" + id);
  for (const auto& each : job.at("job").at("test_results").as_array()) results[text_at(each.as_object(), "name")] = each.as_object();
  return results;
}

std::string local_id(SampleLab& lab, const std::string& server_id) {
  const auto list = lab.local("/api/v1/jobs");
  for (const auto& each : list.at("jobs").as_array())
    if (text_at(each.as_object(), "external_ref") == server_id) return text_at(each.as_object(), "job_id");
  return "";
}

/// Whether both count the same.
void check_agreement(SampleLab& lab, const std::string& job) {
  auto ours = local_results(lab, local_id(lab, job));
  const auto theirs = lab.results(job);
  CHECK(theirs.size() == ours.size());
  for (const auto& each : theirs) {
    const auto& result = each.as_object();
    const auto& local = ours[text_at(result, "name")];
    CAPTURE(json::serialize(result), json::serialize(local));
    for (const char* key : {"total", "success", "failures", "errors", "skips"}) CHECK(number_at(result, key) == number_at(local, key));
    const auto* comparison = local.if_contains("comparison");
    CHECK(number_at(result, "regressions") == (comparison ? number_at(comparison->get_object(), "regressions") : 0));
    CHECK(number_at(result, "successfixes") == (comparison ? number_at(comparison->get_object(), "fixes") : 0));
  }
}

bool has_file(SampleLab& lab, const std::string& job, const std::string& name, const std::string& content) {
  for (const auto& file : lab.files(job))
    if (text_at(file, "name") == name) return lab.content(text_at(file, "id")).find(content) != std::string::npos;
  return false;
}

}  // namespace

TEST_CASE("JUnit, TAP and attachments of tests arrive, and the agent compares jobs as the server does", "[job]") {
  SampleLab lab;
  lab.configure();
  lab.hook("test", std::string{first_run});
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  const auto first = text_at(lab.finished_job(), "id");
  check_agreement(lab, first);
  CHECK(has_file(lab, first, "attachments/shots/login.png", "picture"));
  CHECK(has_file(lab, first, "results/smoke.tap", "TAP version 14"));
  CHECK(has_file(lab, first, "test/acme/smoke", "<testcase classname=\"disks\" name=\"sda\">"));
  for (const auto& [name, result] : local_results(lab, local_id(lab, first))) CHECK_FALSE(result.contains("comparison"));

  lab.hook("test", std::string{second_run});
  lab.feed("1.1", {{"notes.txt", "newer\n"}});
  const auto second = text_at(lab.finished_job(2), "id");
  CHECK(lab.states(second).back() == "failure");
  check_agreement(lab, second);

  const auto shown = lab.directory.path / "shown";
  CHECK(Process({OUTPOST_PROGRAM, "job", "show", "--config", (lab.directory.path / "agent/outpost.yml").string(), local_id(lab, second)}, shown).wait() == 0);
  const auto text = read_file(shown);
  for (const std::string& line : std::vector<std::string>{
           "result      test/acme/unit  5 cases: 3 passed, 1 failed, 1 error, 0 skipped, in 5.0s\n",
           "            since job " + local_id(lab, first) + ": 1 regression, 1 fixed, 1 otherwise changed, 1 added, 1 removed, 2.5s longer\n",
           "            REGRESSION inner:c:breaks\n",
           "            changed    unit:c:errs (success, now error)\n",
           "            fixed      inner:c:mended\n",
           "            added      unit:c:new\n",
           "            removed    inner:c:gone\n",
           "            failed     unit:c:errs\n",
           "            REGRESSION smoke:disks:sda\n",
           "            failed     smoke:smoke:TAP as planned\n",
       })
    CHECK((text.find(line) == std::string::npos ? line + "is not in\n" + text : "") == "");
}
