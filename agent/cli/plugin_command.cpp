#include "agent/base/private_directory.hpp"
#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/stage_argument.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_tools.hpp"

#include <boost/json/array.hpp>

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <system_error>
#include <utility>

namespace outpost::cli {

namespace json = boost::json;

namespace {

int complain(const Error& error, int status = exit_negative) {
  std::cerr << "outpost: " << error.message << "\n";
  return status;
}

/// A machine without a configuration has the places that packages use. malformed: what is wrong with one.
Result<std::vector<std::filesystem::path>> plugins_path_of(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) && !ignored) return config::Settings{}.plugins_path;
  if (::access(file.c_str(), R_OK) != 0) {
    std::cerr << "outpost: " << file.string() << " cannot be read by this user: plugins are looked for where packages put them\n";
    return config::Settings{}.plugins_path;
  }
  const auto types = daemon::source_types();
  const auto loaded = config::load(file, config::environment_of(environ), types);
  if (!loaded) return Error{Fault::malformed, std::string{trim(loaded.error().text())}};
  return loaded->settings.plugins_path;
}

template <class Stages>
std::optional<job::Stage> stage_named(const std::string& name, const Stages& stages) {
  const auto stage = job::parse_stage(name);
  if (stage && std::find(stages.begin(), stages.end(), *stage) != stages.end()) return stage;
  std::cerr << "outpost: " << no_such_stage(name, stages) << "\n";
  return std::nullopt;
}

/// For messages about what no file says.
std::filesystem::path job_file_of(const PluginRunOptions& options) {
  const auto own = options.plugin / "job.yml";
  std::error_code error;
  if (!options.job.empty() || std::filesystem::exists(own, error)) return options.job.empty() ? own : options.job;
  return "no job.yml, no --config";
}

/// `plugin run ./acme-storage` means the plugin in the folder, as everywhere.
PluginRunOptions with_folder_first(PluginRunOptions options) {
  std::error_code error;
  if (job::parse_stage(options.stage) || options.plugin != "." || !std::filesystem::is_directory(options.stage, error)) return options;
  options.plugin = std::exchange(options.stage, {});
  return options;
}

}  // namespace

int new_plugin(const PluginNewOptions& options) {
  const auto directory = options.directory.empty() ? std::filesystem::path{options.name} : options.directory;
  const auto files = daemon::new_plugin(options.name, options.language, directory);
  if (!files) return complain(files.error());
  if (options.as_json) {
    json::array names;
    for (const auto& file : *files) names.emplace_back((directory / file).string());
    print_document("outpost-plugin-new", {{"plugin", options.name}, {"directory", directory.string()}, {"files", std::move(names)}});
    return exit_ok;
  }
  for (const auto& file : *files) std::cout << (directory / file).string() << "\n";
  std::cout << "\nnext: cd " << directory.string() << " && outpost plugin lint && outpost plugin test && outpost plugin run\n";
  return exit_ok;
}

int lint_plugins(const PluginLintOptions& options) {
  auto directories = options.directories;
  if (directories.empty()) directories.emplace_back(".");
  const auto report = daemon::lint_plugins(directories, options.format);
  if (!report) return complain(report.error());
  if (options.as_json)
    print_document("outpost-plugin-lint", {{"errors", report->errors}, {"warnings", report->warnings}, {"complaints", report->complaints}});
  else
    std::cout << report->text;
  if (report->errors) return exit_usage;
  return report->warnings && options.strict ? exit_negative : exit_ok;
}

