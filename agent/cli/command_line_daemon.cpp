// What the daemon is asked: its status, whether it claims, its configuration, its reporters and alarms.

#include "agent/base/units.hpp"
#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_status() {
  auto* command = ask_daemon(app.add_subcommand("status", "What the daemon does now"), [this] {
    if (!watch) return show_status(daemon, as_json);
    return watch_status(daemon, interval_given());
  });
  add_json_flag(*command, as_json);
  command->add_flag("-w,--watch", watch, "Show it again and again, until ^C")->excludes("--json");
  command->add_option("--interval", interval, "How often, with --watch")->capture_default_str();
  command->footer("Examples:\n  outpost status --watch\n  outpost status --json | jq .alarms");
}

void CommandLine::add_top() {
  auto* command = ask_daemon(app.add_subcommand("top", "Watch the daemon at work: stages against their usual durations, the log, the spool"),
                             [this] { return show_top(daemon, interval_given()); });
  command->add_option("--interval", interval, "How often it asks")->capture_default_str();
  command->footer(
      "q leaves it, tab shows the next of several running jobs. It needs a terminal; elsewhere: outpost status.\n\n"
      "Examples:\n  outpost top\n  ssh -t jumphost outpost top --interval 5s");
}

std::chrono::milliseconds CommandLine::interval_given() const {
  const auto every = parse_duration(interval);
  if (!every || *every < std::chrono::milliseconds{100})
    throw CLI::ValidationError("--interval", "a duration from 100ms is due, such as 2s");
  return *every;
}

void CommandLine::add_claims() {
  auto* pause = ask_daemon(app.add_subcommand("pause", "Claim no more jobs; those that run go on"),
                           [this] { return pause_claims(daemon, claims); });
  add_json_flag(*pause, claims.as_json);
  add_scope(*pause);
  pause->add_option("-r,--reason", claims.reason, "Why, for those who look at the status");
  pause->footer(
      "A pause survives a restart.\n\nExamples:\n  outpost pause --reason 'power is switched at noon'\n"
      "  outpost pause --resource cluster4");
  auto* resume = ask_daemon(app.add_subcommand("resume", "End a pause or a drain"),
                            [this] { return resume_claims(daemon, claims); });
  add_json_flag(*resume, claims.as_json);
  add_scope(*resume);
  resume->add_flag("-a,--all", claims.all, "Also the pauses of single sources and resources");
  resume->footer("Examples:\n  outpost resume\n  outpost resume --resource cluster4");
  auto* drain = ask_daemon(app.add_subcommand("drain", "Let running jobs end and claim no more"),
                           [this] { return cli::drain(daemon, claims); });
  add_json_flag(*drain, claims.as_json);
  drain->add_option("-r,--reason", claims.reason, "Why, for those who look at the status");
  drain->add_flag("-w,--wait", claims.wait, "Return when no job runs any more");
  drain->add_option("-t,--timeout", claims.timeout, "Wait no longer than this (example: 2h); the drain goes on");
  drain->footer(
      "A drain ends with `outpost resume`, or when the daemon is restarted.\n\n"
      "Examples:\n  outpost drain --wait && systemctl stop outpostd\n"
      "  outpost drain --timeout 2h --reason 'new switch'\n\n"
      "Exit status with --wait or --timeout 0: no job runs; 1: one still does, or somebody ended the drain.");
}

void CommandLine::add_resource() {
  auto* group = app.add_subcommand("resource", "The machines and clusters of the lab that jobs take");
  group->require_subcommand(1);
  auto* list = ask_daemon(group->add_subcommand("list", "All resources, who holds them, and which are locked"),
                          [this] { return list_resources(daemon, as_json); });
  add_json_flag(*list, as_json);
  list->footer(
      "Examples:\n  outpost resource list\n  outpost resource list --json | jq '.resources[] | select(.locked)'");
  auto* lock = ask_daemon(group->add_subcommand("lock", "Keep jobs away from one; a job that holds it goes on"),
                          [this] { return pause_claims(daemon, claims); });
  lock->add_option("NAME", claims.resource, "The resource")->required();
  lock->add_option("-r,--reason", claims.reason, "Why, for those who look at the status");
  add_json_flag(*lock, claims.as_json);
  lock->footer(
      "The same as `outpost pause --resource NAME`; it survives a restart.\n\n"
      "Examples:\n  outpost resource lock cluster4\n  outpost resource lock cluster4 --reason 'new disks'");
  auto* unlock = ask_daemon(group->add_subcommand("unlock", "Let jobs take it again"),
                            [this] { return resume_claims(daemon, claims); });
  unlock->add_option("NAME", claims.resource, "The resource")->required();
  add_json_flag(*unlock, claims.as_json);
  unlock->footer("Examples:\n  outpost resource unlock cluster4\n  outpost resource unlock --json cluster4");
}

