// JUnit as the programs write it that partners use.
#include "plugins/junit/case_list.hpp"
#include "plugins/junit/junit_summary.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::junit;

namespace {

using Names = std::vector<std::string>;

struct Read {
  JunitSummary summary;
  std::vector<ListedCase> cases;
};

Read read(const std::string& content) {
  const test::TemporaryDirectory directory;
  const auto file = directory.path / "result.xml";
  test::write_file(file, content);
  const auto summary = read_junit(file);
  REQUIRE(summary);
  CHECK(summary->well_formed);
  CHECK(summary->is_junit);
  const auto cases = list_cases(file);
  REQUIRE(cases);
  return {*summary, *cases};
}

std::string counts(const JunitSummary& summary) {
  return std::to_string(summary.success) + " passed, " + std::to_string(summary.failures) + " failed, " + std::to_string(summary.errors) + " errors, " +
         std::to_string(summary.skips) + " skipped, " + std::to_string(summary.flaky) + " flaky";
}

std::string listed(const std::vector<ListedCase>& cases) {
  std::string all;
  for (const auto& one : cases) all += one.name + " " + one.outcome + "\n";
  return all;
}

}  // namespace

TEST_CASE("pytest: xfail is skipped, a strict xpass failed, a failed teardown is a case more") {
  const auto [summary, cases] = read(R"(<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="2" failures="2" skipped="2" tests="6" time="0.412" timestamp="2026-11-26T10:00:00.123456+00:00" hostname="lab1"><properties><property name="firmware" value="7.2" /></properties><testcase classname="tests.test_array.TestVolume" name="test_size[1-GiB]" time="0.001"><properties><property name="volume" value="v1" /></properties><system-out>--------------------------------- Captured Out ---------------------------------
made
</system-out></testcase><testcase classname="tests.test_array" name="test_fails" time="0.100"><failure message="AssertionError: assert 1 == 2&#10;  +1">def test_fails():
&gt;       assert 1 == 2
E       assert 1 == 2</failure></testcase><testcase classname="tests.test_array" name="test_fails" time="0.100"><error message="failed on teardown with &quot;OSError: gone&quot;">OSError: gone</error></testcase><testcase classname="tests.test_array" name="test_setup" time="0.002"><error message="failed on setup with &quot;file /t.py, line 3: fixture 'lab' not found&quot;">x</error></testcase><testcase classname="tests.test_array" name="test_old" time="0.000"><skipped type="pytest.skip" message="no array">/t.py:9: no array</skipped></testcase><testcase classname="tests.test_array" name="test_known" time="0.000"><skipped type="pytest.xfail" message="bug 7" /></testcase><testcase classname="tests.test_array" name="test_strict" time="0.000"><failure message="[XPASS(strict)] bug 8">x</failure></testcase></testsuite></testsuites>)");
  CHECK(counts(summary) == "1 passed, 2 failed, 2 errors, 2 skipped, 0 flaky");
  CHECK(summary.time_ms == 203);
  CHECK(summary.failed == Names{"pytest:tests.test_array:test_fails", "pytest:tests.test_array:test_fails", "pytest:tests.test_array:test_setup",
                                "pytest:tests.test_array:test_strict"});
  CHECK(listed(cases) == "tests.test_array.TestVolume:test_size[1-GiB] pass\ntests.test_array:test_fails fail\ntests.test_array:test_fails error\n"
                         "tests.test_array:test_setup error\ntests.test_array:test_old skip\ntests.test_array:test_known skip\n"
                         "tests.test_array:test_strict fail\n");
}

