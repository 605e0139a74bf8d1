#include "plugins/hooks/other_words.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/job/stage.hpp"

#include <algorithm>
#include <map>

namespace outpost::hooks {
namespace {

using Words = std::map<std::string_view, std::vector<std::string_view>>;

/// By place and key, in small letters, with _ between words. GitLab, GitHub, Jenkins, Tekton, tmt, Zuul and Ansible have them.
const std::map<std::string_view, Words>& all_words() {
  static const std::map<std::string_view, Words> words{
      {"",
       {{"requires", {"requirements", "dependencies", "depends", "depends_on", "needs", "prerequisites"}},
        {"env", {"environment", "variables", "vars"}},
        {"config", {"configuration", "settings", "options", "parameters", "params", "inputs", "schema", "properties"}},
        {"hooks", {"stages", "points", "scripts", "steps", "tasks", "jobs"}},
        {"isolation", {"sandbox", "security", "security_context", "privileges", "profile"}},
        {"limits", {"quota", "resources", "ulimits", "rlimits"}},
        {"order", {"priority", "weight", "sequence"}},
        {"maintainer", {"author", "authors", "owner", "contact", "maintainers"}},
        {"when", {"if", "only", "rules", "filter", "filters", "conditions", "match"}},
        {"description", {"summary", "about", "title", "label"}},
        {"supports", {"features", "dry_run"}},
        {"compat", {"compatibility", "dci"}},
        {"apiVersion", {"api", "api_version", "contract", "schema_version", "manifest_version"}}}},
      {"hooks.STAGE",
       {{"timeout", {"time_limit", "limit", "max_time", "duration", "time", "deadline"}},
        {"continue", {"allow_failure", "ignore_errors", "continue_on_error", "keep_going", "ignore_failure", "fail_fast"}},
        {"retries", {"retry", "attempts", "tries", "max_attempts", "max_retries", "retry_count"}},
        {"retry_on", {"retry_codes", "exit_codes", "retry_when"}},
        {"junit", {"reports", "results", "test_results", "report", "xml", "xunit"}},
        {"artifacts", {"files", "logs", "uploads", "upload", "outputs"}},
        {"grace", {"kill_after", "grace_period", "termination_grace", "stop_timeout"}},
        {"resources", {"locks", "lock", "needs", "semaphore"}},
        {"playbook", {"ansible", "ansible_playbook", "play", "tasks"}},
        {"merge", {"merge_as", "join", "combine"}}}},
      {"limits",
       {{"memory", {"mem", "ram", "rss"}},
        {"cpu", {"cpus", "cores", "processors"}},
        {"pids", {"processes", "tasks", "threads", "nproc"}},
        {"disk", {"storage", "space", "workspace", "size"}},
        {"log", {"output", "stdout", "logs"}}}},
      {"requires",
       {{"commands", {"programs", "binaries", "packages", "tools", "executables", "rpms"}},
        {"agent", {"version", "outpost", "agent_version"}},
        {"os", {"distro", "distribution", "platform", "system", "systems"}},
        {"capabilities", {"features", "labels", "tags"}}}},
      {"when",
       {{"component_type", {"component", "components", "type", "types", "component_types"}},
        {"job", {"name", "names", "jobs"}},
        {"topic", {"topics", "product", "branch"}}}},
      {"env", {{"allow", {"pass", "passthrough", "pass_env", "keep", "include", "names", "inherit"}}}},
      {"isolation",
       {{"user", {"run_as", "runas", "uid", "become", "root"}},
        {"network", {"net", "internet"}},
        {"private_tmp", {"tmp", "privatetmp"}},
        {"no_new_privs", {"no_new_privileges", "nonewprivileges", "sudo", "setuid"}}}},
  };
  return words;
}

std::string plain(std::string_view word) {
  std::string lower = to_lower(word);
  std::replace(lower.begin(), lower.end(), '-', '_');
  return lower;
}

}  // namespace

std::string meant_key(std::string_view place, std::string_view word) {
  const auto words = all_words().find(place.starts_with("hooks.") ? "hooks.STAGE" : place);
  if (words == all_words().end()) return {};
  const auto wanted = plain(word);
  for (const auto& [key, others] : words->second)
    if (std::find(others.begin(), others.end(), wanted) != others.end()) return std::string{key};
  return {};
}

std::string stage_advice(std::string_view word, const std::vector<std::string>& stages, const std::string& extension) {
  if (const auto meant = job::stage_meant_by(word)) {
    const std::string name{to_string(*meant)};
    if (std::find(stages.begin(), stages.end(), name) != stages.end()) return " (did you mean " + config::quote(name + extension) + "?)";
  }
  auto names = stages;
  for (auto& name : names) name += extension;
  return config::suggestion(std::string{word} + extension, names);
}

}  // namespace outpost::hooks
