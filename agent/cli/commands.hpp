#pragma once

#include <filesystem>
#include <string>

namespace outpost::cli {

struct StatusOptions {
  std::filesystem::path config;  ///< Says where the daemon's socket is.
  std::filesystem::path socket;  ///< Instead of the configuration's.
  bool json = false;
};

/// What the daemon does now. Returns an exit status.
int show_status(const StatusOptions& options);

struct JobRunOptions {
  std::filesystem::path file;
  std::filesystem::path directory;  ///< Where logs and results go; empty: a new one below the current directory.
  bool quiet = false;               ///< Don't show what the steps print.
};

/// Runs a job without a server and shows it as it goes.
int run_job(const JobRunOptions& options);

/// Reads a configuration as the daemon would and says everything that is wrong with it.
int check_configuration(const std::filesystem::path& config);

}  // namespace outpost::cli