TEST_CASE("GoogleTest: several failures are one, and what is disabled has no outcome of its own") {
  const auto [summary, cases] = read(R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" disabled="1" errors="0" time="0.03" timestamp="2026-11-26T10:00:00.000" name="AllTests">
  <testsuite name="Array" tests="4" failures="1" disabled="1" skipped="1" errors="0" time="0.03" timestamp="2026-11-26T10:00:00.000">
    <testcase name="Opens" file="array_test.cc" line="12" status="run" result="completed" time="0.01" timestamp="2026-11-26T10:00:00.000" classname="Array">
      <properties><property name="key" value="1"/></properties>
    </testcase>
    <testcase name="Writes" status="run" result="completed" time="0.02" timestamp="2026-11-26T10:00:00.000" classname="Array">
      <failure message="array_test.cc:20&#x0A;Expected equality" type=""><![CDATA[array_test.cc:20
Expected equality of these values:
  1
  2]]></failure>
      <failure message="array_test.cc:21&#x0A;Failed" type=""><![CDATA[array_test.cc:21]]></failure>
    </testcase>
    <testcase name="NeedsArray" status="run" result="skipped" time="0" timestamp="2026-11-26T10:00:00.000" classname="Array">
      <skipped message="array_test.cc:30&#x0A;no array"><![CDATA[no array]]></skipped>
    </testcase>
    <testcase name="DISABLED_Later" status="notrun" result="suppressed" time="0" timestamp="2026-11-26T10:00:00.000" classname="Array" />
  </testsuite>
</testsuites>)");
  CHECK(counts(summary) == "2 passed, 1 failed, 0 errors, 1 skipped, 0 flaky");  // As the server counts: by elements alone.
  CHECK(summary.failed == Names{"Array:Array:Writes"});
  CHECK(summary.time_ms == 30);
  CHECK(listed(cases) == "Array:Opens pass\nArray:Writes fail\nArray:NeedsArray skip\nArray:DISABLED_Later pass\n");
}

TEST_CASE("Surefire: what passed at the second try is flaky, what never did has failed once") {
  const auto [summary, cases] = read(R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="https://maven.apache.org/surefire/maven-surefire-plugin/xsd/surefire-test-report.xsd" version="3.0.2" name="com.acme.ArrayTest" time="3.5" tests="4" errors="0" skipped="1" failures="1" flakes="1">
  <properties><property name="java.version" value="17"/></properties>
  <testcase name="opens" classname="com.acme.ArrayTest" time="0.5"><flakyFailure message="busy" type="java.lang.AssertionError"><stackTrace><![CDATA[java.lang.AssertionError: busy
	at com.acme.ArrayTest.opens(ArrayTest.java:9)]]></stackTrace><system-out><![CDATA[try 1]]></system-out></flakyFailure><flakyError type="java.io.IOException"><stackTrace><![CDATA[x]]></stackTrace></flakyError></testcase>
  <testcase name="writes" classname="com.acme.ArrayTest" time="1"><failure message="no" type="java.lang.AssertionError"><![CDATA[x]]></failure><rerunFailure message="no" type="java.lang.AssertionError"><stackTrace><![CDATA[x]]></stackTrace></rerunFailure><rerunError type="java.io.IOException"/></testcase>
  <testcase name="later" classname="com.acme.ArrayTest" time="0"><skipped message="not yet"/></testcase>
  <testcase name="reads" classname="com.acme.ArrayTest" time="2"/>
</testsuite>)");
  CHECK(counts(summary) == "2 passed, 1 failed, 0 errors, 1 skipped, 1 flaky");
  CHECK(summary.flaky_names == Names{"com.acme.ArrayTest:com.acme.ArrayTest:opens"});
  CHECK_FALSE(summary.namespaced);
  CHECK(summary.time_ms == 3500);
  CHECK(listed(cases) == "com.acme.ArrayTest:opens pass\ncom.acme.ArrayTest:writes fail\ncom.acme.ArrayTest:later skip\ncom.acme.ArrayTest:reads pass\n");
}

