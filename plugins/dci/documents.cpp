#include "plugins/dci/documents.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>

namespace outpost::dci {
namespace {

namespace json = boost::json;

bool is_secret(std::string_view key) {
  const std::string name = to_lower(key);
  // Whole words that mean a secret whatever surrounds them, and the two structures that are known to hold one.
  for (const std::string_view part :
       {"secret", "password", "passwd", "passphrase", "token", "credential", "apikey", "api_key", "api-key", "privatekey",
        "private_key", "private-key", "accesskey", "access_key", "access-key", "dockerconfigjson"})
    if (name.find(part) != std::string::npos) return true;
  return name == "registry" || name == "registries" || name == "auth" || name == "auths" || name == "authorization" ||
         name == "kubeconfig" || name == "pull-secret";
}

/// The named members of an object, as far as they are there.
json::object only(const json::object& from, std::initializer_list<std::string_view> names) {
  json::object kept;
  for (const auto name : names)
    if (const auto* value = from.if_contains(name)) kept[name] = *value;
  return kept;
}

json::object component_document(const json::object& component) {
  json::object kept =
      only(component, {"id", "type", "name", "display_name", "version", "uid", "url", "tags", "title", "message",
                       "canonical_project_name", "released_at", "created_at", "topic_id", "team_id", "state", "data"});
  return kept;
}

}  // namespace

void strip_secrets(json::value& value) {
  if (value.is_array()) {
    for (auto& element : value.get_array()) strip_secrets(element);
  } else if (value.is_object()) {
    auto& object = value.get_object();
    for (auto member = object.begin(); member != object.end();) {
      if (is_secret(member->key())) {
        member = object.erase(member);
      } else {
        strip_secrets(member->value());
        ++member;
      }
    }
  }
}

json::object job_document(const json::object& job) {
  json::object document =
      only(job, {"id", "name", "status", "state", "configuration", "comment", "url", "tags", "created_at", "topic_id",
                 "team_id", "remoteci_id", "product_id", "pipeline_id", "previous_job_id", "status_reason"});
  const auto part = [&](std::string_view name, std::initializer_list<std::string_view> members) {
    if (const auto* value = job.if_contains(name); value && value->is_object())
      document[name] = only(value->get_object(), members);
  };
  part("topic",
       {"id", "name", "component_types", "component_types_optional", "product_id", "next_topic_id", "export_control"});
  part("remoteci", {"id", "name", "team_id"});
  part("team", {"id", "name"});
  part("pipeline", {"id", "name"});
  json::array components;
  if (const auto* list = job.if_contains("components"); list && list->is_array())
    for (const auto& component : list->get_array())
      if (component.is_object()) components.push_back(component_document(component.get_object()));
  document["components"] = std::move(components);
  json::value checked = std::move(document);
  strip_secrets(checked);
  return std::move(checked.get_object());
}

job::Component component_of(const json::object& json) {
  json::value copy = json;
  strip_secrets(copy);
  job::Component component = job::component_from_json(copy.get_object());
  if (const std::string display = job::text_at(json, "display_name"); component.name.empty()) component.name = display;
  return component;
}

std::string plain_text(std::string_view text, std::size_t limit) {
  std::string line = printable(text, text.size() * 4 + 16);
  std::size_t characters = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if ((static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) continue;
    if (++characters > limit) {
      // Room for the dots that say something is missing.
      std::size_t end = at;
      for (int back = 0; back < 3 && end > 0;) {
        --end;
        if ((static_cast<unsigned char>(line[end]) & 0xC0) != 0x80) ++back;
      }
      return line.substr(0, end) + "...";
    }
  }
  return line;
}

}  // namespace outpost::dci
