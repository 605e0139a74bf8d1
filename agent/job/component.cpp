#include "agent/job/component.hpp"

#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::job {

boost::json::object to_json(const Component& component) {
  return {{"id", component.id},
          {"type", component.type},
          {"name", component.name},
          {"version", component.version},
          {"url", component.url},
          {"topic_id", component.topic_id},
          {"tags", boost::json::array(component.tags.begin(), component.tags.end())},
          {"released_at", component.released_at},
          {"created_at", component.created_at},
          {"data", component.data}};
}

Component component_from_json(const boost::json::object& json) {
  Component component;
  component.id = text_at(json, "id");
  component.type = text_at(json, "type");
  component.name = text_at(json, "name");
  component.version = text_at(json, "version");
  component.url = text_at(json, "url");
  component.topic_id = text_at(json, "topic_id");
  component.tags = texts_at(json, "tags");
  component.released_at = text_at(json, "released_at");
  component.created_at = text_at(json, "created_at");
  if (const auto* data = json.if_contains("data"); data && data->is_object()) component.data = data->get_object();
  return component;
}

std::vector<std::string> directory_names(const std::vector<Component>& components) {
  std::vector<std::string> names;
  for (const auto& component : components) {
    std::string name;
    for (const char c : component.type)
      name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : '-';
    if (name.empty()) name = "component";
    std::string unique = name;
    for (int number = 2; std::find(names.begin(), names.end(), unique) != names.end(); ++number)
      unique = name + "-" + std::to_string(number);
    names.push_back(std::move(unique));
  }
  return names;
}

}  // namespace outpost::job
