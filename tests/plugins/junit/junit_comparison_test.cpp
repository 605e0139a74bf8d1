#include "plugins/junit/junit_comparison.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::junit;

namespace {

using Names = std::vector<std::string>;

std::string suite(const std::string& cases, const std::string& name = "s") {
  return "<testsuites><testsuite name='" + name + "'>" + cases + "</testsuite></testsuites>";
}

/// A case of class c; `outcome`: "", "failure", "error" or "skipped".
std::string test_case(const std::string& name, const std::string& outcome = "", const std::string& time = "1") {
  return "<testcase classname='c' name='" + name + "' time='" + time + "'>" + (outcome.empty() ? "" : "<" + outcome + "/>") + "</testcase>";
}

struct Files {
  test::TemporaryDirectory directory;

  Result<pipeline::ResultComparison> compare(const std::string& before, const std::string& now, std::size_t most = 1000) {
    test::write_file(directory.path / "before", before);
    test::write_file(directory.path / "now", now);
    return compare_junit(directory.path / "now", directory.path / "before", {}, most);
  }
};

}  // namespace

TEST_CASE("each kind of change is counted and named") {
  Files files;
  const auto found = files.compare(
      suite(test_case("a") + test_case("b", "failure") + test_case("c") + test_case("d") + test_case("e", "error") + test_case("f", "skipped")),
      suite(test_case("a", "failure") + test_case("b") + test_case("c") + test_case("e") + test_case("f") + test_case("g", "failure", "2.5")));
  REQUIRE(found);
  CHECK(found->regressions == 1);
  CHECK(found->regressed == Names{"s:c:a"});
  CHECK(found->fixes == 1);
  CHECK(found->fixed == Names{"s:c:b"});
  CHECK(found->added == 1);
  CHECK(found->added_names == Names{"s:c:g"});
  CHECK(found->removed == 1);
  CHECK(found->removed_names == Names{"s:c:d"});
  CHECK(found->changed == 2);
  CHECK(found->changed_names == Names{"s:c:e (error, now success)", "s:c:f (skipped, now success)"});
  CHECK(found->time_ms_before == 6000);
}

TEST_CASE("what has not changed is nothing to name") {
  Files files;
  const auto same = suite(test_case("a") + test_case("b", "failure"));
  const auto found = files.compare(same, same);
  REQUIRE(found);
  CHECK(found->regressions + found->fixes + found->added + found->removed + found->changed == 0);
}

TEST_CASE("cases are told apart by suite, class and name in their full length, and the last of several counts") {
  Files files;
  const std::string long_name(400, 'x');
  const auto moved = files.compare(suite(test_case("a")), suite(test_case("a"), "t"));
  REQUIRE(moved);
  CHECK(moved->added == 1);
  CHECK(moved->removed == 1);
  const auto alike = files.compare(suite(test_case(long_name + "1") + test_case(long_name + "2", "failure")),
                                   suite(test_case(long_name + "1", "failure") + test_case(long_name + "2")));
  REQUIRE(alike);
  CHECK(alike->regressions == 1);
  CHECK(alike->fixes == 1);
  const auto twice = files.compare(suite(test_case("a") + test_case("a", "failure")), suite(test_case("a", "failure") + test_case("a")));
  REQUIRE(twice);
  CHECK(twice->fixes == 1);
  CHECK(twice->regressions == 0);
}

TEST_CASE("at most twenty names of a kind are told") {
  Files files;
  std::string before, now;
  for (int i = 0; i < 50; ++i) before += test_case(std::to_string(i)), now += test_case(std::to_string(i), "failure");
  const auto found = files.compare(suite(before), suite(now));
  REQUIRE(found);
  CHECK(found->regressions == 50);
  CHECK(found->regressed.size() == 20);
  CHECK(found->regressed.front() == "s:c:0");
}

TEST_CASE("a file that is gone or has too many cases is not compared") {
  Files files;
  CHECK(files.compare(suite(test_case("a") + test_case("b")), suite(""), 1).error().fault == Fault::refused);
  CHECK(compare_junit(files.directory.path / "now", files.directory.path / "gone").error().fault == Fault::unavailable);
}