void CommandLine::add_scope(CLI::App& command) {
  auto* source = command.add_option("--source", claims.source, "Only jobs of this source");
  command.add_option("--resource", claims.resource, "Only jobs that need this lab resource")->excludes(source);
}

void CommandLine::add_reload() {
  auto* command = ask_daemon(app.add_subcommand("reload", "Have the daemon read its configuration again"),
                             [this] { return reload(daemon, as_json); });
  add_json_flag(*command, as_json);
  command->footer(
      "Running jobs are not disturbed. When the configuration is wrong, the old one stays in force.\n\n"
      "Examples:\n  outpost config check && outpost reload\n  outpost reload --json | jq .needs_restart\n\n"
      "Exit status 5: the configuration is wrong.");
}

void CommandLine::add_dashboard() {
  auto* command = ask_daemon(app.add_subcommand("dashboard", "Open the page about the agent in a browser"),
                             [this] { return open_dashboard(daemon, print_only, as_json); });
  command->add_flag("-p,--print", print_only, "Only print the address");
  add_json_flag(*command, as_json);
  command->footer(
      "The address holds a token that lets in who has it: do not give it away. Without a browser on this machine, reach\n"
      "the page from another one with the ssh that is printed.\n\n"
      "Examples:\n  outpost dashboard\n  outpost dashboard --print");
}

void CommandLine::add_reporter() {
  auto* group = app.add_subcommand("reporter", "Who is told about jobs");
  group->require_subcommand(1);
  auto* list = ask_daemon(group->add_subcommand("list", "All reporters, and what waits for them"),
                          [this] { return list_reporters(daemon, as_json); });
  add_json_flag(*list, as_json);
  list->footer("Examples:\n  outpost reporter list\n  outpost reporter list --json | jq '.reporters[] | select(.configured | not) | .name'");
  auto* forget =
      ask_daemon(group->add_subcommand("forget", "Drop what is kept for a reporter that is no longer configured"),
                 [this] { return forget_reporter(daemon, reporter, yes, as_json); });
  forget->add_option("NAME", reporter, "The reporter: the name of the source that it belonged to")->required();
  forget->add_flag("-y,--yes", yes, "Also when something waits for it");
  add_json_flag(*forget, as_json);
  forget->footer("Examples:\n  outpost reporter forget old-server\n  outpost reporter forget --yes old-server");
  add_parked(*group);
}

void CommandLine::add_parked(CLI::App& group) {
  auto* parked = ask_daemon(group.add_subcommand("parked", "What its server will not take as it is, and why"),
                            [this] { return list_parked(daemon, reporter, as_json); });
  add_json_flag(*parked, as_json);
  parked->add_option("NAME", reporter, "The reporter: the name of its source")->required();
  parked->footer("Examples:\n  outpost reporter parked dci\n  outpost reporter parked --json dci | jq -r '.parked[].reason'");
  auto* retry = ask_daemon(group.add_subcommand("retry", "Send parked items again, because the reason is gone"),
                           [this] { return retry_parked(daemon, reporter, keys, as_json); });
  retry->add_option("NAME", reporter, "The reporter: the name of its source")->required();
  retry->add_option("ITEM", keys, "Keys of items, with what needs them; default: all");
  add_json_flag(*retry, as_json);
  retry->footer("Examples:\n  outpost reporter retry dci\n  outpost reporter retry dci job-1/files/console.log");
}

void CommandLine::add_alarm() {
  auto* group = app.add_subcommand("alarm", "What an admin has to know");
  group->require_subcommand(1);
  auto* list = ask_daemon(group->add_subcommand("list", "All alarms, with their keys"),
                          [this] { return list_alarms(daemon, as_json); });
  add_json_flag(*list, as_json);
  list->footer("Examples:\n  outpost alarm list\n  outpost alarm list --json | jq -r '.alarms[].key'");
  auto* ack = ask_daemon(group->add_subcommand("ack", "Take alarms off the list until their causes come back"), [this] {
    if (keys.empty() && !everything) throw CLI::RequiredError("KEY or --all");
    return acknowledge_alarms(daemon, keys, as_json);
  });
  auto* named = ack->add_option("KEY", keys, "Keys of alarms, see: outpost alarm list");
  auto* all = ack->add_flag("--all", everything, "All alarms");
  named->excludes(all);
  add_json_flag(*ack, as_json);
  ack->footer("Examples:\n  outpost alarm ack journal-damaged\n  outpost alarm ack --all");
}

}  // namespace outpost::cli
