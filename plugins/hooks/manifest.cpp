#include "plugins/hooks/manifest.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/config/fields.hpp"
#include "agent/job/own_variables.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/other_words.hpp"
#include "plugins/hooks/schema_check.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace outpost::hooks {

using namespace std::chrono_literals;
using config::Fields;
using config::Node;
using config::quote;
using config::Reading;
using config::suggestion;

namespace {

constexpr std::string_view contract_prefix = "outpost/v";

std::vector<std::string> stage_names() {
  std::vector<std::string> names;
  for (const auto stage : job::all_points) names.emplace_back(to_string(stage));
  return names;
}

bool is_version(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos && text.front() != '.' &&
         text.back() != '.' && text.find("..") == std::string_view::npos;
}

/// A version is part of the name of an archive, and of a line.
bool is_plugin_version(std::string_view text) {
  constexpr std::string_view fits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~-";
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(fits) == std::string_view::npos;
}

/// "plays/install.yml": in the plugin's folder, and YAML.
bool is_playbook_path(const std::string& path) {
  const auto parts = split(path, '/');
  const bool stays = std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty() || part.front() == '.'; });
  return stays && (path.ends_with(".yml") || path.ends_with(".yaml"));
}

std::string own_contract() {
  return std::string{contract_prefix} + std::to_string(contract_major) + (contract_minor > 0 ? "." + std::to_string(contract_minor) : "");
}

/// finish(), with the key that a program means which calls it otherwise.
void finish(Fields& fields, const std::string& place, std::string_view own = {}) {
  fields.finish(own, [&](std::string_view word) { return meant_key(place, word); });
}

/// What stands in `when`, `requires` and the like.
struct Reader {
  Reading& reading;
  std::vector<config::KnownKey>& known;
  Diagnoses& diagnoses;  ///< Of sorts that a Reading has no words for.

  void refuse_version(const config::Origin& where, const std::string& message) {
    diagnoses.push_back({"PL017", Severity::error, where, message, {}});
  }

  /// "outpost/v1" or "outpost/v1.0".
  void read_contract(Fields& fields) {
    const Node* node = fields.take("apiVersion");
    if (node == nullptr) return fields.missing("apiVersion", "write apiVersion: outpost/v1");
    const auto text = config::as_text(reading, *node, "apiVersion");
    if (!text) return;
    if (!text->starts_with(contract_prefix) || !is_version(text->substr(contract_prefix.size())))
      return fields.problem("apiVersion", quote(*text) + " is not a version of the hook contract (write outpost/v1)");
    const auto numbers = split(text->substr(contract_prefix.size()), '.');
    int major = -1, minor = 0;
    std::from_chars(numbers[0].data(), numbers[0].data() + numbers[0].size(), major);
    if (numbers.size() > 1) std::from_chars(numbers[1].data(), numbers[1].data() + numbers[1].size(), minor);
    if (numbers.size() > 2) return fields.problem("apiVersion", quote(*text) + " is not a version of the hook contract (write outpost/v1)");
    if (major != contract_major)
      refuse_version(node->origin, "apiVersion: this agent does not know version " + std::to_string(major) +
                                       " of the hook contract (it knows " + own_contract() + ")");
    else if (minor > contract_minor)
      refuse_version(node->origin, "apiVersion: the plugin needs " + printable(*text, 40) + ", this agent has " + own_contract() +
                                       " (update the agent)");
  }

  void read_requirements(Fields fields, Requirements& into) {
    fields.texts("commands", into.commands);
    for (const auto& command : into.commands)
      if (command.find_first_of("/ \t") != std::string::npos)
        fields.problem("commands", quote(command) + " is not the name of a command (no path, no arguments; example: jq)");
    if (const Node* node = fields.take("agent"))
      if (const auto text = config::as_text(reading, *node, fields.label_of("agent"))) {
        if (text->starts_with(">=") && is_version(trim(text->substr(2)))) into.agent = trim(text->substr(2));
        else fields.problem("agent", quote(*text) + " is not a least version (example: \">=0.1\")");
      }
    std::vector<std::string> systems;
    fields.texts("os", systems);
    for (const auto& text : systems) {
      const auto at = text.find(">=");
      OsRequirement system{std::string{trim(text.substr(0, at))}, at == std::string::npos ? "" : std::string{trim(text.substr(at + 2))}};
      const bool id = !system.id.empty() && system.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string::npos;
      if (id && (at == std::string::npos || is_version(system.version))) into.os.push_back(std::move(system));
      else fields.problem("os", quote(text) + " is not an operating system (example: rhel>=8, the ID and VERSION_ID of os-release)");
    }
    fields.texts("capabilities", into.capabilities);
    finish(fields, "requires");
  }

