// What is found out without a daemon: whether this machine is fit, what a control server says.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_doctor() {
  auto* command =
      app.add_subcommand("doctor", "Look for what keeps the agent from doing its work, and say how to cure it");
  add_config_option(*command);
  command->add_option("CHECK", doctor.checks, "Only these: ids (D06) and groups (net, tls, disk...); default: all");
  command->add_flag("--json", doctor.as_json, "Print the report for programs, see outpost-doctor(7)");
  command->add_flag("--fix", doctor.fix, "Repair what can be repaired without harm, and look again");
  command->footer(
      "It needs neither the daemon nor a server. As root it sees more than others.\n\n"
      "Examples:\n  outpost doctor\n  outpost doctor --json net tls | jq '.checks[] | select(.verdict != \"pass\")'\n\n"
      "Exit status 0: nothing failed, though there may be warnings; 1: something failed.");
  command->callback([this] {
    doctor.config = config;
    result = examine(doctor);
  });
}

}  // namespace outpost::cli
