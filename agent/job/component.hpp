#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace outpost::job {

/// A versioned product artifact, as its source describes it.
struct Component {
  std::string id;       ///< The source's own id.
  std::string type;     ///< "ocp", "compose"...
  std::string name;     ///< What people call it: "OpenShift 4.16.3".
  std::string version;
  std::string url;
  std::string topic_id;
  std::vector<std::string> tags;
  std::string released_at;      ///< As the source wrote it.
  std::string created_at;
  boost::json::object data;     ///< Free-form, from the source; never trusted.
};

[[nodiscard]] boost::json::object to_json(const Component& component);
[[nodiscard]] Component component_from_json(const boost::json::object& json);

/// A directory name for each component, in their order: its type made safe for a path, numbered where two are alike.
[[nodiscard]] std::vector<std::string> directory_names(const std::vector<Component>& components);

}  // namespace outpost::job
