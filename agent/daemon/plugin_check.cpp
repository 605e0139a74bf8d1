#include "agent/daemon/plugin_check.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/definition.hpp"
#include "plugins/hooks/job_check.hpp"
#include "plugins/hooks/lint.hpp"

#include <algorithm>
#include <set>

namespace outpost::daemon {
namespace {

using config::nearest_origin;

struct Places {
  const config::Origins& origins;
  std::string prefix;  ///< "jobs.NAME.", or nothing in a job file.
  std::string plugins;  ///< Where the plugins are listed, for a plugin that is not configured.
  std::string file;
};

/// What the site says that it has; nullopt: nobody has asked it.
using Capabilities = std::optional<std::vector<std::string>>;

hooks::Diagnoses problems_of(hooks::PluginLibrary& library, const job::Definition& definition, const std::function<bool(const std::string&)>& knows_secret,
                             const Places& places, const Capabilities& capabilities) {
  const hooks::JobKnowledge knowledge{knows_secret, [&](const std::string& plugin, const std::vector<std::string>& path) {
                                        const std::string own = places.prefix + "plugin_config." + plugin;
                                        if (places.origins.find(own) == places.origins.end()) return nearest_origin(places.origins, places.plugins, places.file);
                                        return nearest_origin(places.origins, path.empty() ? own : own + "." + join(path, "."), places.file);
                                      },
                                      capabilities};
  return check_job(library, definition, knowledge);
}

void add_problems(hooks::PluginLibrary& library, const job::Definition& definition, const std::function<bool(const std::string&)>& knows_secret,
                  const Places& places, const Capabilities& capabilities, std::vector<std::string>& lines) {
  for (const auto& diagnosis : problems_of(library, definition, knows_secret, places, capabilities)) {
    auto line = diagnosis.text();
    // Two jobs that run the same plugin have the same mistake once.
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
  }
}

Places places_of(const config::Loaded& loaded, const config::Job& job) {
  return {loaded.origins, "jobs." + job.name + ".", "jobs." + job.name + ".plugins", loaded.file};
}

}  // namespace

std::vector<doctor::PluginMistake> plugin_mistakes(const config::Loaded& loaded) {
  std::vector<doctor::PluginMistake> mistakes;
  std::set<std::string> told;
  hooks::PluginLibrary library{loaded.settings.plugins_path};
  const auto add = [&](const hooks::Diagnoses& diagnoses) {
    for (const auto& each : diagnoses) {
      auto text = each.text();
      if (told.insert(text).second) mistakes.push_back({each.code, each.severity == hooks::Severity::error, std::move(text), each.fix});
    }
  };
  const auto knows_secret = [&](const std::string& name) { return loaded.settings.secrets.contains(name); };
  for (const auto& job : loaded.settings.jobs) {
    if (!job.enabled) continue;
    add(problems_of(library, definition_of(job), knows_secret, places_of(loaded, job), loaded.settings.capabilities));
    for (const auto& name : job.plugins)
      if (const auto plugin = library.find(name)) add(hooks::lint(**plugin, ((*plugin)->folder / "").native()));
  }
  return mistakes;
}

std::vector<std::string> plugin_warnings(const config::Loaded& loaded) {
  std::vector<std::string> lines;
  for (auto& mistake : plugin_mistakes(loaded))
    if (!mistake.is_error) lines.push_back(std::move(mistake.text));
  return lines;
}

std::vector<std::string> check_plugins(const config::Loaded& loaded) {
  std::vector<std::string> lines;
  hooks::PluginLibrary library{loaded.settings.plugins_path};
  const auto knows_secret = [&](const std::string& name) { return loaded.settings.secrets.contains(name); };
  for (const auto& job : loaded.settings.jobs)
    add_problems(library, definition_of(job), knows_secret, places_of(loaded, job), loaded.settings.capabilities, lines);
  return lines;
}

std::vector<std::string> check_plugins(const config::JobFile& job, const std::string& file) {
  std::vector<std::string> lines;
  hooks::PluginLibrary library{job.plugins_path};
  job::Definition definition;
  definition.name = job.name;
  definition.plugins = job.plugins;
  for (const auto& [resource, described] : job.resources) definition.resources.push_back(resource);
  for (const auto& [plugin, configuration] : job.plugin_config) definition.plugin_config[plugin] = configuration;
  add_problems(library, definition, [&](const std::string& name) { return job.secrets.contains(name); }, {job.origins, "", "plugins", file}, std::nullopt, lines);
  return lines;
}

}  // namespace outpost::daemon
