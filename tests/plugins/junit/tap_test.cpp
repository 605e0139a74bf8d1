#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/tap_conversion.hpp"
#include "plugins/junit/tap_line.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/text.hpp"
#include "support/catch.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::junit;

namespace {

using Texts = std::vector<std::string>;

/// "outcome group/name: message" of each test.
Texts read(std::string_view document, const TapLimits& limits = {}) {
  constexpr const char* words[] = {"success", "skipped", "error", "failure"};
  Texts told;
  TapReader reader{[&](const TapTest& test) {
                     told.push_back(std::string{words[static_cast<int>(test.outcome)]} + " " + (test.group.empty() ? "" : test.group + "/") +
                                    test.name + (test.message.empty() ? "" : ": " + test.message));
                   },
                   limits};
  for (const auto& line : split(document, '\n')) reader.read(line);
  reader.finish();
  return told;
}

Descriptor memory(std::string_view content = {}) {
  Descriptor file{::memfd_create("tap", MFD_CLOEXEC)};
  REQUIRE(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
  return file;
}

std::string content_of(const Descriptor& file) {
  std::string content(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
  REQUIRE(::pread(file.get(), content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()));
  return content;
}

struct Converted {
  TapConversion conversion;
  std::string xml;
  JunitSummary summary;
};

Converted convert(std::string_view document, const TapLimits& limits = {}) {
  const Descriptor from = memory(document), to = memory();
  auto conversion = convert_tap(from.get(), "a.tap", to.get(), "a", limits);
  REQUIRE(conversion);
  Converted converted{*conversion, content_of(to), {}};
  REQUIRE(::lseek(to.get(), 0, SEEK_SET) == 0);
  auto summary = read_junit(to.get(), "a.xml");
  REQUIRE(summary);
  REQUIRE(summary->well_formed);
  converted.summary = *summary;
  return converted;
}

}  // namespace

TEST_CASE("tests of a TAP document are told with their names and outcomes") {
  CHECK(read("TAP version 14\n1..4\nok 1 - first\nnot ok 2 second\nok\nnot ok - 4 is a name\n") ==
        Texts{"success first", "failure second: not ok", "success test 3", "failure 4 is a name: not ok"});
  CHECK(read("ok 1\r\nok 2\r\n1..2\r\n") == Texts{"success test 1", "success test 2"});
  CHECK(read("\xEF\xBB\xBFTAP version 13\n1..1\nok 1 a\n") == Texts{"success a"});
}

TEST_CASE("directives say what does not count") {
  CHECK(read("1..7\nok 1 a # SKIP no disk\nnot ok 2 b # skip\nnot ok 3 c # TODO not yet\nok 4 d # todo works by now\n"
             "ok 5 # Skipped: old words\nok 6 e \\# SKIP is its name\nok 7 f # see issue #5 # SKIP for now\n") ==
        Texts{"skipped a: SKIP: no disk", "skipped b: SKIP", "skipped c: TODO: not yet", "success d: TODO: works by now",
              "skipped test 5: SKIP: old words", "success e # SKIP is its name", "skipped f # see issue #5: SKIP: for now"});
  CHECK(parse_tap_point(" 1 - a\\\\b \\# c # SKIP see #5").description == "a\\b # c");
  CHECK(parse_tap_point(" 1 - a # SKIP see #5").reason == "see #5");
  CHECK(parse_tap_point(" 1 - a # time=12.5ms").time_us == 12'500);
}

TEST_CASE("a plan that is not kept is an error of its own") {
  const std::string planned = "error TAP as planned: ";
  CHECK(read("1..3\nok 1\n") == Texts{"success test 1", planned + "3 tests were planned, 1 ran"});
  CHECK(read("1..1\nok 1\nok 2\n")[2] == planned + "test 2 is none of those that were planned");
  CHECK(read("ok 1\n")[1] == planned + "there is no plan: the test program ended early");
  CHECK(read("") == Texts{planned + "there is no test and no plan"});
  CHECK(read("core dumped\n") == Texts{planned + "there is no test and no plan"});
  CHECK(read("1..1\n1..1\nok 1\n")[1] == planned + "there is more than one plan");
  CHECK(read("ok 1\n1..2\nok 2\n")[2] == planned + "the plan is neither at the beginning nor at the end");
  CHECK(read("1..0 # SKIP no hardware\n") == Texts{"skipped all tests: SKIP: no hardware"});
  CHECK(read("1..0\n") == Texts{"skipped all tests: SKIP"});
  CHECK(read("1..0 # skipped: old words\n") == Texts{"skipped all tests: SKIP: old words"});
  CHECK(read("1..0\nok 1\n")[1] == planned + "0 tests were planned, 1 ran");
}

TEST_CASE("bailing out is an error, and what was promised counts no more") {
  CHECK(read("1..9\nok 1 a\nBail out!  the array is on fire\nnot ok 2\n") == Texts{"success a", "error Bail out!: the array is on fire"});
  CHECK(read("1..2\n    1..5\n    not ok 1 inner\n    Bail out!\nok 1\n") == Texts{"failure subtest/inner: not ok", "error Bail out!: the test program gave up"});
}

TEST_CASE("tests of subtests are told, and the test that sums them up only when it says more") {
  CHECK(read("1..2\n# Subtest: disks\n    1..2\n    ok 1 - sda\n    not ok 2 - sdb\nnot ok 1 - disks\nok 2 - end\n") ==
        Texts{"success disks/sda", "failure disks/sdb: not ok", "success end"});
  // Announced within, and not at all; the name is that of the test that sums up.
  CHECK(read("1..2\n    # Subtest: x\n    ok 1 - a\n    1..1\nok 1 - x\n    ok 1 - b\n    1..1\nok 2 - y\n") == Texts{"success x/a", "success y/b"});
  CHECK(read("1..1\n    1..1\n    ok 1 - fine\nnot ok 1 - it leaked\n") == Texts{"success it leaked/fine", "failure it leaked: not ok"});
  CHECK(read("1..1\n    1..1\n    not ok 1 - later\nnot ok 1 - group # TODO unfinished\n") == Texts{"skipped group/later: TODO: unfinished"});
  CHECK(read("1..1\n    1..0 # SKIP no disk\nok 1 - disks\n") == Texts{"skipped disks/all tests: SKIP: no disk"});
  CHECK(read("1..1\n    1..3\n    ok 1 - a\nnot ok 1 - short\n") == Texts{"success short/a", "error short/TAP as planned: 3 tests were planned, 1 ran"});
  CHECK(read("1..1\n    1..1\n        1..1\n        not ok 1 - deep\n    not ok 1 - middle\nnot ok 1 - outer\n") == Texts{"failure outer / middle/deep: not ok"});
  // Nothing sums it up: its tests count all the same.
  CHECK(read("1..0\n# Subtest: lost\n    1..1\n    not ok 1 - a\n")[0] == "failure lost/a: not ok");
}

TEST_CASE("diagnostics say why") {
  const auto converted = convert(
      "TAP version 14\n1..3\nnot ok 1 - yaml\n  ---\n  message: 'two & three'\n  duration_ms: 1500\n  at:\n    file: a.c\n  ...\n"
      "not ok 2 - comment\n# Failed test\n#   at t/a.t line 3\nok 3 - fine\n  ---\n  note: kept\n  ...\n");
  CHECK(converted.summary.failures == 2);
  CHECK(converted.summary.time_ms == 1500);
  CHECK(converted.summary.failed == Texts{"a:a:yaml", "a:a:comment"});
  for (const char* part : {"<failure message=\"two &amp; three\">message: 'two &amp; three'", "  file: a.c", "time=\"1.500000\"",
                           "<failure message=\"Failed test\">", "t/a.t line 3", "<system-out>note: kept"})
    CHECK((converted.xml.find(part) == std::string::npos ? converted.xml : "") == "");
  // A block without its end does not swallow the tests behind it.
  CHECK(read("1..2\nnot ok 1\n  ---\n  message: x\nok 2\n") == Texts{"failure test 1: x", "success test 2", "error TAP as planned: a block of diagnostics has no end"});
}

TEST_CASE("lines that are no TAP are passed over, unless a pragma forbids them") {
  CHECK(read("starting\n1..1\n  noise\nok 1\nokay\nnot okay\n") == Texts{"success test 1"});
  CHECK(read("1..1\npragma +strict\nnoise\nok 1\n")[1] == "error TAP as planned: this line is no TAP, and strictness was asked for: noise");
  CHECK(read("1..1\npragma +strict\npragma -strict\nnoise\nok 1\n") == Texts{"success test 1"});
  CHECK(read("pragma +strict\n1..1\n    noise within\n    1..1\n    ok 1\nok 1 - a\n").size() == 2);
}

TEST_CASE("a version that is not known is said and read") {
  const auto converted = convert("TAP version 99\n1..1\nok 1\n");
  CHECK(converted.summary.success == 1);
  CHECK(converted.conversion.notes == Texts{"TAP version 99 is not known; read as version 14"});
  CHECK(convert("TAP version 13\n1..1\nok 1\n").conversion.notes.empty());
}

TEST_CASE("what XML cannot hold does not break it") {
  const auto converted = convert(std::string{"1..2\nnot ok 1 - <a> & \"b\" \x1b[31m \xff\n# ]]> \x01\nok 2 - \xC3\xBC\xEF\xBF\xBE\n"});
  CHECK(converted.summary.total == 2);
  CHECK(converted.summary.failed == Texts{"a:a:<a> & \"b\" \xEF\xBF\xBD[31m \xEF\xBF\xBD"});
}

TEST_CASE("limits end a document with an error") {
  TapLimits limits;
  limits.bytes = 10;
  const auto large = convert("1..2\nok 1\nok 2\n", limits);
  CHECK(large.summary.errors == 1);
  CHECK(large.conversion.problem == "15 bytes, above the limit of 10 bytes");
  limits = {};
  limits.subtest = 10'000;
  std::string document = "1..1\n";
  for (int i = 0; i < 1000; ++i) document += "    ok " + std::to_string(i) + "\n";
  const auto endless = convert(document + "ok 1\n", limits);
  CHECK(endless.summary.errors == 1);
  CHECK(endless.conversion.problem.find("a subtest of more than 10000 bytes") != std::string::npos);
  limits = {};
  limits.details = 1000;
  limits.line = 100;
  document = "1..1\nnot ok 1 - " + std::string(1000, 'x') + "\n";
  for (int i = 0; i < 1000; ++i) document += "# more and more\n";
  CHECK(convert(document, limits).xml.size() < 3000);
}

TEST_CASE("a document cut after every byte is read, and never passes as whole") {
  const std::string document = "TAP version 14\n1..3\nok 1 - a\n    1..1\n    ok 1 - b\nok 2 - c # SKIP d\nnot ok 3 - e\n  ---\n  message: f\n  ...\n";
  CHECK(convert(document).summary.errors == 0);
  for (std::size_t size = 0; size < document.find("not ok 3") + 7; ++size) {
    CAPTURE(size);
    const auto cut = convert(document.substr(0, size)).summary;
    CHECK(cut.errors + cut.failures >= 1);
  }
}
