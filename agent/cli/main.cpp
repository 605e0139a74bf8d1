// outpost: the command line.

#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace outpost::cli;
namespace cli = outpost::cli;

/// The options and commands, and what is to be done once they are parsed.
struct CommandLine {
  CLI::App app{"Outpost: the agent that runs product builds through a lab. See outpost(1)."};
  std::string config = "/etc/outpost/outpost.yml";
  DaemonOptions daemon;
  bool as_json = false, yes = false, everything = false;
  std::string reporter;
  std::vector<std::string> keys;
  ClaimsOptions claims;
  JobRunOptions job_run;
  SpoolExportOptions spool_export;
  SpoolImportOptions spool_import;
  SpoolConfirmOptions spool_confirm;
  JobLogsOptions job_logs;
  PluginNewOptions plugin_new;
  PluginLintOptions plugin_lint;
  PluginRunOptions plugin_run;
  std::string plugin;
  SetupOptions setup;
  JobOptions job;
  int result = exit_ok;

  CommandLine() {
    app.name("outpost");
    app.require_subcommand(1);
    app.set_version_flag("--version", "outpost " OUTPOST_VERSION);
    add_status();
    add_claims();
    add_reload();
    add_job();
    add_plugin();
    add_spool();
    add_reporter();
    add_alarm();
    add_config();
    add_setup();
    app.add_subcommand("version", "Print the version")->callback([this] {
      std::cout << "outpost " OUTPOST_VERSION "\n";
      result = exit_ok;
    });
    app.footer("Exit status: 0 done, 1 the answer is no, 2 usage, 3 no daemon, 5 configuration.");
  }

  void add_config_option(CLI::App& command) {
    command.add_option("-c,--config", config, "Configuration file")->capture_default_str()->envname("OUTPOST_CONFIG_FILE");
  }

  void add_daemon_options(CLI::App& command) {
    add_config_option(command);
    command.add_option("--socket", daemon.socket, "The daemon's socket, instead of the configuration's");
  }

  void add_json_flag(CLI::App& command) { command.add_flag("--json", as_json, "Print the answer of the local API as it is"); }

  void add_status() {
    auto* command = app.add_subcommand("status", "What the daemon does now");
    add_daemon_options(*command);
    add_json_flag(*command);
    command->footer("Examples:\n  outpost status\n  outpost status --json | jq .alarms");
    command->callback([this] {
      daemon.config = config;
      result = show_status(daemon, as_json);
    });
  }

  void add_claims() {
    auto* pause = add_claims_command("pause", "Claim no more jobs; those that run go on", cli::pause_claims);
    add_scope(*pause);
    pause->add_option("-r,--reason", claims.reason, "Why, for those who look at the status");
    pause->footer("A pause survives a restart.\n\nExamples:\n  outpost pause --reason 'power is switched at noon'\n  outpost pause --resource cluster4");
    auto* resume = add_claims_command("resume", "End a pause or a drain", cli::resume_claims);
    add_scope(*resume);
    resume->add_flag("-a,--all", claims.all, "Also the pauses of single sources and resources");
    resume->footer("Examples:\n  outpost resume\n  outpost resume --resource cluster4");
    auto* drain = add_claims_command("drain", "Let running jobs end and claim no more", cli::drain);
    drain->add_option("-r,--reason", claims.reason, "Why, for those who look at the status");
    drain->add_flag("-w,--wait", claims.wait, "Return when no job runs any more");
    drain->add_option("-t,--timeout", claims.timeout, "Wait no longer than this (example: 2h); the drain goes on");
    drain->footer("A drain ends with `outpost resume`, or when the daemon is restarted.\n\n"
                  "Examples:\n  outpost drain --wait && systemctl stop outpostd\n  outpost drain --timeout 2h --reason 'new switch'\n\n"
                  "Exit status with --wait or --timeout 0: no job runs; 1: one still does, or somebody ended the drain.");
  }

  CLI::App* add_claims_command(const char* name, const char* description, int (*command)(const DaemonOptions&, const ClaimsOptions&)) {
    auto* added = app.add_subcommand(name, description);
    add_daemon_options(*added);
    added->add_flag("--json", claims.as_json, "Print the answer of the local API as it is");
    added->callback([this, command] {
      daemon.config = config;
      result = command(daemon, claims);
    });
    return added;
  }

