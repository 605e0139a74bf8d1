#pragma once

#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace outpost::cli {

/// The options and commands of outpost. A command runs when the line is parsed and leaves its exit status in `result`.
struct CommandLine {
  CommandLine();

  CLI::App app{"Outpost: the agent that runs product builds through a lab. See outpost(1)."};
  int result = exit_ok;

  /// What is wrong with the line, which command's help tells more, and for a mistyped name what may be meant.
  [[nodiscard]] std::string usage_mistake(const CLI::ParseError& error) const;

  /// How far the line could be followed: the command, and "outpost job logs".
  struct Place {
    const CLI::App* command;
    std::string path;
  };
  [[nodiscard]] Place place() const;

  // What the daemon is asked (command_line_daemon.cpp)
  void add_status();
  void add_top();
  [[nodiscard]] std::chrono::milliseconds interval_given() const;
  void add_claims();
  void add_resource();
  void add_scope(CLI::App& command);
  void add_reload();
  void add_dashboard();
  void add_reporter();
  void add_parked(CLI::App& group);
  void add_alarm();

  // command_line_job.cpp
  void add_job();
  void add_daemon_jobs(CLI::App& group);
  void add_job_replay(CLI::App& group);

  // command_line_plugin.cpp
  void add_plugin();
  void add_plugin_job_options(CLI::App& command);
  void add_plugin_run(CLI::App& group);
  void add_plugin_test(CLI::App& group);
  void add_plugin_packages(CLI::App& group);
  void add_plugin_places(CLI::App& group);

  // command_line_spool.cpp
  void add_spool();
  void add_spool_waiting(CLI::App& spool);
  void add_spool_flush(CLI::App& spool);
  void add_spool_prune(CLI::App& spool);
  void add_spool_export(CLI::App& spool);
  void add_spool_import(CLI::App& spool);
  void add_spool_confirm(CLI::App& spool);

  // What is found out without a daemon (command_line_look.cpp)
  void add_doctor();
  void add_server();
  void add_support();
  void add_completion();
  CLI::App* add_question(CLI::App& group, const char* name, const char* what, int (*ask)(const ServerOptions&));

  // command_line_component.cpp
  void add_component();
  void add_component_options(CLI::App& command);

  // command_line_promote.cpp
  void add_promote();

  // The others, and what several of them take (command_line.cpp)
  void add_version();
  void add_setup();
  void add_config();
  void add_config_look(CLI::App& group);
  void add_config_option(CLI::App& command);
  static void add_json_flag(CLI::App& command, bool& as_json);
  /// Makes it a command that asks the daemon; `work` returns the exit status.
  CLI::App* ask_daemon(CLI::App* command, std::function<int()> work);

  std::string config = "/etc/outpost/outpost.yml";
  DaemonOptions daemon;
  bool as_json = false, yes = false, everything = false, print_only = false;
  std::string reporter;
  std::vector<std::string> keys;
  ClaimsOptions claims;
  JobOptions job;
  JobRunOptions job_run;
  JobLogsOptions job_logs;
  JobExportOptions job_export;
  PluginNewOptions plugin_new;
  PluginLintOptions plugin_lint;
  PluginRunOptions plugin_run;
  PluginTestOptions plugin_test;
  PluginPackageOptions plugin_package;
  JobReplayOptions job_replay;
  std::string plugin;
  SpoolListOptions spool_list;
  SpoolFlushOptions spool_flush;
  SpoolPruneOptions spool_prune;
  SpoolExportOptions spool_export;
  SpoolImportOptions spool_import;
  SpoolConfirmOptions spool_confirm;
  DoctorOptions doctor;
  ServerOptions server;
  ComponentOptions component;
  SupportOptions support;
  bool watch = false;
  std::string interval = "1s", key;
  SetupOptions setup;
  PromoteCommandOptions promotion;
};

}  // namespace outpost::cli
