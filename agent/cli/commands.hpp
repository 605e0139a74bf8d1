#pragma once

#include "agent/config/job_file.hpp"
#include "agent/job/stage.hpp"
#include "agent/job/story.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::cli {

/// How to reach the daemon.
struct DaemonOptions {
  std::filesystem::path config;  ///< Says where the daemon's socket is.
  std::filesystem::path socket;  ///< Instead of the configuration's.
};

// All return an exit status.

/// What the daemon does now.
int show_status(const DaemonOptions& daemon, bool as_json);
/// The same again and again, until it is interrupted.
int watch_status(const DaemonOptions& daemon, std::chrono::milliseconds interval);

/// The same as a screen with stages, the log and the spool, until somebody leaves it.
int show_top(const DaemonOptions& daemon, std::chrono::milliseconds interval);

struct ClaimsOptions {
  std::string source, resource;  ///< What it is about; both empty: everything.
  std::string reason;
  bool all = false;              ///< To resume: every pause there is.
  bool wait = false;             ///< To drain: until no job runs.
  std::string timeout;           ///< A duration: then it is waited for no longer; empty: as long as it takes.
  bool as_json = false;
};

/// Claims nothing of it until it is resumed.
int pause_claims(const DaemonOptions& daemon, const ClaimsOptions& options);

/// Ends a pause, or a drain.
int resume_claims(const DaemonOptions& daemon, const ClaimsOptions& options);

/// Claims nothing more; what runs goes on to its end.
int drain(const DaemonOptions& daemon, const ClaimsOptions& options);

/// Has the daemon read its configuration again.
int reload(const DaemonOptions& daemon, bool as_json);

/// Opens the page in a browser of this session, where there is one, and prints its address.
int open_dashboard(const DaemonOptions& daemon, bool print_only, bool as_json);

/// Who is told about jobs, and what waits for them.
int list_reporters(const DaemonOptions& daemon, bool as_json);

/// Drops what is kept for a reporter that is no longer configured; what waits only with `yes`.
int forget_reporter(const DaemonOptions& daemon, const std::string& name, bool yes, bool as_json);

/// What a reporter has set aside, with the reasons.
int list_parked(const DaemonOptions& daemon, const std::string& name, bool as_json);

/// Has parked items sent again: those of the keys, all when there are none.
int retry_parked(const DaemonOptions& daemon, const std::string& name, const std::vector<std::string>& items, bool as_json);

/// What an admin has to know, with the keys by which it is acknowledged.
int list_alarms(const DaemonOptions& daemon, bool as_json);

/// Takes alarms off the list until their causes come back; all when `keys` is empty.
int acknowledge_alarms(const DaemonOptions& daemon, std::vector<std::string> keys, bool as_json);

struct JobRunOptions {
  std::filesystem::path file;
  std::filesystem::path directory;  ///< Where logs and results go; empty: a new one below the current directory.
  bool quiet = false;               ///< Don't show what the steps print.
  std::vector<job::Stage> stages;   ///< Hooks of no others run; empty: all.
  bool dry_run = false;             ///< Only hooks that support it run.
  bool temporary = false;           ///< The directory goes afterwards, so nobody is told of it.
  bool as_json = false;             ///< One document when it has ended, and what is shown on the way on standard error.
  std::function<void(const job::Story&)> ended = [](const job::Story&) {};  ///< Hears how the job went.
};

/// Runs a job without a server and shows it as it goes.
int run_job(const JobRunOptions& options);
/// The same for a job that is read already; `options.file` is what messages call it.
int run_job(const config::JobFile& job, const JobRunOptions& options);

struct PluginNewOptions {
  std::string name;
  std::string language = "sh";
  std::filesystem::path directory;  ///< Empty: of the plugin's name.
  bool as_json = false;
};
/// Makes a plugin to begin with.
int new_plugin(const PluginNewOptions& options);

struct PluginLintOptions {
  std::vector<std::filesystem::path> directories;  ///< Empty: the current one.
  std::string format = "human";
  bool strict = false;  ///< Warnings count.
  bool as_json = false;  ///< A document, instead of what `format` says.
};
/// Says what is wrong with plugins. Exit status 2: errors; 1: warnings, with `strict`.
int lint_plugins(const PluginLintOptions& options);

/// The plugins that a job of this machine can name.
int list_plugins(const std::filesystem::path& config, bool as_json);

/// Everything about one of them, or about one in a folder.
int show_plugin(const std::filesystem::path& config, const std::string& plugin, bool as_json);

struct PluginRunOptions {
  std::filesystem::path plugin = ".";
  std::string stage, until;         ///< Empty: all stages; only that one.
  std::filesystem::path job;        ///< Empty: the plugin's job.yml, or one with nothing in it.
  std::filesystem::path config;     ///< What the plugin is configured with, instead of what the job says.
  std::filesystem::path directory;  ///< Where logs and results go; empty: a temporary one.
  bool keep = false;                ///< The temporary one stays.
  bool quiet = false;
  bool dry_run = false;             ///< Only say what would run.
  bool as_json = false;
};
/// Runs the plugin in a folder in a job of its own, without a server.
int run_plugin(const PluginRunOptions& options);

