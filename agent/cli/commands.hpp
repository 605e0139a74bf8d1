#pragma once

#include <filesystem>
#include <string>
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

/// Who is told about jobs, and what waits for them.
int list_reporters(const DaemonOptions& daemon, bool as_json);

/// Drops what is kept for a reporter that is no longer configured; what waits only with `yes`.
int forget_reporter(const DaemonOptions& daemon, const std::string& name, bool yes);

/// What a reporter has set aside, with the reasons.
int list_parked(const DaemonOptions& daemon, const std::string& name, bool as_json);

/// Has parked items sent again: those of the keys, all when there are none.
int retry_parked(const DaemonOptions& daemon, const std::string& name, const std::vector<std::string>& items);

/// What an admin has to know, with the keys by which it is acknowledged.
int list_alarms(const DaemonOptions& daemon, bool as_json);

/// Takes alarms off the list until their causes come back; all when `keys` is empty.
int acknowledge_alarms(const DaemonOptions& daemon, std::vector<std::string> keys);

struct JobRunOptions {
  std::filesystem::path file;
  std::filesystem::path directory;  ///< Where logs and results go; empty: a new one below the current directory.
  bool quiet = false;               ///< Don't show what the steps print.
};

/// Runs a job without a server and shows it as it goes.
int run_job(const JobRunOptions& options);

struct SpoolExportOptions {
  std::filesystem::path config;
  std::filesystem::path file;  ///< "-": standard output.
  std::string reporter;        ///< Empty: the only one that has something waiting.
  bool force = false;          ///< Replace the file.
};
/// Writes what waits for a server into an archive.
int export_spool(const SpoolExportOptions& options);

struct SpoolImportOptions {
  std::filesystem::path config;
  std::filesystem::path file;
  std::string source;             ///< Empty: the one whose remoteci the archive is of.
  std::filesystem::path receipt;  ///< Empty: none.
  bool force = false;             ///< Replace the receipt.
};
/// Delivers what an archive holds.
int import_spool(const SpoolImportOptions& options);

struct SpoolConfirmOptions {
  std::filesystem::path config;
  std::filesystem::path file;  ///< The receipt of an import.
};
/// Settles here what an import elsewhere has delivered.
int confirm_spool(const SpoolConfirmOptions& options);
struct JobLogsOptions {
  std::filesystem::path config;     ///< Says where the daemon keeps its jobs.
  std::filesystem::path directory;  ///< Instead: the directory of `outpost job run`.
  std::string job, step;            ///< An id or its beginning; empty: all steps.
  bool times = false;
};

/// Prints what the steps of a job have printed, without the secrets.
int show_job_logs(const JobLogsOptions& options);

/// Reads a configuration as the daemon would and says everything that is wrong with it.
int check_configuration(const std::filesystem::path& config);

struct SetupOptions {
  std::filesystem::path from_dci;  ///< The directory of one of DCI's agents.
  std::filesystem::path output;    ///< Empty: standard output.
  bool force = false;              ///< Replaces the file.
};

/// Writes a configuration made from another program's, and says what it could not carry over.
int set_up(const SetupOptions& options);

}  // namespace outpost::cli
