#include "plugins/hooks/stage_plan.hpp"

#include "agent/base/text.hpp"
#include "plugins/hooks/plugin_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace outpost::hooks {
namespace {

bool matches_any(const std::vector<std::string>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches_glob(text, pattern); });
}

/// Why the plugin's filters pass a job over; empty when they do not.
std::string filtered(const Filters& when, const job::Job& job) {
  const auto misses = [](const std::string& what, const std::vector<std::string>& patterns) {
    return what.empty() ? "the job has none, and " + join(patterns, ", ") + " is asked for" : what + " matches none of " + join(patterns, ", ");
  };
  const auto& definition = job.definition;
  if (!when.topics.empty() && !matches_any(when.topics, definition.topic)) return "topic: " + misses(definition.topic, when.topics);
  if (!when.jobs.empty() && !matches_any(when.jobs, definition.name)) return "job: " + misses(definition.name, when.jobs);
  if (when.component_types.empty()) return {};
  std::vector<std::string> types;
  for (const auto& component : job.components) types.push_back(component.type);
  if (std::any_of(types.begin(), types.end(), [&](const auto& type) { return matches_any(when.component_types, type); })) return {};
  return "component_type: " + misses(join(types, ", "), when.component_types);
}

/// A plugin that has set nothing up has nothing to take down, collect or free.
Result<bool> has_begun(const Plugin& plugin, const job::Story& story) {
  const auto forward = [&](const job::StepRecord& step) { return step.plugin == plugin.name && !always_runs(step.stage); };
  if (std::any_of(story.steps.begin(), story.steps.end(), forward)) return true;
  for (const auto stage : job::all_stages) {
    if (always_runs(stage)) break;
    const auto hooks = hooks_in(plugin, stage);
    if (!hooks) return hooks.error();
    if (!hooks->empty()) return false;
  }
  return true;  // It has hooks for the closing stages only.
}

}  // namespace

Result<std::vector<pipeline::Step>> hooks_in(const Plugin& plugin, job::Stage stage) {
  auto steps = hooks_of(plugin.folder, plugin.name, stage);
  const std::string playbook = plugin.manifest ? plugin.manifest->settings(stage).playbook : "";
  if (!steps || playbook.empty()) return steps;
  const std::string point{to_string(stage)};
  if (!steps->empty())
    return Error{Fault::malformed, steps->front().program.string() + " is there, and plugin.yml names " + playbook + " for " + point + ": keep one"};
  return std::vector<pipeline::Step>{{stage, plugin.name, point, plugin.folder / playbook, plugin.folder}};
}

Diagnoses playbook_mistakes(const Plugin& plugin) {
  Diagnoses mistakes;
  if (!plugin.manifest) return mistakes;
  for (const auto& [stage, settings] : plugin.manifest->hooks) {
    if (settings.playbook.empty()) continue;
    const std::string label = "hooks." + std::string{to_string(stage)} + ".playbook";
    const auto say = [&](const std::string& message, const std::string& fix) {
      mistakes.push_back({"PL002", Severity::error, plugin.manifest->origin_of(label), label + ": " + message, fix});
    };
    std::error_code error;
    if (!std::filesystem::exists(plugin.folder / settings.playbook, error)) say("there is no " + printable(settings.playbook, 200) + " in the plugin's folder", "correct the path");
    const auto others = hooks_of(plugin.folder, plugin.name, stage);
    if (others && !others->empty()) say(printable(others->front().program.lexically_relative(plugin.folder).native(), 200) + " is there too", "keep one of them");
  }
  return mistakes;
}

Result<std::vector<pipeline::Step>> plan_stage(const std::vector<std::shared_ptr<const Plugin>>& plugins, const job::Story& story, job::Stage stage, bool alone) {
  std::vector<std::pair<int, std::size_t>> ordered;  // By the order numbers, then as the job lists them.
  for (std::size_t index = 0; index < plugins.size(); ++index)
    ordered.emplace_back(plugins[index]->manifest ? plugins[index]->manifest->order : Manifest{}.order, index);
  std::sort(ordered.begin(), ordered.end());
  std::vector<pipeline::Step> all;
  for (const auto& [order, index] : ordered) {
    const auto& plugin = plugins[index];
    auto steps = hooks_in(*plugin, stage);
    if (!steps) return steps.error();
    if (steps->empty()) continue;
    std::string reason;
    if (plugin->manifest) {
      if (!is_of_agent(stage)) reason = filtered(plugin->manifest->when, story.job);
      if (reason.empty() && takes_down(stage) && !alone) {
        const auto begun = has_begun(*plugin, story);
        if (!begun) return begun.error();
        if (!*begun) reason = "none of its hooks has run before";
      }
    }
    const HookSettings settings = plugin->manifest ? plugin->manifest->settings(stage) : HookSettings{};
    for (auto& step : *steps) {
      step.rules = {settings.timeout, settings.grace, settings.retries, settings.retry_on, settings.keep_going,
                    plugin->manifest ? plugin->manifest->limits.log : std::nullopt,
                    settings.timeout_max,
                    plugin->manifest ? plugin->manifest->limits.disk : std::nullopt,
                    settings.junit,
                    settings.artifacts,
                    settings.merge};
      step.skipped = reason;
      all.push_back(std::move(step));
    }
  }
  // What was set up last is taken down first.
  if (takes_down(stage)) std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace outpost::hooks