int list_plugins(const std::filesystem::path& config, bool as_json) {
  const auto path = plugins_path_of(config);
  if (!path) return complain(path.error(), exit_configuration);
  const auto rows = daemon::installed_plugins(*path);
  std::vector<std::string> places;
  for (const auto& place : *path) places.push_back(place.string());
  if (as_json) {
    json::array plugins;
    for (const auto& row : rows) plugins.push_back(to_json(row));
    print_document("outpost-plugins", {{"plugins_path", json::array(places.begin(), places.end())}, {"plugins", std::move(plugins)}});
    return exit_ok;
  }
  if (rows.empty()) {
    std::cout << "no plugins in " << join(places, ", ") << "\n";
    return exit_ok;
  }
  std::size_t name_width = 4, version_width = 7;
  for (const auto& row : rows) {
    name_width = std::max(name_width, row.name.size());
    version_width = std::max(version_width, row.version.size());
  }
  const auto cell = [](std::string text, std::size_t width) { return text + std::string(width - std::min(width, text.size()) + 2, ' '); };
  std::cout << cell("NAME", name_width) << cell("VERSION", version_width) << "FOLDER, STAGES\n";
  for (const auto& row : rows)
    std::cout << cell(printable(row.name), name_width) << cell(row.broken ? "broken" : row.version.empty() ? "-" : printable(row.version), version_width)
              << printable(row.path) << (row.stages.empty() ? "" : ": " + join(row.stages, " ")) << "\n";
  const bool broken = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.broken; });
  if (broken) std::cout << "\nwhat is wrong with one: outpost plugin show NAME\n";
  return exit_ok;
}

int show_plugin(const std::filesystem::path& config, const std::string& plugin, bool as_json) {
  const bool is_folder = plugin.find('/') != std::string::npos || plugin == "." || plugin == "..";
  const auto path = is_folder ? Result<std::vector<std::filesystem::path>>{std::vector<std::filesystem::path>{}} : plugins_path_of(config);
  if (!path) return complain(path.error(), exit_configuration);
  const auto described = daemon::describe_plugin(plugin, *path);
  if (!described) return complain(described.error());
  if (as_json)
    print_document("outpost-plugin", described->json);
  else
    std::cout << described->text;
  return exit_ok;
}

int run_plugin(const PluginRunOptions& given) {
  const auto options = with_folder_first(given);
  if (!options.stage.empty() && !stage_named(options.stage, job::all_stages)) return exit_usage;
  auto job = daemon::job_for_plugin(options.plugin, options.job, options.config);
  if (!job) return complain(job.error(), exit_configuration);
  for (const auto& line : daemon::files_that_never_run(options.plugin, options.dry_run)) std::cerr << "warning: " << line << "\n";
  if (options.dry_run) {
    const auto plan = daemon::plan_of(*job);
    if (!plan) return complain(plan.error(), exit_configuration);
    if (options.as_json) {
      // Its hooks do not run: the document would be of something else.
      print_document("outpost-plugin-plan", plan->json);
      return exit_ok;
    }
    std::cout << plan->text;
    if (!daemon::supports_dry_run(*job)) return exit_ok;
    std::cout << "\nits hooks support a dry run:\n" << std::flush;
  }
  JobRunOptions run{.file = job_file_of(options), .directory = options.directory, .quiet = options.quiet, .dry_run = options.dry_run, .as_json = options.as_json};
  if (options.stage.empty() && !options.dry_run) run.ended = [&](const job::Story& story) { daemon::note_last_run(options.plugin, story); };
  if (!options.stage.empty()) {
    const auto stage = stage_named(options.stage, job::all_stages);
    const auto until = options.until.empty() ? stage : stage_named(options.until, job::all_stages);
    if (!stage || !until) return exit_usage;
    for (const auto each : job::all_stages)
      if (each >= *stage && each <= *until) run.stages.push_back(each);
  }
  if (!options.directory.empty()) return run_job(*job, run);
  auto temporary = PrivateDirectory::make("outpost-plugin");
  if (!temporary) return complain(temporary.error());
  run.directory = temporary->path();
  run.temporary = !options.keep;
  const int status = run_job(*job, run);
  if (options.keep) temporary->keep();
  return status;
}

int show_plugin_environment(const PluginRunOptions& options) {
  const auto stage = stage_named(options.stage, job::all_points);
  if (!stage) return exit_usage;
  const auto job = daemon::job_for_plugin(options.plugin, options.job, options.config);
  if (!job) return complain(job.error(), exit_configuration);
  const auto variables = daemon::environment_of_hook(*job, *stage);
  if (!variables) return complain(variables.error(), exit_configuration);
  if (options.as_json) {
    json::object values;
    for (const auto& each : *variables) values[each.substr(0, each.find('='))] = each.substr(each.find('=') + 1);
    print_document("outpost-plugin-env", {{"stage", options.stage}, {"variables", std::move(values)}});
    return exit_ok;
  }
  for (const auto& each : *variables) std::cout << printable(each) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
