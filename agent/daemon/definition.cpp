#include "agent/daemon/definition.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::daemon {

namespace json = boost::json;

job::Definition definition_of(const config::Job& settings) {
  job::Definition definition;
  definition.name = settings.name;
  definition.source = settings.source;
  definition.topic = settings.topic;
  for (const auto& component : settings.components)
    definition.selections.push_back(component.is_string() ? std::string{component.get_string()} : json::serialize(component));
  definition.configuration = settings.configuration;
  definition.comment = settings.comment;
  definition.url = settings.url;
  definition.tags = settings.tags;
  definition.plugins = settings.plugins;
  definition.resources = settings.resources;
  definition.reporters = settings.reporters;
  definition.timeout = settings.timeout;
  definition.grace = settings.grace;
  definition.profile = settings.profile;
  definition.limits = {settings.limits.memory, settings.limits.tasks, settings.limits.cpu_percent};
  definition.reboots = {settings.reboots.plugins, settings.reboots.limit};
  for (const auto& [plugin, configuration] : settings.plugin_config) definition.plugin_config[plugin] = configuration;
  json::object key_values;
  for (const auto& [key, value] : settings.key_values) key_values[key] = value;
  if (!settings.download) definition.options["download"] = false;
  if (!settings.unpack) definition.options["unpack"] = false;
  if (!key_values.empty()) definition.options["key_values"] = std::move(key_values);
  return definition;
}

std::map<std::string, json::object> described(const std::map<std::string, config::Resource>& resources) {
  std::map<std::string, json::object> described;
  for (const auto& [name, resource] : resources) described[name] = {{"hosts", json::array(resource.hosts.begin(), resource.hosts.end())}};
  return described;
}

}  // namespace outpost::daemon
