// The exit statuses of outpost(1), for every command that can have them.
#include "agent/base/text.hpp"
#include "agent/cli/command_line.hpp"
#include "agent/cli/command_table.hpp"

#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace {

using namespace outpost;
using namespace outpost::test;

bool has(const cli::CommandEntry& entry, const std::string& name) {
  return std::any_of(entry.options.begin(), entry.options.end(), [&](const auto& option) {
    return std::find(option.names.begin(), option.names.end(), name) != option.names.end();
  });
}

std::vector<cli::CommandEntry> commands() {
  const cli::CommandLine line;
  auto all = cli::command_table(line.app);
  std::erase_if(all, [](const auto& entry) { return !entry.subcommands.empty(); });
  return all;
}

struct ExitLab : CommandLab {
  ExitLab() { write_file(something, "nothing\n"); }

  /// The command with something for each of its operands, which is a file that is there.
  [[nodiscard]] std::vector<std::string> filled_in(const cli::CommandEntry& entry) const {
    static const std::map<std::string, std::vector<std::string>> required{
        {"outpost component create", {"--topic", "ACME-1", "--type", "acme"}}, {"outpost setup", {"--from-dci", "/"}}};
    std::vector<std::string> command = split(entry.path, ' ');
    command.front() = OUTPOST_COMMAND;
    if (const auto more = required.find(entry.path); more != required.end())
      command.insert(command.end(), more->second.begin(), more->second.end());
    for (std::size_t operand = 0; operand < entry.operands.size(); ++operand) command.push_back(something.string());
    return command;
  }
  int run_with(const cli::CommandEntry& entry, const std::vector<std::string>& more) {
    auto command = filled_in(entry);
    command.insert(command.end(), more.begin(), more.end());
    return run(std::move(command));
  }

  std::filesystem::path something = directory.path / "something";
};

}  // namespace

