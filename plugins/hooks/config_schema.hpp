#pragma once

#include "agent/config/yaml_tree.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace outpost::hooks {

/// A schema that check_schema() has nothing against, as JSON.
[[nodiscard]] boost::json::object schema_of(const config::Node& schema);

/// A mistake in a plugin's configuration.
struct ConfigMistake {
  std::vector<std::string> path;  ///< {"ports", "0"}; empty: the whole.
  std::string message;
  bool is_secret = false;  ///< A secret is where it must not be.

  /// "ports.0" below a label: "plugin_config.acme.ports.0"; the label alone when it is all of it.
  [[nodiscard]] std::string place(const std::string& label) const;
};

/// What the schema has against a configuration as the reader of YAML gives it. When it has nothing, the configuration has
/// texts and numbers where they are due, and the defaults of properties filled in. Where the schema says
/// `x-secret: true`, a reference is due: {"secret": NAME}, with a name that `knows_secret` accepts.
[[nodiscard]] std::vector<ConfigMistake> check_configuration(boost::json::object& configuration, const boost::json::object& schema,
                                                             const std::function<bool(const std::string&)>& knows_secret);

/// What a hook may read of a configuration, with {"$secret": FILE} in place of each secret; and FILE to the name of the
/// secret. A file is called as its property is: "password", "bmc.password".
struct Unveiled {
  boost::json::object configuration;
  std::map<std::string, std::string> secrets;
};
[[nodiscard]] Unveiled without_secrets(const boost::json::object& configuration, const boost::json::object& schema);

/// Values that stand where the schema says `x-secret: true` go to `secrets`, by the name of their property, and references
/// to them take their places: for tests, where a secret is none.
void set_secrets_aside(boost::json::object& configuration, const boost::json::object& schema, std::map<std::string, std::string>& secrets);

/// Whether any property of the schema is a secret.
[[nodiscard]] bool has_secrets(const boost::json::object& schema);

}  // namespace outpost::hooks
