#include "agent/base/text.hpp"

#include "support/catch.hpp"

#include <array>

using namespace outpost;

TEST_CASE("text is split, joined and replaced") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string>{""});
  CHECK(join(std::vector<std::string>{"", "a", "b"}, "-") == "-a-b");
  CHECK(replace_all("aaa", "a", "aa") == "aaaaaa");
  CHECK(trim(" \t x y\r\n") == "x y");
}

TEST_CASE("percent encoding leaves only unreserved characters") {
  CHECK(percent_encode("a b/ä~") == "a%20b%2F%C3%A4~");
  CHECK(percent_encode("a b/c", true) == "a%20b/c");
  CHECK(percent_decode("a%20b%2F%C3%A4~") == "a b/ä~");
  CHECK(percent_decode("a+b%zz%4", true) == "a b%zz%4");
}

TEST_CASE("control bytes from outside cannot reach a terminal") {
  CHECK(printable("a\x1b[31mb\nc\x7f") == "a\\x1b[31mb\\nc\\x7f");
  CHECK(printable("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(printable("caf\xe9") == "caf\\xe9");
  CHECK(printable("a\xc2\x9b" "31mb") == "a?31mb");
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(printable("ab\xc3\xa4" "cd", 3) == "ab\xc3\xa4...");
}

TEST_CASE("a misspelt word finds the one that was meant") {
  const std::array<std::string, 3> words{"timeout", "topic", "components"};
  CHECK(nearest("timout", words) == "timeout");
  CHECK(nearest("Topics", words) == "topic");
  CHECK_FALSE(nearest("banana", words));
}

TEST_CASE("globs match stars and question marks") {
  CHECK(matches_glob("OCP-4.16", "OCP-4.*"));
  CHECK(matches_glob("abc", "a?c"));
  CHECK(matches_glob("", "*"));
  CHECK(matches_glob("aXbXc", "a*b*c"));
  CHECK_FALSE(matches_glob("OCP-5.1", "OCP-4.*"));
}

TEST_CASE("only well-formed UTF-8 counts as such") {
  CHECK(is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) CHECK_FALSE(is_utf8(bad));
}
