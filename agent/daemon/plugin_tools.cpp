#include "agent/daemon/plugin_tools.hpp"

#include "agent/base/own_programs.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/config/plugin_config.hpp"
#include "agent/config/plugin_name.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/values.hpp"
#include "agent/daemon/local_job.hpp"
#include "agent/daemon/plugin_place.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/environment.hpp"
#include "plugins/hooks/last_run.hpp"
#include "plugins/hooks/hook_mistakes.hpp"
#include "plugins/hooks/lint.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/skeleton.hpp"
#include "plugins/hooks/stage_plan.hpp"
#include "plugins/hooks/trial/test_case.hpp"

#include <algorithm>
#include <sstream>
#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::vector<std::string> stages_of(const hooks::Plugin& plugin) {
  std::vector<std::string> stages;
  for (const auto stage : job::all_points) {
    const auto steps = hooks::hooks_of(plugin.folder, plugin.name, stage);
    if (steps && !steps->empty()) stages.emplace_back(to_string(stage));
  }
  return stages;
}

job::Story story_of(const config::JobFile& file) {
  job::Story story;
  story.job = job_of(file, SystemClock{});
  return story;
}

Result<std::vector<std::shared_ptr<const hooks::Plugin>>> plugins_of(hooks::PluginLibrary& library, const config::JobFile& job) {
  std::vector<std::shared_ptr<const hooks::Plugin>> plugins;
  for (const auto& name : job.plugins) {
    auto plugin = library.find(name);
    if (!plugin) return plugin.error();
    if ((*plugin)->is_broken()) return Error{Fault::refused, text_of((*plugin)->diagnoses)};
    plugins.push_back(std::move(*plugin));
  }
  return plugins;
}

void print_filters(std::ostream& out, const char* name, const std::vector<std::string>& patterns) {
  if (!patterns.empty()) out << "  when         " << name << " matches " << join(patterns, ", ") << "\n";
}

void print_manifest(std::ostream& out, const hooks::Plugin& plugin) {
  const auto& manifest = *plugin.manifest;
  if (!manifest.description.empty()) out << "  description  " << printable(manifest.description) << "\n";
  if (!manifest.maintainer.empty()) out << "  maintainer   " << printable(manifest.maintainer) << "\n";
  out << "  order        " << manifest.order << "\n";
  if (!manifest.requirements.commands.empty()) out << "  requires     " << join(manifest.requirements.commands, ", ") << "\n";
  print_filters(out, "topic", manifest.when.topics);
  print_filters(out, "a component's type", manifest.when.component_types);
  print_filters(out, "the job's name", manifest.when.jobs);
  if (!manifest.config_schema) return;
  const auto* properties = manifest.config_schema->if_contains("properties");
  if (!properties || !properties->is_object()) return;
  for (const auto& property : properties->get_object()) {
    const auto* own = property.value().if_object();
    out << "  config       " << std::string{property.key()};
    if (own && hooks::has_secrets(*own)) out << " (secret)";
    if (own && own->contains("description")) out << ": " << printable(job::text_at(*own, "description"), 200);
    out << "\n";
  }
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

std::int64_t count(std::chrono::milliseconds time) { return time.count(); }

hooks::HookSettings settings_of(const hooks::Plugin& plugin, job::Stage stage) {
  return plugin.manifest ? plugin.manifest->settings(stage) : hooks::HookSettings{};
}

json::object in_full(const hooks::Plugin& plugin) {
  const hooks::Manifest none;
  const auto& manifest = plugin.manifest ? *plugin.manifest : none;
  json::array hooks_of_plugin;
  for (const auto& name : stages_of(plugin)) {
    const auto stage = *job::parse_stage(name);
    const auto settings = settings_of(plugin, stage);
    hooks_of_plugin.push_back({{"stage", name},
                               {"timeout_ms", count(settings.timeout.value_or(job::default_timeout(stage)))},
                               {"retries", settings.retries},
                               {"keep_going", settings.keep_going}});
  }
  return {{"name", plugin.name},
          {"plugin_version", manifest.version},
          {"folder", plugin.folder.string()},
          {"broken", plugin.is_broken()},
          {"has_manifest", plugin.manifest.has_value()},
          {"description", manifest.description},
          {"maintainer", manifest.maintainer},
          {"order", manifest.order},
          {"requires", texts(manifest.requirements.commands)},
          {"when",
           {{"topics", texts(manifest.when.topics)},
            {"component_types", texts(manifest.when.component_types)},
            {"jobs", texts(manifest.when.jobs)}}},
          {"config", manifest.config_schema ? json::value(*manifest.config_schema) : json::value(nullptr)},
          {"hooks", std::move(hooks_of_plugin)},
          {"problems", hooks::to_json(plugin.diagnoses)}};
}

void check_test_case(const fs::path& file, const std::string& shown, const hooks::Plugin& plugin, hooks::Diagnoses& diagnoses) {
  const auto text = config::read_small_file(file, config::yaml_bytes);
  if (!text) return diagnoses.push_back({"PL030", hooks::Severity::error, {shown, 0, 0}, text.error().message, {}});
  if (auto test = hooks::parse_test_case(*text, file, shown, diagnoses); test && !plugin.is_broken()) hooks::settle_test_case(*test, plugin, diagnoses);
}

}  // namespace

