#include "plugins/hooks/lint.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/hook_mistakes.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/script.hpp"
#include "plugins/hooks/stage_plan.hpp"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Linter {
 public:
  Linter(const Plugin& plugin, const std::string& shown, const std::vector<std::string>& unmatched)
      : plugin_{plugin}, shown_{shown}, unmatched_{unmatched} {}

  Diagnoses lint() {
    diagnoses_ = plugin_.diagnoses;
    for (auto& missing : missing_requirements(plugin_)) {
      missing.severity = Severity::warning;  // This need not be the machine that it will run on.
      diagnoses_.push_back(std::move(missing));
    }
    for (auto& found : {hook_mistakes(plugin_, shown_), playbook_mistakes(plugin_)})
      diagnoses_.insert(diagnoses_.end(), found.begin(), found.end());
    for (const auto stage : job::all_points) check_stage(stage);
    if (stages_.contains(job::Stage::acquire) && !stages_.contains(job::Stage::release))
      say("PL010", Severity::warning, {shown_ + "hooks/acquire", 0, 0}, "what acquire takes, nothing frees", "add hooks/release");
    check_variables();
    if (plugin_.manifest && plugin_.manifest->config_schema) check_properties(*plugin_.manifest->config_schema, "config");
    auto complaints = shellcheck(plugin_.folder, shell_scripts_, shown_);
    diagnoses_.insert(diagnoses_.end(), std::make_move_iterator(complaints.begin()), std::make_move_iterator(complaints.end()));
    sort_by_place(diagnoses_);
    return std::move(diagnoses_);
  }

 private:
  void say(const char* code, Severity severity, config::Origin where, std::string message, std::string fix) {
    diagnoses_.push_back({code, severity, std::move(where), std::move(message), std::move(fix)});
  }

  void check_stage(job::Stage stage) {
    const std::string name{to_string(stage)};
    const auto hooks = hooks_in(plugin_, stage);
    if (!hooks || !hooks->empty()) stages_.insert(stage);
    if (!hooks) return;  // Told by hook_mistakes().
    const bool named = plugin_.manifest && plugin_.manifest->hooks.contains(stage);
    if (named && hooks->empty())
      say("PL019", Severity::warning, plugin_.manifest->origin_of("hooks." + name), "hooks." + name + ": there is no hook of this stage", "add hooks/" + name + ", or remove the key");
    if (plugin_.manifest && !hooks->empty() && default_timeout(stage) >= 1h && !plugin_.manifest->settings(stage).timeout)
      say("PL006", Severity::warning, plugin_.manifest->origin_of("hooks"), "hooks." + name + " has no time limit of its own: a hook that hangs holds the lab for hours",
          "add " + name + ": {timeout: 30min}, or what it needs at most");
    if (named) check_globs(name, plugin_.manifest->settings(stage));
    for (const auto& hook : *hooks) check_hook(hook);
  }

  void check_globs(const std::string& stage, const HookSettings& settings) {
    for (const auto& [key, globs] : {std::pair{".junit", &settings.junit}, std::pair{".artifacts", &settings.artifacts}})
      for (std::size_t index = 0; index < globs->size(); ++index)
        if (std::find(unmatched_.begin(), unmatched_.end(), globs->at(index)) != unmatched_.end())
          say("PL012", Severity::warning, plugin_.manifest->origin_of("hooks." + stage + key + "[" + std::to_string(index) + "]"),
              "hooks." + stage + key + ": in the last run nothing in the workspace matched " + config::quote(globs->at(index)),
              "correct it, or have the hook write its files below \"$OUTPOST_WORKSPACE\"");
  }

  void check_hook(const pipeline::Step& hook) {
    const std::string path = hook.program.lexically_relative(plugin_.folder).native();
    if (is_playbook(hook.program)) return check_label(hook.program, shown_ + path);
    const Script script = read_script(hook.program, shown_ + path);
    check_label(hook.program, script.shown);
    if (!script.is_shell()) return;
    const bool secrets = plugin_.manifest && plugin_.manifest->config_schema && has_secrets(*plugin_.manifest->config_schema);
    const bool root = plugin_.manifest && plugin_.manifest->isolation.root.value_or(false);
    check_shell(script, {.plugin_has_secrets = secrets, .is_root = root}, diagnoses_);
    shell_scripts_.push_back(path);
  }

  /// Where SELinux is on, a file that was moved from a home directory keeps a label that the service may not run.
  void check_label(const fs::path& file, const std::string& shown) {
    std::error_code error;
    if (!fs::exists("/sys/fs/selinux/enforce", error)) return;
    char label[256];
    const auto size = ::getxattr(file.c_str(), "security.selinux", label, sizeof label - 1);
    if (size <= 0) return;
    const std::string text{label, static_cast<std::size_t>(size)};
    if (text.find(":user_home_t") != std::string::npos || text.find(":user_tmp_t") != std::string::npos || text.find(":tmp_t") != std::string::npos)
      say("PL014", Severity::warning, {shown, 0, 0}, "has the label " + printable(text, 120) + ", which a file keeps when it is moved to its place",
          "restorecon -Rv " + shell_word(plugin_.folder.native()));
  }

  [[nodiscard]] static bool sounds_secret(std::string_view name) {
    const std::string word = to_lower(name);
    return std::any_of(secret_words.begin(), secret_words.end(), [&](const char* part) { return word.find(part) != std::string::npos; });
  }

  void check_variables() {
    if (!plugin_.manifest) return;
    const auto& names = plugin_.manifest->environment;
    for (std::size_t index = 0; index < names.size(); ++index)
      if (sounds_secret(names[index]))
        say("PL007", Severity::warning, plugin_.manifest->origin_of("env.allow[" + std::to_string(index) + "]"),
            "env.allow: " + config::quote(names[index]) + " sounds like a secret, and every process of the hook's user can read an environment",
            "make it a property with x-secret: true in config");
  }

  void check_properties(const boost::json::object& schema, const std::string& label) {
    const auto* properties = schema.if_contains("properties");
    if (!properties || !properties->is_object()) return;
    for (const auto& property : properties->get_object()) {
      const auto* own = property.value().if_object();
      if (!own) continue;
      const auto* type = own->if_contains("type");
      const bool text = type && type->is_string() && type->get_string() == "string";
      if (text && !has_secrets(*own) && sounds_secret(property.key()) && !property.key().ends_with("_file"))
        say("PL007", Severity::warning, plugin_.manifest->origin_of("config"), label + "." + std::string{property.key()} + " sounds like a secret, but is none",
            "add x-secret: true to it");
      check_properties(*own, label + "." + std::string{property.key()});
    }
  }

  static constexpr std::array secret_words{"password", "passwd", "token", "secret", "credential", "private_key", "api_key"};

  const Plugin& plugin_;
  const std::string& shown_;
  const std::vector<std::string>& unmatched_;
  Diagnoses diagnoses_;
  std::vector<std::string> shell_scripts_;
  std::set<job::Stage> stages_;  ///< That it has hooks for.
};

}  // namespace

Diagnoses lint(const Plugin& plugin, const std::string& shown, const std::vector<std::string>& unmatched) {
  return Linter{plugin, shown, unmatched}.lint();
}

}  // namespace outpost::hooks