TEST_CASE("a command that does not exist is named, with the one that may be meant", "[cli]") {
  ExitLab lab;
  CHECK(lab.run({OUTPOST_COMMAND, "statsu", "--json"}) == 2);
  CHECK_THAT(lab.said, holds("there is no command \"outpost statsu\" (did you mean \"status\"?); see: outpost --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "job", "cancle", "x"}) == 2);
  CHECK_THAT(lab.said, holds("there is no command \"outpost job cancle\" (did you mean \"cancel\"?); see: outpost job --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "completion", "powershell\x1b"}) == 2);
  CHECK_THAT(lab.said, holds("there is no command") && !holds("\x1b"));
  CHECK(lab.run({OUTPOST_COMMAND, "job"}) == 2);
  CHECK_THAT(lab.said, holds("outpost: A subcommand is required; see: outpost job --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "--colour"}) == 2);
  CHECK_THAT(lab.said, holds("outpost: outpost has no option \"--colour\"; see: outpost --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "job", "list", "--limt", "3"}) == 2);
  CHECK_THAT(lab.said, holds("outpost job list has no option \"--limt\" (did you mean \"--limit\"?); see: outpost job list --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "job", "list", "--limit", "many\x1b"}) == 2);
  CHECK_THAT(lab.said, holds("outpost: --limit: Value many") && !holds("\x1b"));
}

TEST_CASE("an option that stands in front of its command is shown behind it", "[cli]") {
  ExitLab lab;
  CHECK(lab.run({OUTPOST_COMMAND, "--config", "/etc/my lab.yml", "status"}) == 2);
  CHECK_THAT(lab.said, holds("outpost: \"--config\" belongs behind \"outpost status\": outpost status --config '/etc/my lab.yml'; see: outpost status --help"));
  CHECK(lab.run({OUTPOST_COMMAND, "-c", "/etc/x.yml", "job", "show", "4711"}) == 2);
  CHECK_THAT(lab.said, holds("\"-c\" belongs behind \"outpost job show\": outpost job show -c /etc/x.yml ...; see"));
  CHECK(lab.run({OUTPOST_COMMAND, "job", "--json", "list"}) == 2);
  CHECK_THAT(lab.said, holds("belongs behind \"outpost job list\": outpost job list --json; see"));
  CHECK(lab.run({OUTPOST_COMMAND, "--config=/etc/x.yml", "status"}) == 2);
  CHECK_THAT(lab.said, holds("outpost status '--config=/etc/x.yml'; see") && !holds("did you mean"));
}

TEST_CASE("who names a configuration on the line does not mean that of the environment", "[cli]") {
  ExitLab lab;
  lab.configure();
  const std::string variable = "OUTPOST_CONFIG_FILE=" + lab.configuration();
  CHECK(lab.run({"/usr/bin/env", variable, OUTPOST_COMMAND, "config", "check"}) == 0);
  CHECK(lab.run({"/usr/bin/env", variable, OUTPOST_COMMAND, "config", "check", "--config", "/nonexistent/outpost.yml"}) == 5);
  CHECK_THAT(lab.said, holds("/nonexistent/outpost.yml"));
}

TEST_CASE("a reader that has seen enough is no mistake, and a full disk is one", "[cli]") {
  ExitLab lab;
  lab.configure();
  // The reader has ended before anything is printed.
  for (const std::string command : {"version", "--help", "config schema", "completion bash"}) {
    CHECK(lab.run({"/bin/bash", "-c", "exec 3> >(true); wait $!; " OUTPOST_COMMAND " " + command + " >&3"}) == 0);
    CHECK(lab.said.empty());
  }
  CHECK(lab.run({"/bin/bash", "-c", OUTPOST_COMMAND " version >/dev/full"}) == 1);
  CHECK_THAT(lab.said, holds("outpost: standard output cannot be written: No space left on device"));
  CHECK(lab.run({"/bin/bash", "-c", OUTPOST_COMMAND " --help >/dev/full"}) == 1);
  CHECK_THAT(lab.said, holds("No space left on device"));
}

TEST_CASE("every command says 2 to an option that it does not have", "[cli]") {
  ExitLab lab;
  for (const auto& entry : commands()) {
    const int status = lab.run_with(entry, {"--no-such-option"});
    INFO(entry.path << "\n" << lab.said);
    CHECK(status == 2);
    CHECK_THAT(lab.said, holds("--no-such-option"));
  }
}

TEST_CASE("a job whose server cannot be asked for components is not started, which is 4", "[cli]") {
  ExitLab lab;
  lab.configure("", "", "url: 'http://127.0.0.1:1'");
  lab.start_agent();
  lab.until("the agent", [&] { return lab.agent_is_up(); });
  CHECK(lab.outpost({"job", "start", "nightly"}) == 4);
  CHECK_THAT(lab.said, holds("127.0.0.1:1"));
  CHECK(lab.outpost({"job", "start", "weekly"}) == 1);
}

TEST_CASE("every command that asks the daemon says 3 when there is none", "[cli]") {
  ExitLab lab;
  std::size_t asked = 0;
  for (const auto& entry : commands()) {
    // A screen needs a terminal first (terminal_test.cpp).
    if (!has(entry, "--socket") || entry.path == "outpost top") continue;
    const int status = lab.run_with(entry, {"--socket", (lab.directory.path / "nobody.sock").string()});
    INFO(entry.path << "\n" << lab.said);
    CHECK(status == 3);
    CHECK_THAT(lab.said, holds("nobody.sock"));
    ++asked;
  }
  CHECK(asked > 20);
}

TEST_CASE("every command that needs the configuration says 5 when that is wrong, and where", "[cli]") {
  // These do what they can without it.
  const std::set<std::string> work_without{"outpost config explain", "outpost doctor", "outpost plugin list",
                                           "outpost plugin show", "outpost support bundle"};
  // Their option means what the plugin is configured with; and a terminal is needed first.
  const std::set<std::string> not_meant{"outpost plugin run", "outpost plugin env", "outpost top"};
  ExitLab lab;
  const std::string wrong = (lab.directory.path / "wrong.yml").string();
  write_file(wrong, "slots: many\n");
  for (const auto& entry : commands()) {
    if (!has(entry, "--config") || work_without.contains(entry.path) || not_meant.contains(entry.path)) continue;
    const int status = lab.run_with(entry, {"--config", wrong});
    INFO(entry.path << "\n" << lab.said);
    CHECK(status == 5);
    CHECK_THAT(lab.said, holds("wrong.yml"));
  }
}

TEST_CASE("every command that asks a control server says 4 when it is not there", "[cli]") {
  ExitLab lab;
  lab.configure("", "", "url: 'http://127.0.0.1:1'");
  for (const auto& entry : commands()) {
    if (!entry.path.starts_with("outpost server ")) continue;
    const int status = lab.run_with(entry, {"--config", lab.configuration()});
    INFO(entry.path << "\n" << lab.said);
    CHECK(status == 4);
    CHECK_THAT(lab.said, holds("connection refused"));
  }
}