struct PluginTestOptions {
  std::vector<std::string> what;  ///< The plugin's folder, if not the current one; names of cases, if not all.
  std::filesystem::path junit;     ///< A report goes there; empty: none.
  bool as_json = false, keep = false;
};
/// Runs the test cases of the plugin in a folder.
int test_plugin(const PluginTestOptions& options);

struct PluginPackageOptions {
  std::filesystem::path config;     ///< Says where plugins lie, and which jobs need them.
  std::filesystem::path path = "."; ///< A plugin's folder, or an archive.
  std::string name;                 ///< Of an installed plugin.
  std::filesystem::path output, sign_with, signers, directory;
  std::string digest;
  bool force = false, as_json = false;
};
/// Writes a plugin into an archive.
int pack_plugin(const PluginPackageOptions& options);
/// Looks whether an archive, or a folder, is what it says.
int verify_plugin(const PluginPackageOptions& options);
/// Puts a plugin where jobs find it.
int install_plugin(const PluginPackageOptions& options);
/// Takes one away.
int remove_plugin(const PluginPackageOptions& options);

/// Prints what a hook of a stage would find in its environment.
int show_plugin_environment(const PluginRunOptions& options);

struct SpoolExportOptions {
  std::filesystem::path config;
  std::filesystem::path file;  ///< "-": standard output.
  std::string reporter;        ///< Empty: the only one that has something waiting.
  bool force = false;          ///< Replace the file.
  bool as_json = false;
};
/// Writes what waits for a server into an archive.
int export_spool(const SpoolExportOptions& options);

struct SpoolImportOptions {
  std::filesystem::path config;
  std::filesystem::path file;
  std::string source;             ///< Empty: the one whose remoteci the archive is of.
  std::filesystem::path receipt;  ///< Empty: none.
  bool force = false;             ///< Replace the receipt.
  bool as_json = false;
};
/// Delivers what an archive holds.
int import_spool(const SpoolImportOptions& options);

struct SpoolConfirmOptions {
  std::filesystem::path config;
  std::filesystem::path file;  ///< The receipt of an import.
  bool as_json = false;
};
/// Settles here what an import elsewhere has delivered.
int confirm_spool(const SpoolConfirmOptions& options);

struct SpoolListOptions {
  std::string reporter;     ///< Empty: all.
  std::string job;          ///< Only items of jobs whose ids begin so.
  std::size_t limit = 100;
  bool as_json = false;
};
struct SpoolFlushOptions {
  std::string reporter;  ///< Empty: all.
  bool wait = false;     ///< Until nothing waits any more.
  std::string timeout;   ///< A duration: then it is waited for no longer.
  bool as_json = false;
};
struct SpoolPruneOptions {
  bool waiting = false;    ///< What no server has, instead of jobs of which all is delivered.
  std::string reporter;    ///< Of what waits; empty: for any.
  std::string older_than;  ///< A duration; empty: of any age.
  bool yes = false, dry_run = false, as_json = false;
};

/// How much waits for which server, and since when.
int show_spool(const DaemonOptions& daemon, bool as_json);
/// What waits, item by item, the oldest first.
int list_spool(const DaemonOptions& daemon, const SpoolListOptions& options);
/// Has what waits tried now.
int flush_spool(const DaemonOptions& daemon, const SpoolFlushOptions& options);
/// Frees the room of what servers have or, when that is asked for and confirmed, of what they do not have.
int prune_spool(const DaemonOptions& daemon, const SpoolPruneOptions& options);

struct JobOptions {
  std::string job;     ///< An id or its beginning; for start the name of a job of the configuration.
  std::string reason;
  std::size_t limit = 20;  ///< Of list.
  bool as_json = false;
};

/// The newest jobs of the daemon.
int list_jobs(const DaemonOptions& daemon, const JobOptions& options);
/// One job with its stages, steps, results and warnings.
int show_job(const DaemonOptions& daemon, const JobOptions& options);
/// Queues a job of the configuration now.
int start_job(const DaemonOptions& daemon, const JobOptions& options);
int cancel_job(const DaemonOptions& daemon, const JobOptions& options);
/// Queues a job that has ended once more.
int retry_job(const DaemonOptions& daemon, const JobOptions& options);
/// Keeps a job that waits from being claimed, until it is released.
int hold_job(const DaemonOptions& daemon, const JobOptions& options);
int release_job(const DaemonOptions& daemon, const JobOptions& options);

struct JobLogsOptions {
  std::filesystem::path config;     ///< Says where the daemon keeps its jobs.
  std::filesystem::path directory;  ///< Instead: the directory of `outpost job run`.
  std::string job, step;            ///< An id or its beginning; empty: all steps.
  bool times = false;
  bool follow = false;  ///< Go on with what is printed until the job has ended.
  bool as_json = false;  ///< A document a line.
};

/// Prints what the steps of a job have printed, without the secrets.
int show_job_logs(const JobLogsOptions& options);