  void add_scope(CLI::App& command) {
    auto* source = command.add_option("--source", claims.source, "Only jobs of this source");
    command.add_option("--resource", claims.resource, "Only jobs that need this lab resource")->excludes(source);
  }

  void add_reload() {
    auto* command = app.add_subcommand("reload", "Have the daemon read its configuration again");
    add_daemon_options(*command);
    add_json_flag(*command);
    command->footer("Running jobs are not disturbed. When the configuration is wrong, the old one stays in force.\n\n"
                    "Examples:\n  outpost config check && outpost reload\n  outpost reload --json | jq .needs_restart\n\n"
                    "Exit status 5: the configuration is wrong.");
    command->callback([this] {
      daemon.config = config;
      result = cli::reload(daemon, as_json);
    });
  }

  void add_reporter() {
    auto* group = app.add_subcommand("reporter", "Who is told about jobs");
    group->require_subcommand(1);
    auto* list = group->add_subcommand("list", "All reporters, and what waits for them");
    add_daemon_options(*list);
    add_json_flag(*list);
    list->footer("Examples:\n  outpost reporter list");
    list->callback([this] {
      daemon.config = config;
      result = list_reporters(daemon, as_json);
    });
    auto* forget = group->add_subcommand("forget", "Drop what is kept for a reporter that is no longer configured");
    add_daemon_options(*forget);
    forget->add_option("NAME", reporter, "The reporter: the name of the source that it belonged to")->required();
    forget->add_flag("-y,--yes", yes, "Also when something waits for it");
    forget->footer("Examples:\n  outpost reporter forget old-server\n  outpost reporter forget --yes old-server");
    forget->callback([this] {
      daemon.config = config;
      result = forget_reporter(daemon, reporter, yes);
    });
    add_parked(*group);
  }

  void add_parked(CLI::App& group) {
    auto* parked = group.add_subcommand("parked", "What its server will not take as it is, and why");
    add_daemon_options(*parked);
    add_json_flag(*parked);
    parked->add_option("NAME", reporter, "The reporter: the name of its source")->required();
    parked->footer("Examples:\n  outpost reporter parked dci");
    parked->callback([this] {
      daemon.config = config;
      result = list_parked(daemon, reporter, as_json);
    });
    auto* retry = group.add_subcommand("retry", "Send parked items again, because the reason is gone");
    add_daemon_options(*retry);
    retry->add_option("NAME", reporter, "The reporter: the name of its source")->required();
    retry->add_option("ITEM", keys, "Keys of items, with what needs them; default: all");
    retry->footer("Examples:\n  outpost reporter retry dci");
    retry->callback([this] {
      daemon.config = config;
      result = retry_parked(daemon, reporter, keys);
    });
  }

  void add_alarm() {
    auto* group = app.add_subcommand("alarm", "What an admin has to know");
    group->require_subcommand(1);
    auto* list = group->add_subcommand("list", "All alarms, with their keys");
    add_daemon_options(*list);
    add_json_flag(*list);
    list->footer("Examples:\n  outpost alarm list");
    list->callback([this] {
      daemon.config = config;
      result = list_alarms(daemon, as_json);
    });
    auto* ack = group->add_subcommand("ack", "Take alarms off the list until their causes come back");
    add_daemon_options(*ack);
    auto* named = ack->add_option("KEY", keys, "Keys of alarms, see: outpost alarm list");
    auto* all = ack->add_flag("--all", everything, "All alarms");
    named->excludes(all);
    ack->footer("Examples:\n  outpost alarm ack journal-damaged\n  outpost alarm ack --all");
    ack->callback([this] {
      if (keys.empty() && !everything) throw CLI::RequiredError("KEY or --all");
      daemon.config = config;
      result = acknowledge_alarms(daemon, keys);
    });
  }

