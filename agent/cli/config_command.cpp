#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/base/text.hpp"
#include "agent/config/check.hpp"
#include "agent/config/effective.hpp"
#include "agent/config/key_help.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_check.hpp"
#include "agent/daemon/promotion_check.hpp"
#include "agent/daemon/selection_check.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

namespace {

/// What `config check` finds.
struct Findings {
  std::vector<std::string> problems;  ///< A line for each that the daemon would have, selections and plugins included.
  std::vector<std::string> warnings;
  std::string right;  ///< What the configuration holds.
};

Findings examine(const std::filesystem::path& file) {
  const auto types = daemon::source_types();
  const auto loaded = config::load(file, config::environment_of(environ), types);
  Findings found;
  auto& lines = found.problems;
  if (!loaded) {
    for (auto& line : split(loaded.error().text(), '\n'))
      if (!line.empty()) lines.push_back(std::move(line));
    return found;
  }
  for (const auto& problem : config::check(*loaded, config::environment_of(environ))) lines.push_back(problem.text());
  for (const auto& warning : config::warnings(*loaded, config::environment_of(environ))) std::cerr << "warning: " << warning.text() << "\n";
  for (auto& line : daemon::check_selections(*loaded)) lines.push_back(std::move(line));
  for (auto& line : daemon::check_plugins(*loaded)) lines.push_back(std::move(line));
  for (auto& line : daemon::check_promotions(*loaded, config::environment_of(environ))) lines.push_back(std::move(line));
  found.warnings = daemon::plugin_warnings(*loaded);
  const auto& settings = loaded->settings;
  found.right = std::to_string(settings.sources.size()) + " sources, " + std::to_string(settings.jobs.size()) + " jobs, " + std::to_string(settings.resources.size()) +
          " resources, " + std::to_string(settings.slots) + " slots" + (settings.promotions.empty() ? "" : ", " + std::to_string(settings.promotions.size()) + " promotions");
  return found;
}

}  // namespace

int check_configuration(const std::filesystem::path& file, bool as_json) {
  const auto [problems, warnings, right] = examine(file);
  if (as_json) {
    print_document("outpost-config-check", {{"file", file.string()},
                                            {"right", problems.empty()},
                                            {"problems", boost::json::array(problems.begin(), problems.end())},
                                            {"warnings", boost::json::array(warnings.begin(), warnings.end())}});
  } else {
    for (const auto& line : problems) std::cerr << line << "\n";
    for (const auto& line : warnings) std::cerr << "warning: " << line << "\n";
    if (problems.empty()) std::cout << file.string() << ": right; " << right << "\n";
  }
  return problems.empty() ? exit_ok : exit_configuration;
}

namespace {

/// Every key that is set or has a default; nothing when the configuration is wrong, and why.
boost::system::result<std::vector<config::EffectiveKey>, config::Problems> keys_in_force(const std::filesystem::path& file) {
  const auto environment = config::environment_of(environ);
  const auto types = daemon::source_types();
  const auto loaded = config::load(file, environment, types);
  if (!loaded) return loaded.error();
  std::error_code ignored;
  return config::effective(loaded->texts, std::filesystem::absolute(file, ignored).parent_path(), environment, types);
}

std::string line_of(const config::EffectiveKey& key) {
  return printable(key.path) + ": " + (key.hidden ? "****" : printable(key.value)) + "  # " + (key.origin.empty() ? "default" : printable(key.origin));
}

/// "sources.NAME.poll" for "sources.dci.poll": whether a key's path is that of a value.
bool is_of_key(const std::string& value_path, const std::string& key_path) {
  const auto value = split(value_path, '.'), key = split(key_path, '.');
  if (value.size() != key.size()) return false;
  for (std::size_t at = 0; at < key.size(); ++at)
    if (key[at] != "NAME" && key[at] != value[at]) return false;
  return true;
}

boost::json::object row_of(const config::EffectiveKey& key) {
  return {{"key", key.path}, {"value", key.value}, {"origin", key.origin}, {"hidden", key.hidden}};
}

}  // namespace

int show_configuration(const std::filesystem::path& file, bool as_json) {
  const auto keys = keys_in_force(file);
  if (!keys) {
    std::cerr << keys.error().text();
    return exit_configuration;
  }
  if (as_json) {
    boost::json::array rows;
    for (const auto& key : *keys) rows.push_back(row_of(key));
    print_document("outpost-config", {{"keys", std::move(rows)}});
    return exit_ok;
  }
  for (const auto& key : *keys) std::cout << line_of(key) << "\n";
  return exit_ok;
}

namespace {

/// The key that a misspelt word may mean, written as it was: with the names of the configuration, or without.
std::optional<std::string> meant_by(const std::string& word) {
  const auto parts = split(word, '.');
  std::vector<std::string> candidates;
  for (const auto& key : config::all_key_help()) {
    candidates.push_back(key.path);
    candidates.push_back(replace_all(key.path, ".NAME", ""));
    if (parts.size() > 2) candidates.push_back(replace_all(key.path, ".NAME", "." + parts[1]));
    candidates.push_back(key.path.substr(key.path.rfind('.') + 1));
  }
  return nearest(word, candidates);
}

boost::json::array explained(const std::vector<config::KeyHelp>& found, const std::vector<config::EffectiveKey>& in_force) {
  boost::json::array rows;
  for (const auto& key : found) {
    boost::json::array values;
    for (const auto& each : in_force)
      if (is_of_key(each.path, key.path)) values.push_back(row_of(each));
    rows.push_back(boost::json::object{{"key", key.path}, {"kind", key.kind}, {"text", key.text}, {"in_force", std::move(values)}});
  }
  return rows;
}

}  // namespace

int explain_key(const std::filesystem::path& file, const std::string& word, bool as_json) {
  const auto found = config::help_for(word);
  if (found.empty()) {
    const auto meant = meant_by(word);
    std::cerr << "outpost: outpost.yml has no key " << printable(word, 80) << (meant ? "; did you mean " + printable(*meant) + "?" : "; see: man outpost.yml") << "\n";
    return exit_negative;
  }
  // What is in force is told as far as there is a configuration that can be read.
  const auto in_force = keys_in_force(file);
  if (as_json) {
    print_document("outpost-config-explain", {{"keys", explained(found, in_force ? *in_force : std::vector<config::EffectiveKey>{})}, {"readable", in_force.has_value()}});
    return exit_ok;
  }
  for (const auto& key : found) {
    std::cout << key.path << " (" << key.kind << ")\n  " << key.text << "\n";
    for (const auto& each : in_force ? *in_force : std::vector<config::EffectiveKey>{})
      if (is_of_key(each.path, key.path)) std::cout << "  in force: " << line_of(each) << "\n";
  }
  if (!in_force) std::cout << "What is in force is not known: " << file.string() << " cannot be read; see: outpost config check\n";
  return exit_ok;
}

int print_schema() {
  std::cout << boost::json::serialize(config::schema_of_configuration()) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
