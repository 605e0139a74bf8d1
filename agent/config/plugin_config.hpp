#pragma once

#include "agent/config/fields.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <string>
#include <vector>

namespace outpost::config {

/// What plugins are configured with, by the plugin's name. Only the plugins know what it means (their manifests do).
using PluginConfigs = std::map<std::string, boost::json::object>;

/// Reads the mapping `plugin_config`: plugin names to mappings. `below` is what it is laid over: for a job, that of the
/// file; nullptr for none. The places of all values, as "PREFIX.PLUGIN.key", go into the origins of `reading`; PREFIX is
/// where `fields` are, with "plugin_config".
[[nodiscard]] PluginConfigs read_plugin_config(Reading& reading, Fields& fields, const Node* below,
                                               const std::vector<std::string>& plugins);

/// The places of a plugin's configuration and of all that is in it: "PATH.key".
void note_origins(Origins& origins, const std::string& path, const Node& configuration);

}  // namespace outpost::config