  void add_job() {
    auto* group = app.add_subcommand("job", "Jobs");
    group->require_subcommand(1);
    auto* run = group->add_subcommand("run", "Run a job on this machine, without a server");
    run->add_option("FILE", job_run.file, "Job file (YAML): name, plugins, plugins_path, components")->required();
    run->add_option("-d,--directory", job_run.directory, "Where logs, results and artifacts go (default: ./outpost-job-<time>)");
    run->add_flag("-q,--quiet", job_run.quiet, "Don't show what the steps print");
    run->footer("Examples:\n  outpost job run samples/configurations/job.yml\n  outpost job run -q -d /tmp/try job.yml\n\n"
                "Exit status 0: the verdict is success; 1: it is not.");
    run->callback([this] { result = run_job(job_run); });
    add_daemon_jobs(*group);
    auto* logs = group->add_subcommand("logs", "Print what the steps of a job printed");
    add_config_option(*logs);
    logs->add_option("JOB", job_logs.job, "The job's id here, or how it begins")->required();
    logs->add_option("STEP", job_logs.step, "One step, such as install.acme-storage (default: all)");
    logs->add_option("-d,--directory", job_logs.directory, "Of a job that `outpost job run` ran, instead of the daemon's");
    logs->add_flag("-t,--times", job_logs.times, "Print when each line came (UTC)");
    logs->footer("Examples:\n  outpost job logs 01a1fd08\n  outpost job logs -t 01a1fd08 install.acme-storage");
    logs->callback([this] {
      job_logs.config = config;
      result = show_job_logs(job_logs);
    });
  }

  void add_plugin() {
    auto* group = app.add_subcommand("plugin", "Plugins: write, check and try them");
    group->require_subcommand(1);
    auto* make = group->add_subcommand("new", "Make a plugin to begin with");
    make->add_option("NAME", plugin_new.name, "The plugin's name")->required();
    make->add_option("-l,--lang", plugin_new.language, "Language of its hooks")->check(CLI::IsMember({"sh", "python", "ansible"}))->capture_default_str();
    make->add_option("-d,--directory", plugin_new.directory, "Where (default: a folder of its name)");
    make->footer("Examples:\n  outpost plugin new acme-storage\n  outpost plugin new acme-storage --lang python");
    make->callback([this] { result = cli::new_plugin(plugin_new); });
    auto* lint = group->add_subcommand("lint", "Say what is wrong with plugins");
    lint->add_option("DIRECTORY", plugin_lint.directories, "Folders of plugins (default: the current one)");
    lint->add_option("-f,--format", plugin_lint.format, "Of the report")->check(CLI::IsMember({"human", "json", "sarif"}))->capture_default_str();
    lint->add_flag("--strict", plugin_lint.strict, "Warnings count");
    lint->footer("Examples:\n  outpost plugin lint\n  outpost plugin lint --format sarif plugins.d/* >lint.sarif\n\n"
                 "Exit status 0: no errors; 1: warnings, with --strict; 2: errors.");
    lint->callback([this] { result = cli::lint_plugins(plugin_lint); });
    auto* list = group->add_subcommand("list", "The plugins that a job of this machine can name");
    add_config_option(*list);
    list->callback([this] { result = list_plugins(config); });
    auto* show = group->add_subcommand("show", "Everything about one plugin");
    add_config_option(*show);
    show->add_option("PLUGIN", plugin, "The name of one that is installed, or a folder")->required();
    show->footer("Examples:\n  outpost plugin show rpm-certify\n  outpost plugin show ./acme-storage");
    show->callback([this] { result = show_plugin(config, plugin); });
    add_plugin_run(*group);
  }

  void add_plugin_job_options(CLI::App& command) {
    command.add_option("-p,--plugin", plugin_run.plugin, "The plugin's folder")->capture_default_str();
    command.add_option("-j,--job", plugin_run.job, "A job file (default: job.yml of the plugin, if there is one)");
    command.add_option("--config", plugin_run.config, "A file with what the plugin is configured with, instead of what the job says");
  }

