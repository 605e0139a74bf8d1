#include "agent/config/decode_job.hpp"

#include "agent/base/text.hpp"
#include "agent/config/decode_source.hpp"
#include "agent/config/plugin_config.hpp"

#include <algorithm>
#include <charconv>

namespace outpost::config {

using namespace std::chrono_literals;

namespace {

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

bool is_blank(const Node& node) { return node.kind == Node::Kind::scalar && trim(node.text).empty(); }

/// A list of names, each of which exists and none of which is there twice.
std::vector<std::string> names_of(Reading& reading, Fields& fields, const std::string& key, const char* what,
                                  const std::vector<std::string>* existing) {
  std::vector<std::string> names;
  const Node* list = fields.take_list(key);
  if (list == nullptr) return names;
  const std::string label = fields.label_of(key);
  const std::string example = "[" + (list->kind == Node::Kind::scalar ? printable(list->text, 40) : "one, two") + "]";
  for (const auto& item : items_of(reading, *list, label, example)) {
    const auto name = as_name(reading, item, label);
    if (!name) continue;
    if (std::find(names.begin(), names.end(), *name) != names.end()) {
      reading.problem(item.origin, label, quote(*name) + " is in the list twice");
    } else if (existing != nullptr && std::find(existing->begin(), existing->end(), *name) == existing->end()) {
      reading.problem(item.origin, label,
                      "there is no " + std::string{what} + " " + quote(*name) + suggestion(*name, *existing));
    } else {
      names.push_back(*name);
    }
  }
  return names;
}

std::vector<Window> windows_of(Reading& reading, Fields& fields) {
  std::vector<Window> windows;
  const Node* list = fields.take_list("windows");
  if (list == nullptr) return windows;
  const std::string label = fields.label_of("windows");
  for (const auto& item : items_of(reading, *list, label, "[\"Mon..Fri 18:00-06:00\"]")) {
    const auto text = as_text(reading, item, label);
    if (!text) continue;
    auto window = Window::parse(*text, reading.zones);
    if (window)
      windows.push_back(*std::move(window));
    else
      reading.problem(item.origin, label, quote(*text) + ": " + window.error().message);
  }
  return windows;
}

boost::json::array components_of(Reading& reading, Fields& fields, const SourceType* type) {
  boost::json::array components;
  const Node* list = fields.take_list("components");
  if (list == nullptr) return components;
  const std::string label = fields.label_of("components");
  for (const auto& item : items_of(reading, *list, label, "[\"ocp?tags:build:nightly\"]")) {
    if (item.kind != Node::Kind::map && (item.kind != Node::Kind::scalar || is_blank(item))) {
      reading.problem(item.origin, label,
                      "a selection is due (example: \"ocp?tags:build:nightly\", or {type: ocp, tags: [...]})");
      continue;
    }
    auto component = as_json(item);
    if (item.kind == Node::Kind::scalar) {
      const auto text = as_text(reading, item, label);
      if (!text) continue;
      component = boost::json::string{*text};
    }
    const auto verdict = type != nullptr && type->check_component ? type->check_component(component) : Result<void>{};
    if (!verdict) reading.problem(item.origin, label, verdict.error().message);
    components.push_back(std::move(component));
  }
  return components;
}

Backlog backlog_of(Reading& reading, Fields& fields) {
  const Node* node = fields.take("backlog");
  if (node == nullptr) return Backlog::newest;
  const auto text = as_text(reading, *node, fields.label_of("backlog"));
  if (!text || *text == "newest") return Backlog::newest;
  if (*text == "none") return Backlog::none;
  if (*text == "all") return Backlog::all;
  fields.problem("backlog",
                 quote(*text) + " is not one of newest, none and all" + suggestion(*text, {"newest", "none", "all"}));
  return Backlog::newest;
}

std::map<std::string, double> key_values_of(Reading& reading, Fields& fields) {
  std::map<std::string, double> values;
  const Node* map = fields.take_list("key_values");
  if (map == nullptr) return values;
  const std::string label = fields.label_of("key_values");
  if (map->kind != Node::Kind::map) {
    wrong_kind(reading, *map, label, "a mapping (example: {workers: 3})");
    return values;
  }
  for (const auto& item : map->items) {
    const std::string item_label = label + "." + printable(item.key, 80);
    if (const auto value = as_number(reading, item, item_label)) values[item.key] = *value;
  }
  return values;
}

/// It becomes part of a unit's name.
std::string profile_of(Reading& reading, Fields& fields) {
  const Node* node = fields.take("profile");
  const auto text = node != nullptr ? as_text(reading, *node, fields.label_of("profile")) : std::nullopt;
  if (!text) return {};
  const bool is_word = std::all_of(text->begin(), text->end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  if (!is_word) fields.problem("profile", quote(*text) + " is not the name of a profile: a-z and 0-9 only (example: offline)");
  return is_word && *text != "default" ? *text : "";
}

std::optional<unsigned> percentage_of(Reading& reading, Fields& fields, const char* key) {
  const Node* node = fields.take(key);
  const auto text = node != nullptr ? as_text(reading, *node, fields.label_of(key)) : std::nullopt;
  if (!text) return std::nullopt;
  unsigned percent = 0;
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, percent);
  if (parsed.ec == std::errc{} && std::string_view{parsed.ptr, end} == "%" && percent >= 1 && percent <= 1'000'000) return percent;
  fields.problem(key, quote(*text) + " is not a share of a processor (example: 200%, two processors)");
  return std::nullopt;
}

Limits limits_of(Reading& reading, Fields& fields) {
  Limits limits;
  Fields child = fields.child("limits");
  child.read("memory", limits.memory, as_size, std::uint64_t{1} << 20);
  child.read("tasks", limits.tasks, as_integer, 1, 4'000'000);
  limits.cpu_percent = percentage_of(reading, child, "cpu");
  child.finish();
  return limits;
}

Reboots reboots_of(Reading& reading, Fields& fields, const std::vector<std::string>& plugins) {
  Reboots reboots;
  Fields child = fields.child("reboots");
  reboots.plugins = names_of(reading, child, "plugins", "plugin", &plugins);
  child.read("limit", reboots.limit, as_integer, 1, 100);
  child.finish();
  return reboots;
}

void check_complete(Fields& fields, const SourceType* type) {
  const auto absent = [&](const char* key) {
    const Node* node = fields.node().find(key);
    return node == nullptr || node->kind == Node::Kind::null || (node->kind == Node::Kind::list && node->items.empty());
  };
  if (absent("source")) fields.missing("source", "the name of an entry of sources");
  if (type != nullptr && type->needs_topic) {
    if (absent("topic"))
      fields.missing("topic", "example: topic: OCP-4.16");
    else if (is_blank(*fields.node().find("topic")))
      fields.problem("topic", "is empty (example: OCP-4.16)");
  }
  if (type != nullptr && type->needs_components && absent("components"))
    fields.missing("components", "example: components: [\"ocp?tags:build:nightly\"]");
  // A job that runs nothing would end as a success.
  if (absent("plugins")) fields.missing("plugins", "folders of hooks to run, example: plugins: [acme-storage]");
}

}  // namespace

Job decode_job(Reading& reading, Fields& fields, const Settings& settings, std::span<const SourceType> source_types,
               const Node* plugin_config) {
  const auto sources = keys_of(settings.sources), resources = keys_of(settings.resources);
  Job job;
  fields.read("enabled", job.enabled, as_boolean);
  fields.read("block_shutdown", job.block_shutdown, as_boolean);
  fields.read("download", job.download, as_boolean);
  fields.read("unpack", job.unpack, as_boolean);
  fields.read("source", job.source, as_name);
  fields.read("topic", job.topic, as_text);
  fields.read("timeout", job.timeout, as_duration, 1s, 30 * 24h);
  fields.read("grace", job.grace, as_duration, 0s, 1h);
  job.profile = profile_of(reading, fields);
  job.limits = limits_of(reading, fields);
  fields.read("configuration", job.configuration, as_prose);
  fields.read("comment", job.comment, as_prose);
  fields.read("url", job.url, as_private_url);
  fields.texts("tags", job.tags);
  job.key_values = key_values_of(reading, fields);
  job.backlog = backlog_of(reading, fields);
  job.windows = windows_of(reading, fields);
  job.resources = names_of(reading, fields, "resources", "resource", &resources);
  job.plugins = names_of(reading, fields, "plugins", "plugin", nullptr);
  job.reboots = reboots_of(reading, fields, job.plugins);
  job.plugin_config = read_plugin_config(reading, fields, plugin_config, job.plugins);

  const auto source = settings.sources.find(job.source);
  if (!job.source.empty() && source == settings.sources.end())
    fields.problem("source", "there is no source " + quote(job.source) + suggestion(job.source, sources));
  const SourceType* type = source == settings.sources.end() ? nullptr : find_type(source_types, source->second.type);
  job.components = components_of(reading, fields, type);
  job.reporters = names_of(reading, fields, "reporters", "source", &sources);
  const Node* reporters = fields.node().find("reporters");
  if ((reporters == nullptr || reporters->kind == Node::Kind::null) && source != settings.sources.end())
    job.reporters = {job.source};
  check_complete(fields, type);
  fields.not_yet({"stage", "after", "inputs", "outputs", "fallback"});
  fields.finish();
  return job;
}

}  // namespace outpost::config
