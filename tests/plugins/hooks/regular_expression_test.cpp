#include "plugins/hooks/regular_expression.hpp"

#include "support/catch.hpp"

#include <string>

using namespace outpost;
using hooks::RegularExpression;
using Match = RegularExpression::Match;

namespace {

bool fits(const std::string& pattern, const std::string& text) {
  const auto compiled = RegularExpression::compile(pattern);
  INFO(pattern);
  REQUIRE(compiled.has_value());
  const auto match = compiled->search(text);
  CHECK(match != Match::undecided);
  return match == Match::yes;
}

std::string reason(const std::string& pattern) {
  const auto compiled = RegularExpression::compile(pattern);
  return compiled ? "" : compiled.error().message;
}

}  // namespace

TEST_CASE("expressions mean what ECMA-262 says") {
  CHECK(fits("b", "abc"));
  CHECK_FALSE(fits("^b", "abc"));
  CHECK_FALSE(fits("a$", "a\n"));
  CHECK_FALSE(fits("^.$", "\n"));
  CHECK(fits("^(?=.*[0-9])(?!admin)[a-z0-9]+$", "user1"));
  CHECK_FALSE(fits("^(?=.*[0-9])(?!admin)[a-z0-9]+$", "admin1"));
  CHECK(fits(R"(^(['"]).*\1$)", "\"a\""));
  CHECK_FALSE(fits(R"(^(['"]).*\1$)", "\"a'"));
  CHECK(fits("^(?:(a)|b)\\1$", "b"));  // A group without a match is empty.
  CHECK(fits("(?<=v)(?<major>[0-9])", "v4"));
  CHECK(fits("^[^]$", "x"));
  CHECK_FALSE(fits("[]", "x"));
  CHECK(fits(R"(^\u00e4\x41$)", "\xc3\xa4"
                                 "A"));
  CHECK(fits("^.{2}$", "\xc3\xa4\xc3\xb6"));
  CHECK_FALSE(fits(R"(^\w\d$)", "\xc3\xa4"
                                 "1"));
  CHECK(fits(R"(^\p{L}+$)", "\xc3\xa4"));
  CHECK(fits("^[a-z]{2,3}x{2}y?z*?$", "abxx"));
  CHECK(fits("a}+", "a}}"));
  CHECK(fits(R"(\++[+]+)", "+++"));
  CHECK_FALSE(fits("a", "\xff"));
}

TEST_CASE("what only other dialects have is no expression, nor is what none has") {
  const std::string foreign = " is not of ECMA-262, the dialect of JSON Schema";
  CHECK(reason("(?i)a") == "(?i" + foreign);
  CHECK(reason("(?P<name>a)") == "(?P" + foreign);
  CHECK(reason("(?>a)") == "(?>" + foreign);
  CHECK(reason("(*LIMIT_MATCH=1)a") == "(*" + foreign);
  CHECK(reason("\\Aa\\z") == "\\A" + foreign);
  CHECK(reason("[\\h]") == "\\h" + foreign);
  CHECK(reason("a++") == "a repeat that gives nothing back (+)" + foreign);
  CHECK(reason("(a{1,2}+)") == "a repeat that gives nothing back (+)" + foreign);
  CHECK(reason("a?+b") == "a repeat that gives nothing back (+)" + foreign);
  CHECK(reason("(a") == "missing closing parenthesis, at byte 2");
  CHECK_FALSE(reason("a**").empty());
  CHECK_FALSE(reason("*").empty());
  CHECK_FALSE(reason("\\").empty());
  CHECK_FALSE(reason("[").empty());
  CHECK_FALSE(reason("(?").empty());
  CHECK_FALSE(reason("\xff").empty());
  CHECK_FALSE(reason(std::string(10'000, '(')).empty());
  CHECK_FALSE(reason("((((a{1000}){1000}){1000}){1000})").empty());
  CHECK_FALSE(reason(std::string(100'000, 'a')).empty());
}

TEST_CASE("a comparison ends, whatever the pattern") {
  const auto match = [](const std::string& pattern, const std::string& text) { return RegularExpression::compile(pattern).value().search(text); };
  CHECK(match("(a+)+$", std::string(40, 'a') + "!") == Match::undecided);
  CHECK(match(R"(^(\w+\s?)*$)", std::string(60, 'a') + "!") == Match::undecided);
  CHECK(match("^(a|a)*$", std::string(60, 'a') + "!") == Match::undecided);
  CHECK(match("(x+x+)+y", std::string(40, 'x')) == Match::no);  // There is no y.
  CHECK(match("^(.*a){20}b$", std::string(60, 'a') + "!b") == Match::undecided);
  CHECK(match(R"(^(a*)*\1$)", std::string(40, 'a') + "!") == Match::undecided);
  // Little at each place where a match could begin, but at very many places.
  CHECK(match("x.*[yz]", std::string(100'000, 'x')) == Match::undecided);
  CHECK(match("[a-y]*[z0]", std::string(100'000, 'x')) == Match::undecided);
}

TEST_CASE("a long text takes no more stack than a short one") {
  const std::string text(1'000'000, '1');
  CHECK(fits("^[0-9.]+$", text));
  CHECK_FALSE(fits("^[0-9.]+$", text + "x"));
  CHECK(fits("^(?:1|2)+$", std::string(100'000, '1')));
  CHECK(fits("^(1|2)+$", std::string(10'000, '1')));
}

TEST_CASE("what comparisons take is counted") {
  std::uint64_t steps = 1000;
  const auto expression = RegularExpression::compile("^(ab)+$").value();
  CHECK(expression.search("abababab", steps) == Match::yes);
  CHECK(steps < 1000);
  CHECK(steps > 900);
  steps = 3;
  CHECK(expression.search("abababab", steps) == Match::undecided);
  CHECK(steps == 0);
}
