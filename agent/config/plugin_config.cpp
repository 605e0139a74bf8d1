#include "agent/config/plugin_config.hpp"

#include "agent/base/text.hpp"
#include "agent/config/layers.hpp"

#include <algorithm>

namespace outpost::config {

void note_origins(Origins& origins, const std::string& path, const Node& configuration) {
  origins.insert_or_assign(path, configuration.origin);
  std::size_t index = 0;
  for (const auto& item : configuration.items)
    note_origins(origins, path + "." + (configuration.kind == Node::Kind::map ? item.key : std::to_string(index++)), item);
}

PluginConfigs read_plugin_config(Reading& reading, Fields& fields, const Node* below, const std::vector<std::string>& plugins) {
  PluginConfigs configs;
  const Node* own = fields.take_list("plugin_config");
  const std::string label = fields.label_of("plugin_config");
  if (own != nullptr && own->kind != Node::Kind::map) {
    wrong_kind(reading, *own, label, "a mapping (example: {acme-storage: {address: 192.0.2.10}})");
    own = nullptr;
  }
  if (own != nullptr)
    for (const auto& item : own->items)
      if (std::find(plugins.begin(), plugins.end(), item.key) == plugins.end())
        reading.problem(item.origin, label, "there is no plugin " + quote(item.key) + " in plugins" + suggestion(item.key, plugins));
  for (const auto& name : plugins) {
    const Node* site = below != nullptr && below->kind == Node::Kind::map ? below->find(name) : nullptr;
    const Node* more = own != nullptr ? own->find(name) : nullptr;
    if (site == nullptr && more == nullptr) continue;
    Node merged = site != nullptr ? *site : *more;
    if (site != nullptr && more != nullptr) lay_over(merged, *more);
    if (merged.kind == Node::Kind::null) merged.kind = Node::Kind::map;
    if (merged.kind != Node::Kind::map) {
      wrong_kind(reading, merged, label + "." + printable(name, 80), "a mapping (example: {address: 192.0.2.10})");
      continue;
    }
    note_origins(reading.origins, fields.path_of("plugin_config") + "." + name, merged);
    configs[name] = as_typed_json(merged).as_object();
  }
  return configs;
}

}  // namespace outpost::config