  void read_filters(Fields fields, Filters& into) {
    fields.texts("topic", into.topics);
    fields.texts("component_type", into.component_types);
    fields.texts("job", into.jobs);
    finish(fields, "when");
  }

  void read_limits(Fields fields, HookLimits& into) {
    if (const Node* node = fields.take("memory"))
      into.memory = config::as_size(reading, *node, fields.label_of("memory"), 1024 * 1024);
    if (const Node* node = fields.take("log")) into.log = config::as_size(reading, *node, fields.label_of("log"), 1024);
    if (const Node* node = fields.take("pids"))
      if (const auto pids = config::as_integer(reading, *node, fields.label_of("pids"), 1, 4'000'000)) into.tasks = static_cast<std::uint64_t>(*pids);
    if (const Node* node = fields.take("cpu"))
      if (const auto text = config::as_text(reading, *node, fields.label_of("cpu"))) {
        unsigned percent = 0;
        const char* const end = text->data() + text->size();
        const auto [stop, error] = std::from_chars(text->data(), end, percent);
        if (error == std::errc{} && std::string_view(stop, end) == "%" && percent > 0 && percent <= 100'000) into.cpu_percent = percent;
        else fields.problem("cpu", quote(*text) + " is not a share of a processor (example: 200%, which is two of them)");
      }
    if (const Node* node = fields.take("disk")) into.disk = config::as_size(reading, *node, fields.label_of("disk"), 1024 * 1024);
    finish(fields, "limits");
  }

  /// A word out of two that mean yes and no.
  void read_choice(Fields& fields, const std::string& key, const std::string& yes, const std::string& no, std::optional<bool>& into) {
    const Node* node = fields.take(key);
    const auto text = node != nullptr ? config::as_text(reading, *node, fields.label_of(key)) : std::nullopt;
    if (!text) return;
    if (*text == yes || *text == no) into = *text == yes;
    else fields.problem(key, quote(*text) + " is neither " + yes + " nor " + no + suggestion(*text, {yes, no}));
  }

  void read_isolation(Fields fields, Isolation& into) {
    read_choice(fields, "user", "root", "job", into.root);
    read_choice(fields, "network", "host", "none", into.network);
    read_choice(fields, "private_tmp", "true", "false", into.private_tmp);
    read_choice(fields, "no_new_privs", "true", "false", into.no_new_privileges);
    finish(fields, "isolation");
  }

  /// A list of words, of which there is one so far.
  bool read_only_word(Fields& fields, const std::string& key, const std::string& word) {
    std::vector<std::string> words;
    fields.texts(key, words);
    for (const auto& each : words)
      if (each != word) fields.problem(key, quote(each) + " is none of: " + word + suggestion(each, {word}));
    return !words.empty();
  }

  /// "results/**/*.xml", below the workspace.
  void read_globs(Fields& fields, const std::string& key, std::vector<std::string>& into) {
    fields.texts(key, into);
    for (const auto& glob : into) {
      const auto parts = split(glob, '/');
      const bool stays = std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
      if (!stays) fields.problem(key, quote(glob) + " is not a pattern of paths in the workspace (example: results/**/*.xml)");
    }
  }

  void read_environment(Fields fields, std::vector<std::string>& into) {
    fields.texts("allow", into);
    for (const auto& name : into) {
      const bool fits = name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_*?") == std::string::npos;
      if (!fits) fields.problem("allow", quote(name) + " is not the name of a variable, nor a pattern of names (example: ACME_*)");
      else if (name.find_first_not_of("*?") == std::string::npos) fields.problem("allow", quote(name) + " would let in everything (example: ACME_*)");
      else if (name.starts_with("OUTPOST")) fields.problem("allow", quote(name) + ": OUTPOST_... are the agent's own (hooks/README.md, Environment)");
      else if (job::is_own_variable(name)) fields.problem("allow", quote(name) + " is the agent's own: no manifest lets another value in (hooks/README.md, Environment)");
    }
    finish(fields, "env");
  }

  std::optional<std::vector<int>> read_exit_codes(Fields& fields, const std::string& key) {
    const Node* node = fields.take_list(key);
    if (node == nullptr) return std::nullopt;
    std::vector<int> codes;
    for (const auto& item : config::items_of(reading, *node, fields.label_of(key), "[69, 75]"))
      if (const auto code = config::as_integer(reading, item, fields.label_of(key), 1, 255)) codes.push_back(static_cast<int>(*code));
    return codes;
  }

  HookSettings read_hook(Fields fields, job::Stage stage) {
    HookSettings hook;
    if (const Node* node = fields.take("timeout"))
      hook.timeout = config::as_duration(reading, *node, fields.label_of("timeout"), 1s, 30 * 24h);
    if (const Node* node = fields.take("timeout_max"))
      hook.timeout_max = config::as_duration(reading, *node, fields.label_of("timeout_max"), 1s, 30 * 24h);
    if (hook.timeout_max && *hook.timeout_max < hook.timeout.value_or(default_timeout(stage)))
      fields.problem("timeout_max", "is less than the time limit that it has to begin with, " + format_duration(hook.timeout.value_or(default_timeout(stage))));
    read_globs(fields, "junit", hook.junit);
    read_globs(fields, "artifacts", hook.artifacts);
    fields.read("merge", hook.merge, config::as_name);
    if (hook.merge == "true" || hook.merge == "false") fields.problem("merge", "what the one result is to be called is due (example: unit)");
    if (hook.merge == "reported") fields.problem("merge", "reported is the result of what hooks say by outpost-hook result; choose another name");
    if (const Node* node = fields.take("grace")) hook.grace = config::as_duration(reading, *node, fields.label_of("grace"), 0s, 1h);
    if (const Node* node = fields.take("retries"))
      if (const auto retries = config::as_integer(reading, *node, fields.label_of("retries"), 0, 100)) hook.retries = static_cast<unsigned>(*retries);
    const auto codes = read_exit_codes(fields, "retry_on");
    hook.retry_on = codes.value_or(std::vector<int>{69});
    fields.texts("resources", hook.resources);
    fields.read("playbook", hook.playbook, config::as_text);
    if (fields.node().find("playbook") != nullptr && !is_playbook_path(hook.playbook))
      fields.problem("playbook", quote(hook.playbook) + " is not the path of a YAML file in the plugin's folder (example: plays/install.yml)");
    fields.read("continue", hook.keep_going, config::as_boolean);
    if (codes && hook.retries == 0 && fields.node().find("retries") == nullptr) fields.problem("retry_on", "without retries it means nothing (add retries: 1)");
    const bool closing = always_runs(stage);
    if (is_farewell(stage))
      for (const char* key : {"grace", "resources", "timeout_max"})
        if (fields.node().find(key) != nullptr)
          fields.problem(key, std::string{to_string(stage)} + " has what is left of the grace of the hook that is stopped; remove the key");
    if (stage == job::Stage::admit || is_of_agent(stage))
      for (const char* key : {"grace", "resources", "timeout_max", "retries", "retry_on", "continue", "junit", "artifacts", "merge"})
        if (fields.node().find(key) != nullptr)
          return fields.problem(key, "means nothing outside of a job; remove the key"), finish(fields, "hooks.STAGE"), hook;
    if (closing && hook.keep_going) fields.problem("continue", "the closing stages always go on; remove the key");
    if (closing && hook.retries > 0) fields.problem("retries", "hooks of the closing stages run once; remove the key");
    finish(fields, "hooks.STAGE");
    return hook;
  }

  void read_hooks(Fields fields, std::map<job::Stage, HookSettings>& into) {
    for (const auto stage : job::all_points) {
      const std::string name{to_string(stage)};
      if (fields.node().find(name) != nullptr) into[stage] = read_hook(fields.child(name), stage);
      else fields.take_list(name);
    }
    fields.finish({}, [](std::string_view word) {
      const auto meant = job::stage_meant_by(word);
      return std::string{meant ? to_string(*meant) : ""};
    });
  }

  void read_schema(Fields& fields, std::optional<boost::json::object>& into) {
    const Node* node = fields.take_list("config");
    if (node == nullptr) return;
    if (node->kind != Node::Kind::map) return config::wrong_kind(reading, *node, "config", "a JSON Schema (example: {type: object, properties: {...}})");
    check_schema(*node, reading.problems);
    if (reading.problems.list.empty()) into = schema_of(*node);
  }

  Manifest read(Fields& fields) {
    Manifest manifest;
    read_contract(fields);
    fields.read("name", manifest.name, config::as_name);
    fields.read("version", manifest.version, config::as_text);
    fields.read("description", manifest.description, config::as_prose);
    fields.read("maintainer", manifest.maintainer, config::as_text);
    if (const Node* node = fields.take("order"))
      if (const auto order = config::as_integer(reading, *node, "order", 0, 9999)) manifest.order = static_cast<int>(*order);
    for (const auto& [key, example] : {std::pair<std::string, std::string>{"name", "acme-storage"}, {"version", "1.0.0"}}) {
      const Node* node = fields.node().find(key);
      if (node == nullptr) fields.missing(key, "example: " + key + ": " + example);
      else if (node->kind == Node::Kind::null || (key == "version" && node->kind == Node::Kind::scalar && trim(node->text).empty()))
        fields.problem(key, "is empty (example: " + example + ")");
    }
    if (!trim(manifest.version).empty() && !is_plugin_version(manifest.version))
      fields.problem("version", quote(manifest.version) + " is not a version (letters, digits, and . _ + ~ -, at most 64; example: 1.0.0)");
    read_requirements(fields.child("requires"), manifest.requirements);
    read_filters(fields.child("when"), manifest.when);
    read_schema(fields, manifest.config_schema);
    read_hooks(fields.child("hooks"), manifest.hooks);
    read_limits(fields.child("limits"), manifest.limits);
    read_environment(fields.child("env"), manifest.environment);
    read_isolation(fields.child("isolation"), manifest.isolation);
    manifest.dry_run = read_only_word(fields, "supports", "dry-run");
    manifest.dci_variables = read_only_word(fields, "compat", "dci");
    if (fields.take_list("verdict-from") != nullptr)
      fields.problem("verdict-from", "the verdict is written down before collect begins, and nothing changes it after that; "
                                     "let a hook of test decide, and remove the key");
    finish(fields, "", "x-");
    return manifest;
  }
};

}  // namespace

