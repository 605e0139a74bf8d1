#include "plugins/hooks/job_check.hpp"

#include "agent/config/values.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/hook_mistakes.hpp"
#include "plugins/hooks/stage_plan.hpp"

#include <algorithm>
#include <iterator>

namespace outpost::hooks {
namespace {

void check_resources(const Plugin& plugin, const job::Definition& definition, Diagnoses& diagnoses) {
  for (const auto& [stage, hook] : plugin.manifest->hooks)
    for (const auto& resource : hook.resources) {
      if (std::find(definition.resources.begin(), definition.resources.end(), resource) != definition.resources.end()) continue;
      const std::string key = "hooks." + std::string{to_string(stage)} + ".resources";
      diagnoses.push_back({"PL021", Severity::error, plugin.manifest->origin_of(key),
                           key + ": the job " + config::quote(definition.name) + " does not hold " + config::quote(resource),
                           "add it to the job's resources in outpost.yml"});
    }
}

void check_capabilities(const Plugin& plugin, const JobKnowledge& knowledge, Diagnoses& diagnoses) {
  if (!knowledge.capabilities) return;
  const auto& there = *knowledge.capabilities;
  const auto& wanted = plugin.manifest->requirements.capabilities;
  for (std::size_t index = 0; index < wanted.size(); ++index)
    if (std::find(there.begin(), there.end(), wanted[index]) == there.end())
      diagnoses.push_back({"PL021", Severity::error, plugin.manifest->origin_of("requires.capabilities[" + std::to_string(index) + "]"),
                           "requires.capabilities: this site does not say that it has " + config::quote(wanted[index]),
                           "if it has, add it to capabilities in outpost.yml"});
}

void check_isolation(const Plugin& plugin, const job::Definition& definition, Diagnoses& diagnoses) {
  const auto& wanted = plugin.manifest->isolation;
  const auto fits = [&](const Profile& profile) {
    const auto same = [](const std::optional<bool>& want, bool has) { return !want || *want == has; };
    return same(wanted.root, profile.root) && same(wanted.network, profile.network) && same(wanted.private_tmp, profile.private_tmp) &&
           same(wanted.no_new_privileges, profile.no_new_privileges);
  };
  const std::string name = definition.profile.empty() ? "default" : definition.profile;
  const auto of_job = std::find_if(profiles.begin(), profiles.end(), [&](const auto& one) { return one.name == name; });
  // A profile of the site's own: whoever wrote it knows what it does.
  if (of_job == profiles.end() || fits(*of_job)) return;
  const auto other = std::find_if(profiles.begin(), profiles.end(), fits);
  diagnoses.push_back({"PL021", Severity::error, plugin.manifest->origin_of("isolation"),
                       "isolation: the profile " + name + " of the job " + config::quote(definition.name) + " does not give its steps that",
                       other == profiles.end() ? "no profile does; write one of the site's own" : "write profile: " + std::string{other->name} + " in the job, if the site may have that"});
}

void check_hooks(const Plugin& plugin, Diagnoses& diagnoses) {
  for (auto& mistake : hook_mistakes(plugin, (plugin.folder / "").native())) {
    // A plugin with a manifest runs from a copy, which need not lie where the plugin does.
    const bool matters = mistake.severity == Severity::error && !(plugin.manifest && mistake.code == "PL015");
    if (matters) diagnoses.push_back(std::move(mistake));
  }
}

void check_config(const Plugin& plugin, const job::Definition& definition, const JobKnowledge& knowledge, Diagnoses& diagnoses) {
  const auto* given = definition.plugin_config.if_contains(plugin.name);
  const std::string label = "plugin_config." + plugin.name;
  if (!plugin.manifest || !plugin.manifest->config_schema) {
    if (given)
      diagnoses.push_back({"PL018", Severity::error, knowledge.origin(plugin.name, {}),
                           label + ": the plugin takes no configuration", plugin.manifest ? "" : "it has no " + std::string{manifest_name}});
    return;
  }
  boost::json::object configuration = given && given->is_object() ? given->get_object() : boost::json::object{};
  for (const auto& mistake : check_configuration(configuration, *plugin.manifest->config_schema, knowledge.knows_secret))
    diagnoses.push_back({mistake.is_secret ? "PL007" : "PL018", Severity::error, knowledge.origin(plugin.name, mistake.path),
                         mistake.place(label) + ": " + mistake.message, {}});
}

}  // namespace

Diagnoses check_job(PluginLibrary& library, const job::Definition& definition, const JobKnowledge& knowledge) {
  Diagnoses all;
  for (const auto& name : definition.plugins) {
    const auto found = library.find(name);
    if (!found) continue;
    const Plugin& plugin = **found;
    all.insert(all.end(), plugin.diagnoses.begin(), plugin.diagnoses.end());
    if (plugin.is_broken()) continue;  // What it requires is not known then.
    auto missing = missing_requirements(plugin);
    all.insert(all.end(), std::make_move_iterator(missing.begin()), std::make_move_iterator(missing.end()));
    auto mistakes = playbook_mistakes(plugin);
    all.insert(all.end(), std::make_move_iterator(mistakes.begin()), std::make_move_iterator(mistakes.end()));
    check_hooks(plugin, all);
    if (plugin.manifest) {
      check_resources(plugin, definition, all);
      check_capabilities(plugin, knowledge, all);
      check_isolation(plugin, definition, all);
    }
    check_config(plugin, definition, knowledge, all);
  }
  return all;
}

}  // namespace outpost::hooks