TEST_CASE("Gradle and gotestsum: each try is a case, and one that passed in the end is flaky") {
  const auto [summary, cases] = read(R"(<testsuites><testsuite name="acme/array" tests="5" failures="3">
  <testcase classname="acme/array" name="TestOpen" time="0.1"><failure message="Failed">busy</failure></testcase>
  <testcase classname="acme/array" name="TestClose" time="0.1"><failure message="Failed">busy</failure></testcase>
  <testcase classname="acme/array" name="TestOpen" time="0.2"><error message="panic">gone</error></testcase>
  <testcase classname="acme/array" name="TestClose" time="0.2"><failure message="Failed">busy</failure></testcase>
  <testcase classname="acme/array" name="TestOpen" time="0.3"/>
</testsuite></testsuites>)");
  CHECK(counts(summary) == "1 passed, 2 failed, 0 errors, 0 skipped, 1 flaky");  // What never passed has failed, each time.
  CHECK(summary.flaky_names == Names{"acme/array:acme/array:TestOpen"});
  CHECK(summary.failed == Names{"acme/array:acme/array:TestClose", "acme/array:acme/array:TestClose"});
  CHECK(summary.time_ms == 900);
  CHECK(cases.size() == 5);
}

TEST_CASE("pytest-rerunfailures: a failed try that is written as one that passed is no flake") {
  const auto [summary, cases] = read(R"(<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="4">
  <testcase classname="test_rerun" name="test_fails"/><testcase classname="test_rerun" name="test_fails"/>
  <testcase classname="test_rerun" name="test_fails"><failure message="assert False">AssertionError</failure></testcase>
  <testcase classname="test_rerun" name="test_other"/></testsuite></testsuites>)");
  CHECK(counts(summary) == "3 passed, 1 failed, 0 errors, 0 skipped, 0 flaky");
}

