#include "plugins/junit/junit_summary.hpp"

#include "agent/base/descriptor.hpp"
#include "plugins/junit/case_counter.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>

using namespace outpost;
using namespace outpost::junit;
using namespace std::string_literals;

namespace {

JunitSummary read(const std::string& xml, const JunitLimits& limits = {}) {
  const Descriptor file{::memfd_create("junit", MFD_CLOEXEC)};
  REQUIRE(::write(file.get(), xml.data(), xml.size()) == static_cast<ssize_t>(xml.size()));
  REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
  auto summary = read_junit(file.get(), "junit.xml", limits);
  REQUIRE(summary);
  return *summary;
}

/// "total success failures errors skips"
std::string counts(const JunitSummary& s) {
  std::ostringstream text;
  text << s.total << " " << s.success << " " << s.failures << " " << s.errors << " " << s.skips;
  return text.str();
}

const std::string sample =
    R"(<?xml version="1.0" encoding="UTF-8"?>
<!-- made by a test -->
<testsuites tests="99" failures="99"><testsuite name="outer" tests="77">
  <properties><property name="p" value="v"/></properties>
  <testcase classname="c" name="t1" time="1.5"/>
  <testcase classname="c" name="t2"><failure message="m" type="T">boom &amp; bang</failure></testcase>
  <testsuite name="inner"><testcase classname="c" name="t3"><skipped/></testcase>
    <testcase classname="c" name="t4" time="0.25"><error message="e"><![CDATA[err]]></error></testcase></testsuite>
  <system-out>text</system-out>
</testsuite></testsuites>)";

/// Resident memory now, in bytes.
std::size_t resident() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t size = 0, pages = 0;
  statm >> size >> pages;
  return pages * 4096;
}

}  // namespace

TEST_CASE("cases are counted from the cases, in every suite, and their times summed") {
  const JunitSummary summary = read(sample);
  CHECK(summary.well_formed);
  CHECK(summary.is_junit);
  CHECK(summary.root == "testsuites");
  CHECK(counts(summary) == "4 1 1 1 1");
  CHECK(summary.time_ms == 1750);
  CHECK(summary.failed == std::vector<std::string>{"outer:c:t2", "inner:c:t4"});
}

TEST_CASE("the control server's recorded file is counted as it was") {
  // DCI protocol: POST /files with this body gave total 4, success 1, failures 1, errors 1, skips 1, time 2 (rounded).
  const JunitSummary summary = read(
      R"(<testsuites><testsuite name="s"><testcase classname="c" name="t1" time="1.5"/><testcase classname="c" name="t2"><failure message="m" type="T">boom</failure></testcase><testcase classname="c" name="t3"><skipped/></testcase><testcase classname="c" name="t4"><error message="e">err</error></testcase></testsuite></testsuites>)");
  CHECK(counts(summary) == "4 1 1 1 1");
  CHECK(summary.time_ms == 1500);
}

TEST_CASE("what counts as a case, and how it ended") {
  struct Case {
    std::string what, body, expected;
  };
  for (const Case& c : {
           Case{"a suite as root", "<testsuite><testcase/></testsuite>", "1 1 0 0 0"},
           {"a case without a suite is none", "<testsuites><testcase><failure/></testcase></testsuites>", "0 0 0 0 0"},
           {"a case within something else is none", "<testsuite><group><testcase/></group></testsuite>", "0 0 0 0 0"},
           {"a case within a case is none",
            "<testsuite><testcase><testcase><failure/></testcase></testcase></testsuite>", "1 1 0 0 0"},
           {"a suite within a case is one",
            "<testsuite><testcase><testsuite><testcase><error/></testcase></testsuite></testcase></testsuite>",
            "2 1 0 1 0"},
           {"a suite anywhere is one", "<testsuites><a><b><testsuite><testcase/></testsuite></b></a></testsuites>",
            "1 1 0 0 0"},
           {"an outcome deeper down is none", "<testsuite><testcase><x><failure/></x></testcase></testsuite>",
            "1 1 0 0 0"},
           {"the last outcome counts", "<testsuite><testcase><failure/><skipped/></testcase></testsuite>", "1 0 0 0 1"},
           {"two failures are one", "<testsuite><testcase><failure/><failure/></testcase></testsuite>", "1 0 1 0 0"},
           {"output is no outcome",
            "<testsuite><testcase><system-out>x</system-out><system-err/></testcase></testsuite>", "1 1 0 0 0"},
           {"a rerun is no outcome", "<testsuite><testcase><rerunFailure/><flakyError/></testcase></testsuite>",
            "1 1 0 0 0"},
           {"no cases", "<testsuites/>", "0 0 0 0 0"},
       }) {
    const JunitSummary summary = read(c.body);
    INFO(c.what);
    CHECK(summary.well_formed);
    CHECK(summary.is_junit);
    CHECK(counts(summary) == c.expected);
  }
}

