// What is found out without a daemon: whether this machine is fit, what a control server says.

#include "agent/cli/command_line.hpp"
#include "agent/cli/command_table.hpp"

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

void CommandLine::add_server() {
  auto* group = app.add_subcommand("server", "What a control server says, asked directly");
  group->require_subcommand(1);
  add_question(*group, "ping", "Whether it answers and accepts us, and how fast", ping_server)
      ->footer(
          "Examples:\n  outpost server ping\n  outpost server ping --source dci --json | jq .took_ms\n\n"
          "Exit status 0: it accepts us; 1: it does not; 4: it cannot be reached.");
  add_question(*group, "whoami", "Who it takes us for, with our teams", show_identity)
      ->footer("Examples:\n  outpost server whoami\n  outpost server whoami --json | jq .identity.teams");
  add_question(*group, "topics", "The topics that we may see", list_topics)
      ->footer("Examples:\n  outpost server topics\n  outpost server topics --json | jq -r '.topics[].name'");
  auto* components = add_question(*group, "components", "The newest components that we may see, of a topic or of all", list_components);
  components->add_option("TOPIC", server.topic, "The name of the topic (default: all); package builders have none");
  components->add_option("--type", server.type, "Only of this type");
  components->add_option("-n,--limit", server.limit, "How many")->capture_default_str()->check(CLI::Range(1, 1000));
  components->footer(
      "Examples:\n  outpost server components\n  outpost server components OCP-4.16 --type ocp --limit 5");
  auto* jobs = add_question(*group, "jobs", "The newest jobs that the server has of us", list_server_jobs);
  jobs->add_option("-n,--limit", server.limit, "How many")->capture_default_str()->check(CLI::Range(1, 1000));
  jobs->footer("Examples:\n  outpost server jobs\n  outpost server jobs --limit 100 --json | jq -r '.jobs[].status'");
}

CLI::App* CommandLine::add_question(CLI::App& group, const char* name, const char* what,
                                    int (*ask)(const ServerOptions&)) {
  auto* command = group.add_subcommand(name, what);
  add_config_option(*command);
  command->add_option("--source", server.source, "The source of the configuration (default: the only one)");
  add_json_flag(*command, server.as_json);
  command->callback([this, ask] {
    server.config = config;
    result = ask(server);
  });
  return command;
}

void CommandLine::add_support() {
  auto* group = app.add_subcommand("support", "For somebody who shall help");
  group->require_subcommand(1);
  auto* bundle =
      group->add_subcommand("bundle", "Pack the doctor's report, configuration, status and log into an archive");
  add_config_option(*bundle);
  bundle->add_option("-o,--output", support.output, "The archive (default: outpost-support-<time>.tar.gz)");
  bundle->add_flag("--redact", support.redact, "Replace names of hosts and addresses by stand-ins");
  bundle->add_flag("-f,--force", support.force, "Replace the file if it exists");
  add_json_flag(*bundle, support.as_json);
  bundle->footer(
      "No secret of the configuration is in it. As root it has more, such as the log of the service.\n\n"
      "Examples:\n  outpost support bundle --redact\n  outpost support bundle -o /tmp/lab4.tar.gz");
  bundle->callback([this] {
    support.config = config;
    result = write_support_bundle(support);
  });
}

void CommandLine::add_completion() {
  auto* group = app.add_subcommand("completion", "Print what makes a shell complete commands and options");
  group->require_subcommand(1);
  auto* bash = group->add_subcommand("bash", "For bash; the package has installed it already");
  bash->footer(
      "Examples:\n  outpost completion bash >~/.local/share/bash-completion/completions/outpost\n"
      "  . <(outpost completion bash)");
  bash->callback([this] { result = print_completion(bash_completion); });
  auto* zsh = group->add_subcommand("zsh", "For zsh; the package has installed it already");
  zsh->footer(
      "Examples:\n  outpost completion zsh >~/.zfunc/_outpost    # a directory of $fpath\n"
      "  . <(outpost completion zsh)");
  zsh->callback([this] { result = print_completion(zsh_completion(command_table(app))); });
  auto* fish = group->add_subcommand("fish", "For fish; the package has installed it already");
  fish->footer(
      "Examples:\n  outpost completion fish >~/.config/fish/completions/outpost.fish\n"
      "  outpost completion fish | source");
  fish->callback([this] { result = print_completion(fish_completion(command_table(app))); });
}

}  // namespace outpost::cli