TEST_CASE("a case of a name that has failed before is a retry only where that is beyond doubt") {
  struct Doubt {
    std::string what, body, expected;
  };
  const std::string failed = "<testcase classname='c' name='t'><failure/></testcase>", passed = "<testcase classname='c' name='t'/>",
                    skipped = "<testcase classname='c' name='t'><skipped/></testcase>", own = "<testcase classname='c' name='u'/>";
  for (const auto& [what, body, expected] : {
           Doubt{"a retry", "<testsuite name='s'>" + failed + own + failed + passed + "</testsuite>", "2 passed, 0 failed, 0 errors, 0 skipped, 1 flaky"},
           {"passed first", "<testsuite name='s'>" + passed + failed + "</testsuite>", "1 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
           {"passed twice", "<testsuite name='s'>" + failed + passed + passed + "</testsuite>", "2 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
           {"another name that is not unique", "<testsuite name='s'>" + failed + passed + own + own + "</testsuite>", "3 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
           {"skipped at last", "<testsuite name='s'>" + failed + skipped + "</testsuite>", "0 passed, 1 failed, 0 errors, 1 skipped, 0 flaky"},
           {"skipped between", "<testsuite name='s'>" + failed + skipped + passed + "</testsuite>", "1 passed, 1 failed, 0 errors, 1 skipped, 0 flaky"},
           {"another suite of the same name", "<testsuite name='s'>" + failed + "</testsuite><testsuite name='s'>" + passed + "</testsuite>", "1 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
           {"another line", "<testsuite name='s'><testcase name='t' line='1'><failure/></testcase><testcase name='t' line='2'/></testsuite>", "1 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
           {"no names", "<testsuite name='s'><testcase><failure/></testcase><testcase/></testsuite>", "1 passed, 1 failed, 0 errors, 0 skipped, 0 flaky"},
       }) {
    INFO(what);
    CHECK(counts(read("<testsuites>" + body + "</testsuites>").summary) == expected);
  }
}

TEST_CASE("Ansible's junit callback: a task of a play on a host is a case") {
  const auto [summary, cases] = read(R"(<?xml version="1.0" ?>
<testsuites disabled="0" errors="0" failures="1" tests="3" time="0.6">
	<testsuite disabled="0" errors="0" failures="1" name="/etc/acme/site.yml" skipped="1" tests="3" time="0.6">
		<testcase classname="/etc/acme/roles/array/tasks/main.yml:1" name="[array1] site: array : mount" time="0.3">
			<system-out>{"changed": true}</system-out>
		</testcase>
		<testcase classname="/etc/acme/roles/array/tasks/main.yml:7" name="[array1] site: array : check" time="0.3">
			<failure message="non-zero return code" type="failure">{"rc": 1}</failure>
		</testcase>
		<testcase classname="/etc/acme/roles/array/tasks/main.yml:9" name="[array2] site: array : check" time="0">
			<skipped>Conditional result was False</skipped>
		</testcase>
	</testsuite>
</testsuites>
)");
  CHECK(counts(summary) == "1 passed, 1 failed, 0 errors, 1 skipped, 0 flaky");
  CHECK(summary.failed == Names{"/etc/acme/site.yml:/etc/acme/roles/array/tasks/main.yml:7:[array1] site: array : check"});
  CHECK(cases.size() == 3);
}

TEST_CASE("openshift-tests: a case without a class, a property without its list, a flake that is written twice") {
  const auto [summary, cases] = read(R"(<testsuite name="openshift-tests" tests="4" skipped="1" failures="1" time="61"><property name="TestVersion" value="v4.16.0"></property><testcase name="[sig-storage] volumes should mount [Suite:openshift/conformance/parallel]" time="20"></testcase><testcase name="[sig-network] pods should talk" time="40"><failure message="">fail [k8s.io/test/e2e.go:7]: timed out
</failure><system-out>STEP: waiting &lt;nil&gt;</system-out></testcase><testcase name="[sig-network] pods should talk" time="1"></testcase><testcase name="[sig-windows] none" time="0"><skipped message="skip [k8s.io/e2e.go:1]: no windows"></skipped></testcase></testsuite>)");
  CHECK(counts(summary) == "2 passed, 0 failed, 0 errors, 1 skipped, 1 flaky");
  CHECK(summary.failed.empty());
  CHECK(summary.flaky_names == Names{"openshift-tests::[sig-network] pods should talk"});
  CHECK(listed(cases) == "[sig-storage] volumes should mount [Suite:openshift/conformance/parallel] pass\n[sig-network] pods should talk fail\n"
                         "[sig-network] pods should talk pass\n[sig-windows] none skip\n");
}

TEST_CASE("gotestsum: a package is a suite, one that does not build an error of its own") {
  const auto [summary, cases] = read(R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="1" time="1.2">
	<testsuite tests="1" failures="1" time="0.2" name="acme/array" timestamp="2026-11-26T10:00:00Z">
		<properties><property name="go.version" value="go1.23 linux/amd64"></property></properties>
		<testcase classname="acme/array" name="TestOpen/second" time="0.200000"><failure message="Failed" type="">=== RUN   TestOpen/second&#xA;--- FAIL</failure></testcase>
	</testsuite>
	<testsuite tests="0" failures="0" time="0.0" name="acme/none"></testsuite>
	<testsuite tests="0" failures="0" time="0.0" name="acme/broken"><testcase classname="" name="TestMain" time="0"><error message="Failed" type="">[build failed]</error></testcase></testsuite>
</testsuites>)");
  CHECK(counts(summary) == "0 passed, 1 failed, 1 errors, 0 skipped, 0 flaky");
  CHECK(listed(cases) == "acme/array:TestOpen/second fail\nTestMain error\n");
}

TEST_CASE("the cases of a file that is no XML are not listed") {
  const test::TemporaryDirectory directory;
  test::write_file(directory.path / "cut.xml", "<testsuite><testcase name='a'/>");
  const auto cut = list_cases(directory.path / "cut.xml");
  REQUIRE_FALSE(cut);
  CHECK(cut.error().fault == Fault::malformed);
  CHECK_FALSE(list_cases(directory.path / "none.xml"));
}
