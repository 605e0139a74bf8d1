#include "agent/job/job.hpp"

#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

namespace outpost::job {
namespace {

boost::json::array array_of(const std::vector<std::string>& texts) { return boost::json::array(texts.begin(), texts.end()); }

boost::json::object to_json(const Limits& limits) {
  boost::json::object json;
  if (limits.memory) json["memory"] = *limits.memory;
  if (limits.tasks) json["tasks"] = *limits.tasks;
  if (limits.cpu_percent) json["cpu_percent"] = *limits.cpu_percent;
  return json;
}

Limits limits_from_json(const boost::json::object& json) {
  Limits limits;
  if (json.contains("memory")) limits.memory = static_cast<std::uint64_t>(number_at(json, "memory"));
  if (json.contains("tasks")) limits.tasks = static_cast<std::uint64_t>(number_at(json, "tasks"));
  if (json.contains("cpu_percent")) limits.cpu_percent = static_cast<unsigned>(number_at(json, "cpu_percent"));
  return limits;
}

boost::json::object to_json(const Reboots& reboots) {
  if (reboots.plugins.empty()) return {};
  return {{"plugins", array_of(reboots.plugins)}, {"limit", reboots.limit}};
}

}  // namespace

boost::json::object to_json(const Definition& definition) {
  return {{"name", definition.name},
          {"source", definition.source},
          {"topic", definition.topic},
          {"selections", array_of(definition.selections)},
          {"configuration", definition.configuration},
          {"comment", definition.comment},
          {"url", definition.url},
          {"tags", array_of(definition.tags)},
          {"plugins", array_of(definition.plugins)},
          {"resources", array_of(definition.resources)},
          {"reporters", array_of(definition.reporters)},
          {"timeout_ms", definition.timeout.count()},
          {"grace_ms", definition.grace.count()},
          {"profile", definition.profile},
          {"limits", to_json(definition.limits)},
          {"reboots", to_json(definition.reboots)},
          {"plugin_config", definition.plugin_config},
          {"options", definition.options}};
}

Definition definition_from_json(const boost::json::object& json) {
  Definition definition;
  definition.name = text_at(json, "name");
  definition.source = text_at(json, "source");
  definition.topic = text_at(json, "topic");
  definition.selections = texts_at(json, "selections");
  definition.configuration = text_at(json, "configuration");
  definition.comment = text_at(json, "comment");
  definition.url = text_at(json, "url");
  definition.tags = texts_at(json, "tags");
  definition.plugins = texts_at(json, "plugins");
  definition.resources = texts_at(json, "resources");
  definition.reporters = texts_at(json, "reporters");
  definition.timeout = std::chrono::milliseconds{number_at(json, "timeout_ms", definition.timeout.count())};
  definition.grace = std::chrono::milliseconds{number_at(json, "grace_ms", definition.grace.count())};
  definition.profile = text_at(json, "profile");
  if (const auto* limits = json.if_contains("limits"); limits && limits->is_object())
    definition.limits = limits_from_json(limits->get_object());
  if (const auto* reboots = json.if_contains("reboots"); reboots && reboots->is_object())
    definition.reboots = {texts_at(reboots->get_object(), "plugins"), static_cast<unsigned>(number_at(reboots->get_object(), "limit"))};
  if (const auto* config = json.if_contains("plugin_config"); config && config->is_object())
    definition.plugin_config = config->get_object();
  if (const auto* options = json.if_contains("options"); options && options->is_object())
    definition.options = options->get_object();
  return definition;
}

boost::json::object to_json(const TakenPlugin& plugin) {
  return {{"name", plugin.name}, {"version", plugin.version}, {"digest", plugin.digest}, {"directory", plugin.directory}};
}

TakenPlugin taken_plugin_from_json(const boost::json::object& json) {
  return {text_at(json, "name"), text_at(json, "version"), text_at(json, "digest"), text_at(json, "directory")};
}

}  // namespace outpost::job