struct JobExportOptions {
  std::string job;               ///< An id or its beginning.
  std::filesystem::path output;  ///< Empty: named after the job, in the current directory; "-": standard output.
  bool as_json = false;          ///< For programs instead of people.
  bool force = false;            ///< Replace the file.
};

/// Writes all about a job into one file that needs nothing else.
int export_job(const DaemonOptions& daemon, const JobExportOptions& options);
struct JobReplayOptions {
  std::filesystem::path config;     ///< Says where the daemon keeps its jobs, and of secrets and resources.
  std::filesystem::path jobs_of;    ///< Instead: the directory of `outpost job run`.
  std::string job;                  ///< An id or its beginning.
  std::string from, plugin;         ///< Only from this stage on; only this plugin.
  std::vector<std::string> components;  ///< TYPE=PATH: where the files of components are now.
  bool keep = false, quiet = false, as_json = false;
};
/// Runs the hooks of a past job once more, here, with what was recorded.
int replay_job(const JobReplayOptions& options);

/// Reads a configuration as the daemon would and says everything that is wrong with it.
int check_configuration(const std::filesystem::path& config, bool as_json);

struct DoctorOptions {
  std::filesystem::path config;
  std::vector<std::string> checks;  ///< Ids and groups; empty: all.
  bool fix = false;                 ///< Repairs what can be without harm.
  bool as_json = false;
};

/// Looks at everything that the agent needs of this machine, its configuration and the servers.
int examine(const DoctorOptions& options);

struct ServerOptions {
  std::filesystem::path config;
  std::string source;       ///< Empty: the only one.
  std::string topic, type;  ///< Of components; empty: of any.
  std::size_t limit = 20;
  bool as_json = false;
};

// What a control server says, asked directly; the daemon need not run.

/// Whether it answers and accepts us, and how fast.
int ping_server(const ServerOptions& options);
/// Who it takes us for.
int show_identity(const ServerOptions& options);
int list_topics(const ServerOptions& options);
int list_components(const ServerOptions& options);
int list_server_jobs(const ServerOptions& options);

struct ComponentOptions {
  std::filesystem::path config;       ///< Says how the server is reached, unless credentials are given.
  std::filesystem::path credentials;  ///< dcirc.sh or dci_credentials.yml of a feeder; empty: see outpost(1).
  std::string source;                 ///< Of the configuration; empty: the only one.
  std::string topic, type, name;      ///< To create: what it is called.
  std::string version, url, uid, title, message, released_at;
  std::vector<std::string> tags;
  bool inactive = false;              ///< To create: agents do not see it yet.
  std::string component;              ///< To upload: its id.
  std::vector<std::filesystem::path> files;  ///< Files, and directories of files.
  bool as_json = false;
};

// The other side of a topic: what its maker does.

/// Makes a component of a topic, with its files, unless it is there.
int create_component(const ComponentOptions& options);
/// Brings files to a component, those that are not there.
int upload_to_component(const ComponentOptions& options);

/// Lab resources, who holds them, and whether jobs are kept away.
int list_resources(const DaemonOptions& daemon, bool as_json);

/// Every key that is set or has a default, and where it was written.
int show_configuration(const std::filesystem::path& config, bool as_json);
/// What a key means, and what is in force.
int explain_key(const std::filesystem::path& config, const std::string& key, bool as_json);
/// The JSON Schema of outpost.yml.
int print_schema();

struct SupportOptions {
  std::filesystem::path config;
  std::filesystem::path output;  ///< Empty: named after the time, in the current directory.
  bool redact = false;           ///< Without names of hosts and addresses.
  bool as_json = false;
  bool force = false;            ///< Replace the file.
};

/// Packs what somebody needs who shall help: the doctor's report, the configuration without secrets, status, log.
int write_support_bundle(const SupportOptions& options);

/// outpost.bash, which makes bash complete commands.
extern const char* const bash_completion;
/// Prints what makes a shell complete commands.
int print_completion(std::string_view script);

struct PromoteCommandOptions {
  std::filesystem::path config = "/etc/outpost/promoter.yaml";
  std::filesystem::path waivers;  ///< Empty: waivers.yml beside the configuration.
  std::filesystem::path state = "/var/lib/outpost/promoter";
  std::filesystem::path logs;  ///< Gets a file for each run; empty: none.
  std::vector<std::string> targets;
  std::string force, reason;
  bool roll_back = false, history = false, dry_run = false, as_json = false;
};

/// Promotes what has passed its tests, or says what it would promote, or what was promoted.
int promote(const PromoteCommandOptions& options);

/// Prints the version of this program.
int print_version(bool as_json);

struct SetupOptions {
  std::filesystem::path from_dci;  ///< The directory of one of DCI's agents.
  std::filesystem::path output;    ///< Empty: standard output.
  bool force = false;              ///< Replaces the file.
  bool as_json = false;
};

/// Writes a configuration made from another program's, and says what it could not carry over.
int set_up(const SetupOptions& options);

}  // namespace outpost::cli
