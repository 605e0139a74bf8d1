#include "agent/cli/command_table.hpp"

namespace outpost::cli {
namespace {

void add(const CLI::App& command, const std::string& parent, std::vector<CommandEntry>& table) {
  CommandEntry entry{parent + command.get_name(), command.get_description(), command.get_footer(), {}, {}, {}};
  for (const auto* option : command.get_options()) {
    if (!option->nonpositional()) {
      entry.operands.push_back(option->get_single_name());
      continue;
    }
    CommandOption row{{}, option->get_description(), option->get_items_expected_max() > 0};
    for (const auto& name : option->get_snames()) row.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) row.names.push_back("--" + name);
    entry.options.push_back(std::move(row));
  }
  const auto below = command.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* each : below) entry.subcommands.push_back(each->get_name());
  const std::string path = entry.path + " ";
  table.push_back(std::move(entry));
  for (const auto* each : below) add(*each, path, table);
}

}  // namespace

std::vector<CommandEntry> command_table(const CLI::App& program) {
  std::vector<CommandEntry> table;
  add(program, "", table);
  return table;
}

}  // namespace outpost::cli