TEST_CASE("earlier tries of a case say that it is flaky, and not how it ended") {
  const JunitSummary summary = read(R"(<testsuites><testsuite name="s">
    <testcase classname="c" name="a"><flakyFailure message="m"><stackTrace>t</stackTrace><system-out>o</system-out></flakyFailure></testcase>
    <testcase classname="c" name="b"><failure/><rerunFailure message="m"/><rerunError/></testcase>
    <testcase classname="c" name="c"><flakyError/><flakyError/></testcase>
    <testcase classname="c" name="d"><error/><flakyFailure/></testcase>
    <testcase classname="c" name="e"><rerunFailure><failure/></rerunFailure></testcase>
  </testsuite></testsuites>)");
  CHECK(counts(summary) == "5 3 1 1 0");
  CHECK(summary.flaky == 2);
  CHECK(summary.flaky_names == std::vector<std::string>{"s:c:a", "s:c:c"});
}

TEST_CASE("properties are no tests, wherever they stand") {
  const JunitSummary summary = read(R"(<testsuites><properties><property name="testcase" value="failure"/></properties>
    <testsuite name="s"><properties><property name="p">text</property></properties>
    <testcase name="a"><properties><property name="failure" value="x"/></properties></testcase></testsuite></testsuites>)");
  CHECK(counts(summary) == "1 1 0 0 0");
}

TEST_CASE("files that tests name in their output are found, at any depth, and nowhere else") {
  const JunitSummary summary = read(R"(<testsuites><testsuite name="s"><system-err>[[ATTACHMENT|/suite.log]]</system-err>
    <testcase name="a"><system-out>before
[[ATTACHMENT|shots/a.png]] [[ATTACHMENT| b &amp; c.png ]]
[[ATTACHMENT|shots/a.png]]</system-out><failure>[[ATTACHMENT|/no]]</failure>
    <rerunFailure><system-out><![CDATA[[[ATTACHMENT|again.log]]]]></system-out></rerunFailure></testcase></testsuite></testsuites>)");
  CHECK(summary.attachments == std::vector<std::string>{"/suite.log", "shots/a.png", "b & c.png", "again.log"});
}