  void add_plugin_run(CLI::App& group) {
    auto* run = group.add_subcommand("run", "Run a plugin in a job on this machine, without a server");
    run->add_option("STAGE", plugin_run.stage, "Only this stage (default: all)");
    add_plugin_job_options(*run);
    run->add_option("--until", plugin_run.until, "The stages from STAGE to this one");
    run->add_option("-d,--directory", plugin_run.directory, "Where logs, results and artifacts go (default: a temporary directory)");
    run->add_flag("--keep", plugin_run.keep, "Keep the temporary directory");
    run->add_flag("-q,--quiet", plugin_run.quiet, "Don't show what the hooks print");
    run->add_flag("--dry-run", plugin_run.dry_run, "Only say what would run, in which order, and what would be passed over");
    run->footer("Examples:\n  outpost plugin run\n  outpost plugin run install --until test --keep\n  outpost plugin run --dry-run\n\n"
                "Exit status 0: the verdict is success; 1: it is not; 5: the plugin or the job is wrong.");
    run->callback([this] { result = cli::run_plugin(plugin_run); });
    auto* env = group.add_subcommand("env", "Print the environment that a hook would find");
    env->add_option("STAGE", plugin_run.stage, "The hook's stage")->required();
    add_plugin_job_options(*env);
    env->footer("Examples:\n  outpost plugin env test");
    env->callback([this] { result = show_plugin_environment(plugin_run); });
  }

  /// What is asked of the daemon about its jobs.
  void add_daemon_jobs(CLI::App& group) {
    auto* list = add_job_command(group, "list", "The newest jobs of the daemon", cli::list_jobs);
    list->add_option("-n,--limit", job.limit, "How many")->capture_default_str()->check(CLI::Range(1, 1000));
    list->footer("Examples:\n  outpost job list\n  outpost job list --limit 100 --json | jq '.[].judgement.verdict'");
    auto* show = add_job_command(group, "show", "One job: stages, steps, results, warnings", cli::show_job);
    add_job_id(*show, "The job's id here, or how it begins");
    show->footer("Examples:\n  outpost job show 01a1fd08\n  outpost job show 01a1fd08 --json | jq .steps");
    auto* start = add_job_command(group, "start", "Run a job of the configuration now, also when nothing is new", cli::start_job);
    add_job_id(*start, "The name of the job");
    start->footer("It waits for its window, a slot and its lab resources as any other.\n\n"
                  "Examples:\n  outpost job start acme-storage-nightly\n  outpost job start --json acme-storage-nightly | jq -r .job_id");
    auto* cancel = add_job_command(group, "cancel", "Stop a job that runs, or take one that waits out of the queue", cli::cancel_job);
    add_job_id(*cancel, "The job's id here, or how it begins");
    cancel->add_option("-r,--reason", job.reason, "Why; the server is told");
    cancel->footer("Its closing stages still run.\n\nExamples:\n  outpost job cancel 01a1fd08\n  outpost job cancel --reason 'wrong switch' 01a1fd08");
    auto* retry = add_job_command(group, "retry", "Run a job that has ended once more, with the same components", cli::retry_job);
    add_job_id(*retry, "The job's id here, or how it begins");
    retry->footer("Examples:\n  outpost job retry 01a1fd08\n  outpost job retry --json 01a1fd08 | jq -r .job_id");
    auto* hold = add_job_command(group, "hold", "Keep a job that waits from being claimed", cli::hold_job);
    add_job_id(*hold, "The job's id here, or how it begins");
    hold->add_option("-r,--reason", job.reason, "Why, for those who look at the status");
    hold->footer("Examples:\n  outpost job hold 01a1fd08\n  outpost job hold --reason 'the disk array comes on Monday' 01a1fd08");
    auto* release = add_job_command(group, "release", "Let a job that is held be claimed", cli::release_job);
    add_job_id(*release, "The job's id here, or how it begins");
    release->footer("Examples:\n  outpost job release 01a1fd08\n  outpost job release --json 01a1fd08");
  }

  CLI::App* add_job_command(CLI::App& group, const char* name, const char* description, int (*command)(const DaemonOptions&, const JobOptions&)) {
    auto* added = group.add_subcommand(name, description);
    add_daemon_options(*added);
    added->add_flag("--json", job.as_json, "Print the answer of the local API as it is");
    added->callback([this, command] {
      daemon.config = config;
      result = command(daemon, job);
    });
    return added;
  }