Result<std::vector<fs::path>> new_plugin(const std::string& name, const std::string& language, const fs::path& directory) {
  const auto known = hooks::parse_language(language);
  if (!known) return Error{Fault::refused, "\"" + printable(language, 80) + "\" is not one of sh, python and ansible"};
  return hooks::write_skeleton(name, *known, directory);
}

Result<LintReport> lint_plugins(const std::vector<fs::path>& directories, const std::string& format) {
  hooks::Diagnoses all;
  for (const auto& directory : directories) {
    const auto plugin = plugin_in(directory);
    if (!plugin) return plugin.error();
    const std::string shown = shown_in(directory);
    auto found = hooks::lint(*plugin, shown, hooks::unmatched_in_last_run(plugin->folder));
    for (const auto& file : hooks::test_case_files(plugin->folder)) check_test_case(file, shown + "tests/" + printable(file.filename().native()), *plugin, found);
    for (auto& stray : hooks::cases_that_never_run(plugin->folder, shown)) found.push_back(std::move(stray));
    sort_by_place(found);
    all.insert(all.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  const auto kind = format == "json" ? hooks::LintFormat::json : format == "sarif" ? hooks::LintFormat::sarif : hooks::LintFormat::human;
  const bool warnings = std::any_of(all.begin(), all.end(), [](const auto& one) { return one.severity == hooks::Severity::warning; });
  return LintReport{hooks::lint_report(all, kind), hooks::to_json(all), hooks::has_errors(all), warnings};
}

json::object to_json(const PluginRow& row) {
  return {{"name", row.name}, {"version", row.version}, {"path", row.path}, {"broken", row.broken}, {"stages", texts(row.stages)}};
}

std::vector<PluginRow> installed_plugins(const std::vector<fs::path>& plugins_path) {
  std::vector<PluginRow> rows;
  hooks::PluginLibrary library{plugins_path};
  for (const auto& plugin : library.all())
    rows.push_back({plugin->name, plugin->manifest ? plugin->manifest->version : "", plugin->folder.string(), stages_of(*plugin), plugin->is_broken()});
  return rows;
}

Result<Described> describe_plugin(const std::string& wanted, const std::vector<fs::path>& plugins_path) {
  hooks::PluginLibrary library{plugins_path};
  std::shared_ptr<const hooks::Plugin> plugin;
  if (wanted.find('/') != std::string::npos || wanted == "." || wanted == "..") {
    const auto folder = folder_of_plugin(wanted);
    if (!folder) return folder.error();
    plugin = library.at(*folder, name_of_plugin(*folder));
  } else {
    auto found = library.find(wanted);
    if (!found) return found.error();
    plugin = std::move(*found);
  }
  std::ostringstream out;
  out << plugin->name << (plugin->manifest ? " " + printable(plugin->manifest->version) : "") << "\n  folder       " << printable(plugin->folder.native()) << "\n";
  if (plugin->manifest) print_manifest(out, *plugin);
  else if (!plugin->is_broken()) out << "  manifest     none: defaults, and no configuration\n";
  for (const auto& name : stages_of(*plugin)) {
    const auto stage = *job::parse_stage(name);
    const auto settings = settings_of(*plugin, stage);
    out << "  " << name << std::string(13 - std::min<std::size_t>(12, name.size()), ' ') << "at most " << format_duration(settings.timeout.value_or(job::default_timeout(stage)));
    if (settings.retries > 0) out << ", tried again up to " << settings.retries << " times";
    if (settings.keep_going) out << ", a failure lets the job go on";
    out << "\n";
  }
  out << text_of(plugin->diagnoses);
  return Described{out.str(), in_full(*plugin)};
}

Result<config::JobFile> job_for_plugin(const fs::path& directory, const fs::path& job_file, const fs::path& config_file) {
  const auto folder = folder_of_plugin(directory);
  if (!folder) return folder.error();
  const std::string name = name_of_plugin(*folder);
  config::JobFile job{.name = "try-" + name};
  std::error_code error;
  const fs::path own = *folder / "job.yml";
  const fs::path file = job_file.empty() && fs::exists(own, error) ? own : job_file;
  if (!file.empty()) {
    auto loaded = config::load_job_file(file);
    if (!loaded) return Error{Fault::malformed, std::string{trim(loaded.error().text())}};
    job = std::move(*loaded);
  }
  job.plugins = {name};
  job.plugins_path = {folder->parent_path()};
  if (config_file.empty()) return job;
  auto text = config::read_small_file(config_file, config::yaml_bytes);
  if (!text) return text.error();
  config::Problems problems;
  const auto parsed = config::parse_yaml(*text, printable(config_file.native()), problems);
  if (problems.list.empty() && parsed.root.kind != config::Node::Kind::map)
    problems.list.push_back({{printable(config_file.native()), 1, 1}, "is no configuration: a mapping is due (example: address: 192.0.2.10)"});
  if (!problems.list.empty()) return Error{Fault::malformed, std::string{trim(problems.text())}};
  job.plugin_config[name] = config::as_typed_json(parsed.root).as_object();
  job.origins.clear();
  config::note_origins(job.origins, "plugin_config." + name, parsed.root);
  return job;
}

std::vector<std::string> files_that_never_run(const fs::path& directory, bool with_errors) {
  std::vector<std::string> lines;
  if (const auto folder = folder_of_plugin(directory))
    for (const auto& stray : hooks::files_that_never_run(hooks::read_plugin(*folder, name_of_plugin(*folder), {}), shown_in(directory)))
      if (with_errors || stray.severity == hooks::Severity::warning) lines.push_back(stray.text());
  return lines;
}

Result<Described> plan_of(const config::JobFile& job) {
  hooks::PluginLibrary library{job.plugins_path};
  const auto plugins = plugins_of(library, job);
  if (!plugins) return plugins.error();
  job::Story story = story_of(job);
  std::ostringstream out;
  json::array planned;
  for (const auto stage : job::all_points) {
    auto steps = hooks::plan_stage(*plugins, story, stage);
    if (!steps) return steps.error();
    for (const auto& step : *steps) {
      const auto timeout = std::min(step.rules.timeout.value_or(job::default_timeout(stage)), job.timeout);
      const auto grace = step.rules.grace.value_or(job.grace);
      planned.push_back({{"stage", to_string(stage)},
                         {"plugin", step.plugin},
                         {"hook", step.hook},
                         {"skipped", step.skipped},
                         {"timeout_ms", count(timeout)},
                         {"grace_ms", count(grace)},
                         {"attempts", step.rules.retries + 1},
                         {"keep_going", step.rules.keep_going}});
      out << to_string(stage) << std::string(12 - to_string(stage).size(), ' ') << step.plugin << "/" << printable(step.hook);
      if (!step.skipped.empty()) {
        out << "  passed over: " << printable(step.skipped) << "\n";
        continue;
      }
      out << "  at most " << format_duration(timeout) << ", grace " << format_duration(grace);
      if (step.rules.retries > 0) out << ", up to " << step.rules.retries + 1 << " attempts";
      if (step.rules.keep_going) out << ", continue";
      out << "\n";
      story.steps.push_back({.id = step.hook, .stage = stage, .plugin = step.plugin, .hook = step.hook, .ended = true});
    }
  }
  return Described{out.str(), {{"steps", std::move(planned)}}};
}

bool supports_dry_run(const config::JobFile& job) {
  hooks::PluginLibrary library{job.plugins_path};
  const auto plugins = plugins_of(library, job);
  return plugins && std::any_of(plugins->begin(), plugins->end(), [](const auto& plugin) { return plugin->manifest && plugin->manifest->dry_run; });
}

void note_last_run(const fs::path& directory, const job::Story& story) {
  const auto folder = folder_of_plugin(directory);
  if (!folder) return;
  const auto plugin = hooks::read_plugin(*folder, name_of_plugin(*folder), {});
  if (!plugin.manifest) return;
  std::vector<std::string> unmatched;
  for (const auto& [stage, settings] : plugin.manifest->hooks)
    for (const auto* globs : {&settings.junit, &settings.artifacts})
      for (const auto& glob : *globs) {
        const auto tells = [&](const std::string& warning) { return warning.ends_with("nothing in the workspace matches " + printable(glob)); };
        if (std::any_of(story.warnings.begin(), story.warnings.end(), tells)) unmatched.push_back(glob);
      }
  hooks::note_unmatched(*folder, unmatched);
}

Result<std::vector<std::string>> environment_of_hook(const config::JobFile& job, job::Stage stage) {
  hooks::PluginLibrary library{job.plugins_path};
  const auto plugins = plugins_of(library, job);
  if (!plugins) return plugins.error();
  const hooks::Plugin& plugin = *plugins->front();
  const job::Story story = story_of(job);
  pipeline::StepRequest request{.step = {stage, plugin.name, std::string{to_string(stage)}, plugin.folder / "hooks" / to_string(stage), plugin.folder},
                                .step_id = std::string{to_string(stage)} + "." + plugin.name,
                                .attempt = 1,
                                .reason = "normal",
                                .story = story,
                                .directory = {fs::path{"/var/lib/outpost/jobs"} / story.job.id},
                                .component_paths = {},
                                .timeout = job::default_timeout(stage),
                                .grace = job.grace};
  hooks::EnvironmentInputs inputs{.request = request, .manifest = plugin.manifest ? &*plugin.manifest : nullptr, .inherited = hooks::inherited_environment(),
                                  .now = SystemClock{}.now()};
  inputs.socket = request.directory.step(request.step_id) / "socket";
  std::error_code unknown;
  if (const auto helper = find_own_program("outpost-hook"))
    if (auto folder = helper->parent_path().parent_path() / "lib"; fs::exists(folder, unknown)) inputs.library = std::move(folder);
  if (plugin.manifest) {
    const auto settings = plugin.manifest->settings(stage);
    request.timeout = settings.timeout.value_or(request.timeout);
    request.grace = settings.grace.value_or(request.grace);
    request.step.rules.retries = settings.retries;
    if (plugin.manifest->config_schema) {
      const auto given = job.plugin_config.find(plugin.name);
      boost::json::object configuration = given == job.plugin_config.end() ? boost::json::object{} : given->second;
      const auto mistakes = hooks::check_configuration(configuration, *plugin.manifest->config_schema, [](const std::string&) { return true; });
      if (!mistakes.empty()) return Error{Fault::refused, mistakes.front().place("plugin_config." + plugin.name) + ": " + mistakes.front().message};
      inputs.configuration = hooks::without_secrets(configuration, *plugin.manifest->config_schema).configuration;
      inputs.configuration_file = request.directory.plugin_config(plugin.name);
      if (hooks::has_secrets(*plugin.manifest->config_schema)) inputs.secrets = fs::path{"/run/outpost/secrets"} / (story.job.id + "." + request.step_id);
    }
  }
  auto variables = hook_environment(inputs);
  std::sort(variables.begin(), variables.end());
  return variables;
}

}  // namespace outpost::daemon
