#pragma once

#include <CLI/App.hpp>

#include <string>
#include <vector>

namespace outpost::cli {

struct CommandOption {
  std::vector<std::string> names;  ///< "-n", "--limit"
  std::string what;
  bool takes_value = false;
};

/// A command as its help has it.
struct CommandEntry {
  std::string path;  ///< "outpost job list"
  std::string what;
  std::string footer;                    ///< Examples and exit status.
  std::vector<std::string> subcommands;  ///< Their names; empty: it does something by itself.
  std::vector<std::string> operands;     ///< "JOB"
  std::vector<CommandOption> options;
};

/// Every command of a program, itself first, each before its subcommands.
[[nodiscard]] std::vector<CommandEntry> command_table(const CLI::App& program);

/// Scripts that complete these commands and their options, with what each does.
[[nodiscard]] std::string zsh_completion(const std::vector<CommandEntry>& table);
[[nodiscard]] std::string fish_completion(const std::vector<CommandEntry>& table);

}  // namespace outpost::cli
