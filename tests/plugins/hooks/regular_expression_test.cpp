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

TEST_CASE("blanks, line ends and what is none are those of ECMA-262") {
  const auto is = [](const std::string& pattern, const std::string& text) { return fits("^" + pattern + "$", text); };
  for (const char* blank : {" ", "\t", "\n", "\v", "\f", "\r", "\u00a0", "\u1680", "\u2000", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"}) {
    CHECK(is("\\s", blank));
    CHECK(is("[\\s]", blank));
    CHECK(is("[x\\s]", blank));
    CHECK(is("[^\\S]", blank));
    CHECK_FALSE(is("\\S", blank));
    CHECK_FALSE(is("[\\S]", blank));
    CHECK_FALSE(is("[^\\s]", blank));
    CHECK(is("[\\s\\S]", blank));
  }
  const std::string null(1, '\0');
  for (const std::string& text : {null, std::string{"\b"}, std::string{"\x0e"}, std::string{"!"}, std::string{"\u0085"}, std::string{"\u00a1"}, std::string{"\u180e"},
                                  std::string{"\u200b"}, std::string{"\u2027"}, std::string{"\u202a"}, std::string{"\u2060"}, std::string{"\u3001"}, std::string{"\U0001f600"},
                                  std::string{"\U0010ffff"}, std::string{"5"}, std::string{"-"}}) {
    CHECK_FALSE(is("\\s", text));
    CHECK_FALSE(is("[\\s]", text));
    CHECK(is("\\S", text));
    CHECK(is("[\\S]", text));
    CHECK(is("[\\S\\n]", text));
    CHECK(is(".", text));
  }
  for (const char* line_end : {"\n", "\r", "\u2028", "\u2029"}) {
    CHECK_FALSE(is(".", line_end));
    CHECK_FALSE(is("(?:a|.)*", line_end));
  }
  CHECK(is("[.]", "."));
  CHECK_FALSE(is("[.]", "a"));
  CHECK(is("\\..\\\\.", ".a\\b"));
  CHECK(is(".", "\u0085"));
  CHECK(is("\\v", "\v"));
  CHECK(is("[\\v-\\r]", "\f"));
  CHECK_FALSE(is("\\v", "\n"));
  CHECK_FALSE(is("[\\v]", "\n"));
  CHECK(fits("\\sfoo", "\r\nfoo"));
  CHECK(fits("^\\r\\nfoo$", "\r\nfoo"));
  CHECK(fits("(?<=\\s.)x", "\u3000\u00e4x"));
  CHECK(is("\\u{2014}+", "\u2014\u2014"));
  CHECK(is("\\u{20}{2}[\\u{2014}]", "  \u2014"));
}

TEST_CASE("anything in front is no more work than nothing") {
  const std::string text(100'000, 'x');
  for (const std::string front : {"", ".*", ".*?"}) {
    CHECK_FALSE(fits(front + "[yz]", text));
    CHECK_FALSE(fits(front + "^y|z", text));
    CHECK(fits(front + "x$", text));
    CHECK(fits(front, text));
    CHECK_FALSE(reason(front + "**").empty());
  }
  CHECK(reason(".*+a").starts_with("a repeat that gives nothing back"));
  CHECK(reason(".**") == "quantifier does not follow a repeatable item, at byte 2");
  CHECK_FALSE(reason(".*{2}").empty());
  CHECK_FALSE(reason(".*??").empty());
}

TEST_CASE("what is wrong in a pattern is told with its place in the pattern, not in ours") {
  CHECK(reason(".\\s[\\S](a") == "missing closing parenthesis, at byte 9");
  CHECK(reason("(a.") == "missing closing parenthesis, at byte 3");
  for (const std::string range : {"[!-\\s]", "[\\s-~]", "[\\s-\\uffff]", "[\\0-\\S]", "[\\S-~]", "[\\S-\\u{10ffff}]"}) {
    INFO(range);
    const auto why = reason(".." + range + "..");
    CHECK(why.starts_with("invalid range in character class, at byte "));
    const auto place = std::stoul("0" + why.substr(std::min(why.size(), why.rfind(' ') + 1)));
    CHECK(place > 2);
    CHECK(place <= 2 + range.size());
  }
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
  CHECK(reason("\\u{2014}++").starts_with("a repeat that gives nothing back"));
  CHECK(reason("[a\\h]") == "\\h" + foreign);
  const std::string posix = " is a class of POSIX, not of ECMA-262 (write what is in it: [A-Za-z])";
  CHECK(reason("^[[:alpha:]_]+$") == "[:alpha:]" + posix);
  CHECK(reason("[x[:^digit:]]") == "[:^digit:]" + posix);
  CHECK(reason("[[.x.]]") == "[.x.]" + posix);
  CHECK(reason("[^[=x=]]") == "[=x=]" + posix);
  CHECK(reason("[:alpha:]") == "[:alpha:]" + posix);
  for (const char* own : {"[[:a]", "[[.]", "[[:\\]", "[a:b:]", "[\\[:alpha:]", "[[]", "[:a]", "[.]"}) CHECK(reason(own).find("POSIX") == std::string::npos);
  CHECK(fits("^[[:a]+$", "[:a"));
  CHECK(fits("^[\\[:a:]+$", "[:a"));
  const std::string doubtful = " is a repeat to some validators and text to others (write {0,3} for a repeat, \\{ for a brace)";
  for (const char* braces : {"{,3}", "{ 1,3 }", "{1, 3}", "{ 2}", "{1,2,3}", "{2\t}"}) {
    CHECK(reason("a" + std::string{braces}).ends_with(doubtful));
    CHECK(reason("[" + std::string{braces} + "]").empty());
    CHECK(reason("a\\" + std::string{braces}).empty());
  }
  CHECK(reason("x{,3}") == "{,3}" + doubtful);
  for (const char* braces : {"{2}", "{2,}", "{2,3}", "{a}", "{}", "{,}", "{", "{1", "\\p{L}", "\\u{20}"}) CHECK(reason("a" + std::string{braces}).empty());
  CHECK(reason("(a") == "missing closing parenthesis, at byte 2");
  CHECK_FALSE(reason("a**").empty());
  CHECK_FALSE(reason("*").empty());
  CHECK_FALSE(reason("\\").empty());
  CHECK_FALSE(reason("[").empty());
  CHECK_FALSE(reason("(?").empty());
  CHECK_FALSE(reason("\xff").empty());
  CHECK_FALSE(reason(std::string(10'000, '(')).empty());
  CHECK_FALSE(reason("((((a{1000}){1000}){1000}){1000})").empty());
  CHECK(reason(std::string(100'000, 'a')) == "it is longer than 65536 bytes");
  CHECK_FALSE(reason(std::string(60'000, '.')).empty());
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

TEST_CASE("who has no memory left has taken the steps that were taken, and no more") {
  std::uint64_t steps = hooks::most_steps;
  CHECK(RegularExpression::compile("^(1|2)+$").value().search(std::string(400'000, '1'), steps) == Match::undecided);
  CHECK(steps > 0);
  CHECK(steps < hooks::most_steps);
  CHECK(hooks::most_work() == "4000000 steps and 32 MiB");
}
