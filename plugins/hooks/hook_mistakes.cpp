#include "plugins/hooks/hook_mistakes.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/job/stage.hpp"
#include "plugins/hooks/other_words.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/script.hpp"
#include "plugins/hooks/stage_plan.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <vector>

namespace outpost::hooks {

namespace fs = std::filesystem;

namespace {

/// Whether a plugin has hooks for a stage, or two that exclude each other: a directory beside them is what they use.
bool has_hooks_of(const Plugin& plugin, const std::string& name) {
  for (const auto stage : job::all_points)
    if (to_string(stage) == name) {
      const auto hooks = hooks_in(plugin, stage);
      return !hooks || !hooks->empty();
    }
  return false;
}

}  // namespace

Diagnoses files_that_never_run(const Plugin& plugin, const std::string& shown) {
  std::vector<std::string> stages;
  for (const auto stage : job::all_points) stages.emplace_back(to_string(stage));
  const auto is_stage = [&](const std::string& name) { return std::find(stages.begin(), stages.end(), name) != stages.end(); };
  Diagnoses strays;
  std::error_code error;
  for (fs::directory_iterator entry{plugin.folder / "hooks", error}, end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().native();
    if (is_leftover(name)) continue;
    std::error_code ignored;
    const std::string file = shown + "hooks/" + printable(name, 80);
    const bool directory = fs::is_directory(entry->path(), ignored);
    if (directory && is_stage(name) && !has_hooks_of(plugin, name)) strays.push_back({"PL019", Severity::error, {file, 0, 0}, "is a directory, so nothing in it runs", "call it " + file + ".d"});
    if (directory && name.ends_with(".d")) name.resize(name.size() - 2);
    if (is_stage(name)) continue;
    const bool playbook = is_playbook(entry->path());
    std::string meant = name;
    for (const char* extension : {".sh", ".py", ".yml", ".yaml", ".bash"})
      if (meant.ends_with(extension)) meant.resize(meant.size() - std::string_view{extension}.size());
    if (playbook && is_stage(meant)) continue;
    const auto advice = meant != name && is_stage(meant) ? " (did you mean " + config::quote(meant) + "? hooks have no extension)"
                                                         : stage_advice(meant, stages, playbook ? name.substr(meant.size()) : "");
    // What is called nearly as a stage was meant to run. Anything else may be what hooks use.
    if (advice.empty())
      strays.push_back({"PL019", Severity::warning, {file, 0, 0}, "is no stage, so it never runs", "move it out of hooks/"});
    else
      strays.push_back({"PL019", Severity::error, {file, 0, 0}, "is no stage, so it never runs" + advice, {}});
  }
  sort_by_place(strays);
  return strays;
}

Diagnoses hook_mistakes(const Plugin& plugin, const std::string& shown) {
  Diagnoses mistakes = files_that_never_run(plugin, shown);
  bool has_hooks = false;
  for (const auto stage : job::all_points) {
    const auto hooks = hooks_in(plugin, stage);
    has_hooks = has_hooks || !hooks || !hooks->empty();
    if (!hooks) {
      const bool told = plugin.manifest && !plugin.manifest->settings(stage).playbook.empty();  // By playbook_mistakes().
      if (!told) mistakes.push_back({"PL002", Severity::error, {shown + "hooks/" + std::string{to_string(stage)}, 0, 0}, hooks.error().message, {}});
      continue;
    }
    for (const auto& hook : *hooks) {
      if (is_playbook(hook.program)) continue;
      auto found = start_mistakes(hook.program, shown + hook.program.lexically_relative(plugin.folder).native());
      mistakes.insert(mistakes.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    }
  }
  if (!has_hooks) mistakes.push_back({"PL019", Severity::error, {shown + "hooks", 0, 0}, "there is no hook in it", "add an executable hooks/test, or of another stage"});
  return mistakes;
}

}  // namespace outpost::hooks
