#include "agent/cli/command_line.hpp"

#include <iostream>
#include <utility>

namespace outpost::cli {

CommandLine::CommandLine() {
  app.name("outpost");
  app.require_subcommand(1);
  app.set_version_flag("--version", "outpost " OUTPOST_VERSION);
  add_status();
  add_claims();
  add_reload();
  add_dashboard();
  add_job();
  add_plugin();
  add_spool();
  add_reporter();
  add_alarm();
  add_config();
  add_doctor();
  add_setup();
  app.add_subcommand("version", "Print the version")->callback([] { std::cout << "outpost " OUTPOST_VERSION "\n"; });
  app.footer("Exit status: 0 done, 1 the answer is no, 2 usage, 3 no daemon, 5 configuration.");
}

void CommandLine::add_setup() {
  auto* command = app.add_subcommand("setup", "Make a configuration from that of one of DCI's agents");
  command->add_option("--from-dci", setup.from_dci, "Its directory, such as /etc/dci-openshift-agent")->required();
  command->add_option("-o,--output", setup.output, "Where to write the configuration (default: standard output)");
  command->add_flag("-f,--force", setup.force, "Replace the file if it exists");
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
  check->footer("Examples:\n  outpost config check\n  outpost config check --config ./outpost.yml");
  check->callback([this] { result = check_configuration(config); });
}

void CommandLine::add_config_option(CLI::App& command) {
  command.add_option("-c,--config", config, "Configuration file")
      ->capture_default_str()
      ->envname("OUTPOST_CONFIG_FILE");
}

void CommandLine::add_json_flag(CLI::App& command, bool& as_json) {
  command.add_flag("--json", as_json, "Print the answer of the local API as it is");
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
