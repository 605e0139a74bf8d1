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

/// What somebody has called as this stage, with or without an extension; "" when it is none.
std::string stage_of(const std::string& name) {
  for (const auto stage : job::all_points)
    for (const char* extension : {"", ".sh", ".py", ".bash", ".yml", ".yaml"})
      if (name == std::string{to_string(stage)} + extension) return std::string{to_string(stage)};
  return {};
}

/// The one playbook in a directory that somebody has laid out as Ansible has it, relative to it; "" when there is none,
/// or several that look like hooks of their own.
std::string playbook_in(const fs::path& directory) {
  const auto is_there = [&](const std::string& name) {
    std::error_code ignored;
    return fs::is_regular_file(directory / name, ignored) && is_playbook(directory / name);
  };
  for (const char* name : {"main.yml", "site.yml", "playbook.yml", "tasks/main.yml"})
    if (is_there(name)) return name;
  if (const auto same = directory.filename().native() + ".yml"; is_there(same)) return same;
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error))
    if (is_playbook(entry->path())) found.push_back(entry->path().filename().native());
  return found.size() == 1 ? found.front() : "";
}

/// What to do with a directory of hooks that were meant for a stage. `place` is where it is in the plugin.
std::string advice_for(const fs::path& directory, const std::string& place, const std::string& stage, const std::string& shown) {
  if (const auto playbook = playbook_in(directory); !playbook.empty())
    return "name its playbook in " + shown + "plugin.yml: hooks: {" + stage + ": {playbook: " + place + "/" + printable(playbook, 80) + "}}";
  return "move what is to run to " + shown + "hooks/" + stage + ".d";
}

/// Why a plugin without any hook has none: they lie beside hooks/, or nobody has written one.
Diagnoses hooks_elsewhere(const Plugin& plugin, const std::string& shown) {
  Diagnoses found;
  std::error_code error;
  for (fs::directory_iterator entry{plugin.folder, error}, end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().native(), stage = stage_of(name);
    if (stage.empty()) continue;
    std::error_code ignored;
    const bool directory = fs::is_directory(entry->path(), ignored);
    const auto advice = directory ? advice_for(entry->path(), name, stage, shown) : "move it to " + shown + "hooks/" + (is_playbook(entry->path()) ? name : stage);
    found.push_back({"PL019", Severity::error, {shown + name, 0, 0}, "lies beside hooks/, so nothing runs it", advice});
  }
  sort_by_place(found);
  if (found.empty())
    found.push_back({"PL019", Severity::error, {shown + "hooks", 0, 0}, "there is no hook in it", "add an executable hooks/test or a playbook hooks/test.yml, or one of another stage"});
  return found;
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
    if (directory && is_stage(name) && !has_hooks_of(plugin, name)) strays.push_back({"PL019", Severity::error, {file, 0, 0}, "is a directory, so nothing in it runs", advice_for(entry->path(), "hooks/" + name, name, shown)});
    if (directory && name.ends_with(".d")) name.resize(name.size() - 2);
    if (is_stage(name)) continue;
    const bool playbook = is_playbook(entry->path());
    std::string meant = name;
    for (const char* extension : {".sh", ".py", ".yml", ".yaml", ".bash"})
      if (meant.ends_with(extension)) meant.resize(meant.size() - std::string_view{extension}.size());
    if (playbook && is_stage(meant)) continue;
    if (const auto stage = directory ? job::stage_meant_by(name) : std::nullopt; stage && is_stage(std::string{to_string(*stage)})) {
      strays.push_back({"PL019", Severity::error, {file, 0, 0}, "is no stage, so nothing in it runs", advice_for(entry->path(), "hooks/" + printable(name, 80), std::string{to_string(*stage)}, shown)});
      continue;
    }
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
  const bool told = std::any_of(mistakes.begin(), mistakes.end(), [](const auto& each) { return each.severity == Severity::error; });
  if (has_hooks || told) return mistakes;
  auto elsewhere = hooks_elsewhere(plugin, shown);
  mistakes.insert(mistakes.end(), std::make_move_iterator(elsewhere.begin()), std::make_move_iterator(elsewhere.end()));
  return mistakes;
}

}  // namespace outpost::hooks