TEST_CASE("times are read like the server reads them") {
  CHECK(parse_seconds("1.5") == 1'500'000);
  CHECK(parse_seconds(" 2 ") == 2'000'000);
  CHECK(parse_seconds("1e-3") == 1'000);
  CHECK(parse_seconds("+3") == 3'000'000);
  CHECK(parse_seconds("-1") == -1'000'000);
  for (const char* bad : {"", "abc", "1,234.5", "1.5s", "nan", "inf", "-inf", "1e300", "0x10", "--1", "+-1"})
    CHECK(parse_seconds(bad) == 0);
}

TEST_CASE("an empty file has no tests") {
  for (const std::string& nothing : {""s, " \n\t"s, "<?xml version='1.0'?>\n"s, "<!-- nothing -->"s}) {
    const JunitSummary summary = read(nothing);
    CHECK(summary.well_formed);
    CHECK(summary.is_junit);
    CHECK(counts(summary) == "0 0 0 0 0");
  }
}

TEST_CASE("the error is told in the parser's words, as the server tells it") {
  // DCI protocol: the server's answer to this body was 400 "Invalid XML: unclosed token: line 1, column 11".
  CHECK(read("<testsuite><").problem == "unclosed token: line 1, column 11");
  CHECK(read("<testsuite></testsuites>").problem == "mismatched tag: line 1, column 13");
  CHECK(read("hello").problem == "syntax error: line 1, column 0");
  CHECK(read("<testsuite/><testsuite/>").problem == "junk after document element: line 1, column 12");
  CHECK(read("<testsuite>&nbsp;</testsuite>").problem == "undefined entity: line 1, column 11");
  CHECK(read("<x:testsuite/>").problem == "unbound prefix: line 1, column 0");
  CHECK(read("<testsuite>\xff</testsuite>").problem == "not well-formed (invalid token): line 1, column 11");
  for (const char* bad : {"<testsuite><", "hello", "<testsuite/><testsuite/>"}) CHECK_FALSE(read(bad).well_formed);
}

TEST_CASE("a file that was cut off keeps the failures seen until then") {
  const JunitSummary summary = read(sample.substr(0, sample.find("<skipped")));
  CHECK_FALSE(summary.well_formed);
  CHECK(summary.is_junit);
  CHECK(summary.failures == 1);
  CHECK(summary.failed == std::vector<std::string>{"outer:c:t2"});
  const JunitSummary within = read("<testsuite name='s'><testcase name='t'><failure>lots of te");
  CHECK_FALSE(within.well_formed);
  CHECK(within.failures == 1);
}

TEST_CASE("XML that is something else is not JUnit") {
  for (const char* other : {"<coverage/>", "<html><testsuite><testcase/></testsuite></html>", "<testSuite/>"}) {
    const JunitSummary summary = read(other);
    CHECK(summary.well_formed);
    CHECK_FALSE(summary.is_junit);
    CHECK_FALSE(summary.root.empty());
  }
}

TEST_CASE("elements in a namespace are no tests for the server, which is said") {
  const JunitSummary summary = read("<testsuite xmlns='urn:x'><testcase><failure/></testcase></testsuite>");
  CHECK(summary.is_junit);
  CHECK(summary.namespaced);
  CHECK(counts(summary) == "0 0 0 0 0");
  CHECK_FALSE(read("<testsuite xmlns:a='urn:x'><testcase/></testsuite>").namespaced);
}

TEST_CASE("old encodings are read") {
  CHECK(read("<?xml version='1.0' encoding='ISO-8859-1'?><testsuite "
             "name='\xe9'><testcase><failure/></testcase></testsuite>")
            .failed == std::vector<std::string>{"\xC3\xA9::"});
  CHECK(read("<?xml version='1.0' encoding='windows-1252'?><testsuite "
             "name='\x80'><testcase><failure/></testcase></testsuite>")
            .failed == std::vector<std::string>{"\xE2\x82\xAC::"});
  CHECK(read("\xEF\xBB\xBF<testsuite><testcase/></testsuite>").total == 1);
  std::string utf16 = "\xFF\xFE";
  for (const char c : "<testsuite><testcase/></testsuite>"s) utf16 += {c, '\0'};
  CHECK(read(utf16).total == 1);
  for (const char* unknown : {"made-up", "utf-8//TRANSLIT", "Shift_JIS"})
    CHECK_FALSE(read("<?xml version='1.0' encoding='"s + unknown + "'?><testsuite name='\x81'/>").well_formed);
}

TEST_CASE("harmless entities are expanded, bombs are refused, external ones never read") {
  CHECK(
      read("<!DOCTYPE testsuite [<!ENTITY n 'name'>]><testsuite name='&n;'><testcase><failure/></testcase></testsuite>")
          .failed == std::vector<std::string>{"name::"});

  std::string bomb = "<!DOCTYPE t [<!ENTITY a0 'lol'>";
  for (int i = 1; i < 20; ++i) {
    bomb += "<!ENTITY a" + std::to_string(i) + " '";
    for (int n = 0; n < 10; ++n) bomb += "&a" + std::to_string(i - 1) + ";";
    bomb += "'>";
  }
  const JunitSummary laughs = read(bomb + "]><testsuite><testcase>&a19;</testcase></testsuite>");
  CHECK_FALSE(laughs.well_formed);
  CHECK(laughs.problem.find("amplification") != std::string::npos);

  std::string quadratic = "<!DOCTYPE t [<!ENTITY a '" + std::string(100'000, 'x') + "'>]><testsuite><testcase>";
  for (int i = 0; i < 1000; ++i) quadratic += "&a;";
  CHECK_FALSE(read(quadratic + "</testcase></testsuite>").well_formed);

  const test::TemporaryDirectory directory;
  test::write_file(directory.path / "other", "<testcase/>");
  const std::string declaration =
      "<!DOCTYPE t [<!ENTITY e SYSTEM 'file://" + (directory.path / "other").string() + "'>]>";
  const JunitSummary external = read(declaration + "<testsuite>&e;</testsuite>");
  CHECK(external.total == 0);
  const JunitSummary outside = read("<!DOCTYPE t SYSTEM 'http://127.0.0.1:1/x.dtd'><testsuite>&e;</testsuite>");
  CHECK_FALSE(outside.well_formed);
  CHECK(outside.problem.find("undefined entity &e;") != std::string::npos);
}

TEST_CASE("limits on size, depth and the length of a tag make a file ill-formed") {
  JunitLimits limits;
  limits.bytes = 100;
  CHECK(read(sample, limits).problem.find("above the limit of 100 bytes") != std::string::npos);

  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  const JunitSummary nested = read("<testsuite><testcase><failure/></testcase>" + deep);
  CHECK_FALSE(nested.well_formed);
  CHECK(nested.problem.find("256 elements") != std::string::npos);
  CHECK(nested.failures == 1);

  limits = {};
  limits.token = 1 << 20;
  for (const char* begin : {"<testsuite><testcase name='", "<testsuite><!-- ", "<testsuite "}) {
    const JunitSummary summary = read(begin + std::string(3 << 20, 'x'), limits);
    CHECK_FALSE(summary.well_formed);
    CHECK(summary.problem.find("longer than 1048576 bytes") != std::string::npos);
  }
  CHECK(read("<testsuite><testcase name='t'><failure message='" + std::string(900'000, 'x') +
                 "'/></testcase></testsuite>",
             limits)
            .failures == 1);
}

TEST_CASE("only the first twenty failed names are kept, each shortened within reason") {
  std::string xml = "<testsuite name='s'>";
  for (int i = 0; i < 30; ++i) xml += "<testcase classname='c' name='t" + std::to_string(i) + "'><error/></testcase>";
  const JunitSummary many = read(xml + "</testsuite>");
  CHECK(many.errors == 30);
  REQUIRE(many.failed.size() == 20);
  CHECK(many.failed.back() == "s:c:t19");
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xBC";
  const JunitSummary long_name =
      read("<testsuite name='" + umlauts + "'><testcase name='a" + umlauts + "'><failure/></testcase></testsuite>");
  REQUIRE(long_name.failed.size() == 1);
  CHECK(long_name.failed[0].size() < 700);
  CHECK(long_name.failed[0].find("\xC3...") == std::string::npos);
}

TEST_CASE("a hundred megabytes are read in constant memory") {
  const test::TemporaryDirectory directory;
  const auto path = directory.path / "big.xml";
  {
    std::ofstream file{path, std::ios::binary};
    file << "<testsuites><testsuite name='big'>";
    const std::string noise(1000, 'x');
    for (int i = 0; i < 100'000; ++i)
      file << "<testcase classname='c' name='t" << i << "' time='0.001'><failure message='m'>" << noise
           << "</failure></testcase>\n";
    file << "</testsuite></testsuites>";
  }
  const std::size_t before = resident();
  const auto summary = read_junit(path);
  const std::size_t after = resident();
  REQUIRE(summary);
  CHECK(summary->well_formed);
  CHECK(summary->failures == 100'000);
  CHECK(summary->time_ms == 100'000);
  INFO("resident memory grew from " << before << " to " << after);
  CHECK(after < before + (32 << 20));  // A sanitizer keeps for a while what is freed.
}

TEST_CASE("a sample cut after every byte never crashes and never passes as whole") {
  for (std::size_t size = 0; size < sample.size(); ++size) {
    const JunitSummary summary = read(sample.substr(0, size));
    INFO(size << ": " << summary.problem);
    CHECK(summary.total <= 4);
    // Up to the first tag there is nothing: an empty file, or an error.
    if (size > sample.find("<testsuites") + 1) CHECK_FALSE(summary.well_formed);
    CHECK(summary.well_formed == summary.problem.empty());
  }
}

TEST_CASE("random mutations never crash the reader or break its sums") {
  std::mt19937 random{2026};
  const std::string bytes = "<>&;\"'/!?[]-= \n\0\xff\xC3testcase"s;
  for (int round = 0; round < 3000; ++round) {
    std::string mutated = sample;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      const std::size_t at = random() % mutated.size();
      switch (random() % 3) {
        case 0: mutated[at] = bytes[random() % bytes.size()]; break;
        case 1: mutated.erase(at, random() % 20); break;
        default: mutated.insert(at, mutated.substr(random() % mutated.size(), random() % 40));
      }
    }
    const JunitSummary summary = read(mutated);
    REQUIRE(summary.total == summary.success + summary.failures + summary.errors + summary.skips);
    REQUIRE(summary.well_formed == summary.problem.empty());
    REQUIRE(static_cast<std::int64_t>(summary.failed.size()) == summary.failures + summary.errors);
  }
}

TEST_CASE("a file that cannot be read is an error, not a result") {
  const auto summary = read_junit("/nonexistent/junit.xml");
  REQUIRE_FALSE(summary);
  CHECK(summary.error().fault == Fault::unavailable);
}