  void add_job_id(CLI::App& command, const char* description) { command.add_option("JOB", job.job, description)->required(); }

  void add_spool() {
    auto* spool = app.add_subcommand("spool", "Deliveries that travel in an archive, for labs without a connection");
    spool->require_subcommand(1);
    add_spool_export(*spool);
    add_spool_import(*spool);
    add_spool_confirm(*spool);
  }

  void add_spool_export(CLI::App& spool) {
    auto* command = spool.add_subcommand("export", "Write what waits for a server into an archive");
    add_config_option(*command);
    command->add_option("FILE", spool_export.file, "The archive (tar.zst); - is standard output")->required();
    command->add_option("-r,--reporter", spool_export.reporter, "What waits for this one (default: the only one that has something waiting)");
    command->add_flag("-f,--force", spool_export.force, "Replace the file if it exists");
    command->footer("Examples:\n  outpost spool export /media/stick/lab4.tar.zst\n  outpost spool export - | ssh gate 'cat > lab4.tar.zst'\n\n"
                    "Exit status 0: the archive is there; 1: nothing waits, or it could not be written.");
    command->callback([this] {
      spool_export.config = config;
      result = cli::export_spool(spool_export);
    });
  }

  void add_spool_import(CLI::App& spool) {
    auto* command = spool.add_subcommand("import", "Check an archive and deliver what is in it");
    add_config_option(*command);
    command->add_option("FILE", spool_import.file, "What `outpost spool export` wrote")->required();
    command->add_option("-s,--source", spool_import.source, "The source whose server gets it (default: the one whose remoteci it is of)");
    command->add_option("--receipt", spool_import.receipt, "Write here what was delivered, for `outpost spool confirm`");
    command->add_flag("-f,--force", spool_import.force, "Replace the receipt if it exists");
    command->footer("Examples:\n  outpost spool import /media/stick/lab4.tar.zst\n"
                    "  outpost spool import --receipt /media/stick/lab4.receipt /media/stick/lab4.tar.zst\n\n"
                    "Importing again doubles nothing. Exit status 0: all is at the server; 1: it is not.");
    command->callback([this] {
      spool_import.config = config;
      result = cli::import_spool(spool_import);
    });
  }

  void add_spool_confirm(CLI::App& spool) {
    auto* command = spool.add_subcommand("confirm", "Settle here what an import elsewhere has delivered");
    add_config_option(*command);
    command->add_option("FILE", spool_confirm.file, "What `outpost spool import --receipt` wrote")->required();
    command->footer("Example:\n  outpost spool confirm /media/stick/lab4.receipt");
    command->callback([this] {
      spool_confirm.config = config;
      result = cli::confirm_spool(spool_confirm);
    });
  }

  void add_setup() {
    auto* command = app.add_subcommand("setup", "Make a configuration from that of one of DCI's agents");
    command->add_option("--from-dci", setup.from_dci, "Its directory, such as /etc/dci-openshift-agent")->required();
    command->add_option("-o,--output", setup.output, "Where to write the configuration (default: standard output)");
    command->add_flag("-f,--force", setup.force, "Replace the file if it exists");
    command->footer("Examples:\n  outpost setup --from-dci /etc/dci-openshift-agent\n"
                    "  outpost setup --from-dci /etc/dci-rhel-agent --output /etc/outpost/outpost.yml --force\n\n"
                    "What it could not carry over is said on standard error. No secret is copied.");
    command->callback([this] { result = set_up(setup); });
  }

  void add_config() {
    auto* command = app.add_subcommand("config", "The configuration");
    command->require_subcommand(1);
    auto* check = command->add_subcommand("check", "Read the configuration as the daemon would, and say what is wrong");
    add_config_option(*check);
    check->footer("Examples:\n  outpost config check\n  outpost config check --config ./outpost.yml");
    check->callback([this] { result = check_configuration(config); });
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = line.app.exit(error);
    return status == 0 ? exit_ok : exit_usage;
  } catch (const std::exception& failure) {
    std::cerr << "outpost: a bug, please report it: " << failure.what() << "\n";
    return exit_negative;
  }
  return line.result;
}
