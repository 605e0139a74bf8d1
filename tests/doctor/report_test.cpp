// What the doctor prints, and its manual page.
#include "agent/doctor/checks.hpp"
#include "integration/sample_lab.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <boost/json/parse.hpp>

namespace {

using namespace outpost;
using namespace outpost::test;
using doctor::Verdict;

doctor::Report report_of(std::vector<doctor::Finding> findings) {
  doctor::Report report;
  for (auto& finding : findings) {
    const auto& check = doctor::all_checks()[report.rows.size()];
    report.rows.push_back({check.id, check.group, check.name, std::move(finding), {}});
  }
  return report;
}

int run(const std::vector<std::string>& arguments, std::string& said) {
  const TemporaryDirectory directory;
  std::vector<std::string> command{OUTPOST_PROGRAM, "doctor", "--config", (directory.path / "outpost.yml").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process process{command, directory.path / "out"};
  const int status = process.wait();
  said = read_file(directory.path / "out");
  return status;
}

}  // namespace

TEST_CASE("outpost-doctor(7) has a section for each check, in their order, and no others", "[doctor]") {
  const std::string page = text_of("agent/doctor/outpost-doctor.7");
  std::vector<std::string> written, known;
  const std::regex heading{"\n\\.SS \"(D\\d\\d) ([^\"]+)\"\n\\.RB \"Group \" ([a-z]+) \\."};
  for (std::sregex_iterator match{page.begin(), page.end(), heading}, end; match != end; ++match)
    written.push_back(match->str(1) + " " + match->str(3) + " " + match->str(2));
  for (const auto& check : doctor::all_checks())
    known.push_back(std::string{check.id} + " " + std::string{check.group} + " " + std::string{check.name});
  CHECK(known.size() == 26);
  CHECK(written == known);
}

TEST_CASE("the report for programs has the members that outpost-doctor(7) describes", "[doctor]") {
  const auto report = doctor::to_json(report_of({doctor::failed("m", "p", {"f", "a"})}));
  const std::string described = man_section(page("agent/doctor/outpost-doctor.7"), "REPORT FOR PROGRAMS");
  CHECK(report.at("version").as_int64() == doctor::report_version);
  for (const auto& member : report) CHECK_THAT(described, holds(std::string{member.key()}));
  for (const auto& member : report.at("checks").at(0).as_object())
    CHECK_THAT(described, holds(std::string{member.key()}));
}

TEST_CASE("the worst finding decides, and what was skipped does not count", "[doctor]") {
  CHECK(report_of({doctor::passed("a"), doctor::skipped("b")}).worst() == Verdict::pass);
  CHECK(report_of({doctor::passed("a"), doctor::warned("b", "", {})}).worst() == Verdict::warn);
  CHECK(report_of({doctor::failed("a", "", {}), doctor::warned("b", "", {})}).worst() == Verdict::fail);
}

TEST_CASE("of several things the worst comes first, and nothing is said twice", "[doctor]") {
  doctor::Findings findings;
  findings.add(doctor::passed("one"));
  findings.add(doctor::failed("two", "why", {"cure", "words"}));
  findings.add(doctor::failed("three", "why", {"cure", "words"}));
  const auto all = std::move(findings).all("none");
  CHECK(all.verdict == Verdict::fail);
  CHECK(all.measured == "two\nthree\none");
  CHECK(all.problem == "why");
  CHECK(all.fix == "cure");
  CHECK(all.advice == "words");
  CHECK(doctor::Findings{}.all("none").measured == "none");
}

TEST_CASE("what is printed has colours only when they are asked for", "[doctor]") {
  const auto report = report_of({doctor::failed("m", "p", {"f", "a"})});
  CHECK(doctor::to_text(report, false).find('\x1b') == std::string::npos);
  CHECK(doctor::to_text(report, true).find("\x1b[31mFAIL\x1b[0m") != std::string::npos);
}

TEST_CASE("outpost doctor works without configuration, daemon and server", "[doctor]") {
  std::string said;
  CHECK(run({"--json", "config", "D10"}, said) == 1);
  const auto report = boost::json::parse(said);
  CHECK(report.at("schema") == "outpost-doctor");
  REQUIRE(report.at("checks").as_array().size() == 2);
  CHECK(report.at("checks").at(0).at("verdict") == "fail");
  CHECK(run({"everything"}, said) == 2);
  CHECK_THAT(said, holds("there is no check or group everything"));
  CHECK(run({"D01"}, said) == 1);
  CHECK_THAT(said, holds("FAIL  D01") && holds("outpost setup --from-dci"));
}