HookSettings Manifest::settings(job::Stage stage) const {
  const auto found = hooks.find(stage);
  return found != hooks.end() ? found->second : HookSettings{.retry_on = {69}};
}

config::Origin Manifest::origin_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found != origins.end() ? found->second : config::Origin{file, 0, 0};
}

std::optional<Manifest> parse_manifest(std::string_view text, const std::string& file, Diagnoses& diagnoses) {
  static const config::ZoneLookup no_zones;
  Reading reading{{}, no_zones, {}, {}};
  const auto before = diagnoses.size();
  const auto parsed = config::parse_yaml(text, file, reading.problems);
  std::optional<Manifest> manifest;
  if (parsed.complete && parsed.root.kind != Node::Kind::map) {
    reading.problems.list.push_back({{file, 1, 1}, "is not a manifest: a mapping is due (apiVersion, name, version...)"});
  } else if (parsed.complete) {
    std::vector<config::KnownKey> known;
    Fields fields{reading, known, parsed.root, "", {}};
    manifest = Reader{reading, known, diagnoses}.read(fields);
    manifest->file = file;
    manifest->origins = std::move(reading.origins);
  }
  auto found = diagnoses_of(reading.problems);
  diagnoses.insert(diagnoses.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  std::sort(diagnoses.begin() + static_cast<std::ptrdiff_t>(before), diagnoses.end(), [](const auto& left, const auto& right) {
    return std::tie(left.where.line, left.where.column, left.message) < std::tie(right.where.line, right.where.column, right.message);
  });
  if (diagnoses.size() > before) return std::nullopt;
  return manifest;
}

std::vector<std::string> manifest_keys() {
  static const config::ZoneLookup no_zones;
  Reading reading{{}, no_zones, {}, {}};
  Diagnoses ignored;
  config::Problems problems;
  std::string every = "hooks: {";
  for (const auto& name : stage_names()) every += name + ": {}, ";
  const auto parsed = config::parse_yaml(every + "}", "", problems);
  std::vector<config::KnownKey> known;
  Fields fields{reading, known, parsed.root, "", {}};
  (void)Reader{reading, known, ignored}.read(fields);
  std::vector<std::string> keys;
  for (const auto& key : known) keys.push_back(join(key.path, "."));
  return keys;
}

}  // namespace outpost::hooks
