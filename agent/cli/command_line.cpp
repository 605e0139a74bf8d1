#include "agent/cli/command_line.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/config/values.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace outpost::cli {

CommandLine::CommandLine() {
  // Not by CLI11: it would take the variable for the options of all the other commands, and with them for this one's.
  if (const char* file = std::getenv("OUTPOST_CONFIG_FILE"); file && *file) config = file;
  app.name("outpost");
  app.require_subcommand(1);
  app.set_version_flag("--version", "outpost " OUTPOST_VERSION);
  add_status();
  add_top();
  add_claims();
  add_resource();
  add_reload();
  add_dashboard();
  add_job();
  add_plugin();
  add_spool();
  add_reporter();
  add_alarm();
  add_config();
  add_doctor();
  add_server();
  add_component();
  add_support();
  add_completion();
  add_setup();
  add_promote();
  add_version();
  app.footer("Exit status: 0 done, 1 the answer is no, 2 usage, 3 no daemon, 4 no control server, 5 configuration.");
}

CommandLine::Place CommandLine::place() const {
  Place reached{&app, app.get_name()};
  for (auto inner = app.get_subcommands(); !inner.empty(); inner = reached.command->get_subcommands()) {
    reached.command = inner.front();
    reached.path += " " + reached.command->get_name();
  }
  return reached;
}

namespace {

/// The line as it has to be, when the command has the option that was given in front of it; else "".
std::string line_with_option_behind(const CLI::App& command, const std::string& path, const std::vector<std::string>& rest) {
  const auto equals = rest.front().find('=');
  const auto* option = command.get_option_no_throw(rest.front().substr(0, equals));
  if (!option) return {};
  std::string line = path + " " + shell_word(printable(rest.front()));
  if (option->get_items_expected_min() > 0 && equals == std::string::npos) line += " " + (rest.size() > 1 ? shell_word(printable(rest[1])) : "VALUE");
  // What else was given is known without its order and quotes.
  const auto options = command.get_options();
  const bool has_more = std::any_of(options.begin(), options.end(), [](const CLI::Option* each) { return each->count() > 0; });
  return line + (has_more ? " ..." : "");
}

}  // namespace

std::string CommandLine::usage_mistake(const CLI::ParseError& error) const {
  const auto [command, path] = place();
  const std::string help = "; see: " + path + " --help";
  const auto rest = app.remaining(true);
  const bool word_is_left = !rest.empty();
  if (word_is_left && rest.front().starts_with("-")) {
    if (const auto line = line_with_option_behind(*command, path, rest); !line.empty())
      return config::quote(rest.front()) + " belongs behind " + config::quote(path) + ": " + line + help;
    std::vector<std::string> known;
    for (const auto* option : command->get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    return path + " has no option " + config::quote(rest.front()) + config::suggestion(rest.front(), known) + help;
  }
  if (word_is_left && command->get_require_subcommand_min() > 0) {
    std::vector<std::string> known;
    for (const auto* each : command->get_subcommands([](const CLI::App*) { return true; })) known.push_back(each->get_name());
    return "there is no command " + config::quote(path + " " + rest.front()) + config::suggestion(rest.front(), known) + help;
  }
  return printable(error.what()) + help;
}

void CommandLine::add_version() {
  auto* command = app.add_subcommand("version", "Print the version");
  add_json_flag(*command, as_json);
  command->footer("Examples:\n  outpost version\n  outpost version --json | jq -r .program");
  command->callback([this] { result = print_version(as_json); });
}

void CommandLine::add_setup() {
  auto* command = app.add_subcommand("setup", "Make a configuration from that of one of DCI's agents");
  command->add_option("--from-dci", setup.from_dci, "Its directory, such as /etc/dci-openshift-agent")->required();
  command->add_option("-o,--output", setup.output, "Where to write the configuration (default: standard output)");
  command->add_flag("-f,--force", setup.force, "Replace the file if it exists");
  add_json_flag(*command, setup.as_json);
  command->footer(
      "Examples:\n  outpost setup --from-dci /etc/dci-openshift-agent\n"
      "  outpost setup --from-dci /etc/dci-rhel-agent --output /etc/outpost/outpost.yml --force\n\n"
      "What it could not carry over is said on standard error. No secret is copied.");
  command->callback([this] { result = set_up(setup); });
}

void CommandLine::add_config() {
  auto* command = app.add_subcommand("config", "The configuration");
  command->require_subcommand(1);
  auto* check = command->add_subcommand("check", "Read the configuration as the daemon would, and say what is wrong");
  add_config_option(*check);
  add_json_flag(*check, as_json);
  check->footer("Examples:\n  outpost config check\n  outpost config check --config ./outpost.yml");
  check->callback([this] { result = check_configuration(config, as_json); });
  add_config_look(*command);
}

void CommandLine::add_config_look(CLI::App& group) {
  auto* show =
      group.add_subcommand("show", "Print every key that is set or has a default, and where it was written");
  add_config_option(*show);
  show->add_flag("--effective", everything, "Accepted for clearness: it is what this command does");
  add_json_flag(*show, as_json);
  show->footer(
      "Examples:\n  outpost config show\n  outpost config show --json | jq '.keys[] | select(.origin != "
      "\"\")'");
  show->callback([this] { result = show_configuration(config, as_json); });
  auto* explain = group.add_subcommand("explain", "Say what a key means, what it may be, and what is in force");
  add_config_option(*explain);
  explain->add_option("KEY", key, "Such as jobs.timeout, or only timeout")->required();
  add_json_flag(*explain, as_json);
  explain->footer("Examples:\n  outpost config explain jobs.timeout\n  outpost config explain sources.dci.poll");
  explain->callback([this] { result = explain_key(config, key, as_json); });
  auto* schema = group.add_subcommand("schema", "Print the JSON Schema of outpost.yml, for editors");
  schema->add_flag("--json", everything, "Accepted for clearness: it is JSON");
  schema->footer(
      "Examples:\n  outpost config schema >outpost.schema.json\n  outpost config schema | jq .properties.spool");
  schema->callback([this] { result = print_schema(); });
}

void CommandLine::add_config_option(CLI::App& command) {
  command.add_option("-c,--config", config, "Configuration file; OUTPOST_CONFIG_FILE sets another default")->capture_default_str();
}

void CommandLine::add_json_flag(CLI::App& command, bool& as_json) {
  command.add_flag("--json", as_json, "Print it for programs, see outpost(1)");
}

CLI::App* CommandLine::ask_daemon(CLI::App* command, std::function<int()> work) {
  add_config_option(*command);
  command->add_option("--socket", daemon.socket, "The daemon's socket, instead of the configuration's");
  command->callback([this, work = std::move(work)] {
    daemon.config = config;
    result = work();
  });
  return command;
}

}  // namespace outpost::cli
