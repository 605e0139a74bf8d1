#include "agent/base/text.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/yaml_tree.hpp"
#include "configuration.hpp"
#include "support/catch.hpp"

#include <random>

using namespace outpost;
using namespace outpost::config;
using namespace outpost::config::test;

namespace {

/// Whatever is in the file: an answer, and messages that are safe for a terminal and have a place.
void expect_an_answer(const Configuration& configuration, const std::string& text) {
  outpost::test::write_file(configuration.directory.path / "outpost.yml", text);
  const auto loaded = configuration.load();
  if (loaded) return;
  INFO(printable(text));
  REQUIRE_FALSE(loaded.error().list.empty());
  for (const auto& problem : loaded.error().list) {
    REQUIRE(problem.text() == printable(problem.text()));
    REQUIRE(problem.where.file == "outpost.yml");
    REQUIRE(problem.where.line >= 0);
    REQUIRE_FALSE(problem.message.empty());
  }
}

const std::string shell_file = R"(# DCI
export DCI_CLIENT_ID='remoteci/7d2b0b6e-6b61-4d5b-9b1e-000000000001'
DCI_API_SECRET="abc\"def"; export DCI_API_SECRET
export DCI_CS_URL=https://api.example.org \
  OTHER=a\ b
)";

}  // namespace

TEST_CASE("a configuration that is cut off at any byte gets an answer") {
  const Configuration configuration{{}};
  for (std::size_t size = 0; size <= good_file.size(); ++size)
    expect_an_answer(configuration, good_file.substr(0, size));
}

TEST_CASE("a configuration with any one byte changed gets an answer") {
  const Configuration configuration{{}};
  std::mt19937 random{42};
  using namespace std::string_literals;
  const std::string bytes = "\0\t\n\r \"'#&*!|>%@`[]{},:?-~\\\x7f\x80\xC3\xFF<"s;
  for (std::size_t at = 0; at < good_file.size(); ++at) {
    std::string text = good_file;
    text[at] = bytes[random() % bytes.size()];
    expect_an_answer(configuration, text);
  }
}

TEST_CASE("lines in any order get an answer") {
  const Configuration configuration{{}};
  std::mt19937 random{7};
  auto lines = split(good_file, '\n');
  for (int round = 0; round < 300; ++round) {
    std::swap(lines[random() % lines.size()], lines[random() % lines.size()]);
    expect_an_answer(configuration, join(lines, "\n"));
  }
}

TEST_CASE("YAML that is made to hurt is refused quickly") {
  using namespace std::string_literals;
  std::string laughs = "x-a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    const std::string before{static_cast<char>(name - 1)};
    laughs += std::string{"x-"} + name + ": &" + name + " [";
    for (int copy = 0; copy < 10; ++copy) laughs += (copy ? ",*" : "*") + before;
    laughs += "]\n";
  }
  CHECK(problems_of(laughs).find("more than 100000 values (aliases expanded)") != std::string::npos);
  CHECK(problems_of(std::string(200'000, '[')) != "");
  CHECK(problems_of(std::string(200'000, '{')) != "");
  std::string deep;
  for (int level = 0; level < 40; ++level) deep += std::string(static_cast<std::size_t>(level), ' ') + "x-a:\n";
  CHECK(problems_of(deep) == "outpost.yml:33:33: nested more than 32 levels deep\n");
  CHECK(problems_of("x-a:\n  " + replace_all(std::string(100'000, '-'), "-", "- ")) ==
        "outpost.yml:2:65: nested more than 32 levels deep\n");
  CHECK(problems_of("x-a: &a " + std::string(30, '[') + std::string(30, ']') + "\nx-b: [[[[*a]]]]\n") ==
        "outpost.yml:2:10: nested more than 32 levels deep\n");
  CHECK(problems_of("x-a: &a [*a]\n") == "outpost.yml:1:10: an alias inside the value that it stands for\n");
  CHECK(problems_of("? [a]\n: b\n") == "outpost.yml:1:3: a key must be a word\n");
  CHECK(problems_of(": b\n") == "outpost.yml:1:1: a key must be a word\n");
  CHECK(problems_of("slots: 2\nspool:\0\n"s) == "outpost.yml:2:7: a control byte (\\x00); remove it\n");
  CHECK(problems_of("slots: 2 # \xE9t\xE9\n") == "outpost.yml:1:12: not UTF-8; save the file as UTF-8\n");
  CHECK(problems_of("\xFF\xFEs\0l\0"s) == "outpost.yml:1:1: not UTF-8; save the file as UTF-8\n");
  CHECK(problems_of("x-a: {<<: 3}\n") == "outpost.yml:1:7: << takes an alias of a mapping, or a list of them\n");
  CHECK(problems_of("spool:\n \tlimit: 1GiB\n") ==
        "outpost.yml:2:2: a tab in the indentation; YAML takes only spaces\n");
}

TEST_CASE("credentials that are cut off at any byte get an answer, and never show what they hold") {
  for (const std::string& content :
       {shell_file, std::string{"---\nDCI_CLIENT_ID: remoteci/7d2b0b6e-6b61-4d5b-9b1e-000000000001\n"
                                "DCI_API_SECRET: \"abc\\\"def\"\nDCI_CS_URL: https://api.example.org\n"}}) {
    REQUIRE(parse_credentials(content, "f").has_value());
    for (std::size_t size = 0; size <= content.size(); ++size) {
      const auto credentials = parse_credentials(content.substr(0, size), "f");
      if (credentials) continue;
      CHECK(credentials.error().message.starts_with("f:"));
      CHECK(credentials.error().message.find("abc") == std::string::npos);
    }
  }
}
