// Every command of outpost, as its help has it, compared with what is written about it.
#include "agent/cli/command_table.hpp"
#include "agent/cli/command_line.hpp"

#include "agent/base/text.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <set>

namespace {

using namespace outpost;
using namespace outpost::test;

std::vector<cli::CommandEntry> table() {
  const cli::CommandLine line;
  return cli::command_table(line.app);
}

/// Those that do something by themselves.
std::vector<cli::CommandEntry> commands() {
  auto all = table();
  std::erase_if(all, [](const auto& entry) { return !entry.subcommands.empty(); });
  REQUIRE(all.size() > 50);
  return all;
}

/// Lines of the examples in a command's help that show the command.
std::size_t examples_of(const cli::CommandEntry& entry) {
  const auto begin = entry.footer.find("Examples:\n");
  if (begin == std::string::npos) return 0;
  std::size_t count = 0;
  const std::string examples = entry.footer.substr(begin, entry.footer.find("\n\n", begin) - begin);
  for (const auto& line : split(examples, '\n'))
    if (line.starts_with("  ") && line.find(entry.path) != std::string::npos) ++count;
  return count;
}

/// What the synopsis of the manual page has for a command, which may stand there several times, without escapes.
std::string synopsis_of(const std::string& page, const std::string& path) {
  const std::string synopsis = page.substr(0, page.find(".SH DESCRIPTION"));
  std::string found;
  for (auto begin = synopsis.find(".B " + path + "\n"); begin != std::string::npos;
       begin = synopsis.find(".B " + path + "\n", begin + 1)) {
    const auto end = synopsis.find("\n.B outpost ", begin);
    found += synopsis.substr(begin, end == std::string::npos ? end : end - begin) + "\n";
  }
  return replace_all(found, "\\-", "-");
}

/// A screen, and scripts for shells.
const std::set<std::string> without_json{"outpost top", "outpost completion bash", "outpost completion zsh",
                                         "outpost completion fish"};

}  // namespace

TEST_CASE("every command has a sentence about it and two examples in its help") {
  for (const auto& entry : commands()) {
    INFO(entry.path << "\n" << entry.footer);
    CHECK_FALSE(entry.what.empty());
    CHECK(examples_of(entry) >= 2);
  }
}

TEST_CASE("every command prints JSON, but for those that have a reason not to") {
  std::set<std::string> without;
  for (const auto& entry : commands()) {
    bool has = false;
    for (const auto& option : entry.options)
      for (const auto& name : option.names) has = has || name == "--json";
    if (!has) without.insert(entry.path);
  }
  CHECK(without == without_json);
}

TEST_CASE("the manual page has every command with all of its options") {
  const std::string page = text_of("agent/cli/outpost.1");
  for (const auto& entry : commands()) {
    INFO(entry.path);
    CHECK(page.find("\n.SS " + entry.path + "\n") != std::string::npos);
    const std::string synopsis = synopsis_of(page, entry.path);
    for (const auto& option : entry.options) {
      const auto& name = option.names.back();
      if (name == "--help") continue;
      INFO(name << " in\n" << synopsis);
      CHECK(synopsis.find(name) != std::string::npos);
    }
    for (const auto& operand : entry.operands) {
      INFO(operand << " in\n" << synopsis);
      CHECK(synopsis.find(operand) != std::string::npos);
    }
  }
}

TEST_CASE("every document for programs is in the manual page, with its version") {
  const std::string page = replace_all(text_of("agent/cli/outpost.1"), "\\-", "-");
  const std::string code = sources("agent/cli", ".*_command\\.cpp");
  const Words schemas = united(
      united(all_matches(code, "print_document\\(\"(outpost-[a-z-]+[a-z])\""),
             all_matches(code, "\\{\"schema\", \"(outpost-[a-z-]+)\"\\}")),
      {"outpost-component-create", "outpost-component-upload", "outpost-job-logs", "outpost-promote", "outpost-promote-history"});
  REQUIRE(schemas.size() > 30);
  for (const auto& schema : schemas) {
    INFO(schema);
    CHECK(page.find("schema: \"" + schema + "\", version: 1") != std::string::npos);
  }
}
