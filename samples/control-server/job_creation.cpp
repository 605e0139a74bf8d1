// POST /jobs, /jobs/schedule, /jobs/<id>/update and /jobs/upgrade (DCI protocol §4.1 to §4.3).
#include "samples/control-server/handlers.hpp"
#include "samples/control-server/python.hpp"

#include <algorithm>
#include <set>

namespace outpost::sample::handlers {
namespace {

json::value id_or_null(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value ? *value : json::value(nullptr);
}

void attach(Records& records, std::string_view job, std::string_view component) {
  records.database().query("INSERT INTO jobs_components (job_id, component_id) VALUES (?,?)",
                           {std::string{job}, std::string{component}});
}

/// What the server fills in; the rest of `values` is what the client sent, with defaults.
void add_job_values(Call& call, json::object& values, const json::object& topic) {
  const auto now = call.records.now();
  values["id"] = new_uuid();
  values["created_at"] = now;
  values["updated_at"] = now;
  values["etag"] = new_etag();
  values["status"] = "new";
  values["user_agent"] = call.header("User-Agent");
  values["client_version"] = call.header("Client-Version");
  values["product_id"] = topic.at("product_id");
}

/// The checks that creation and scheduling share; returns the topic.
json::object topic_for_job(Call& call, const json::object& values) {
  if (!call.user.is_remoteci()) throw ApiError{400, "Only remoteci can create job", {}};
  auto topic = call.records.get(topics, text_at(values, "topic_id"));
  if (text_at(topic, "state") != "active")
    throw ApiError{412, "Topic " + text_at(values, "topic_id") + ":" + text_at(topic, "name") + " not active.", {}};
  verify_access_to_topic(call, topic);
  if (const auto previous = text_at(values, "previous_job_id"); !previous.empty()) call.records.get(jobs, previous);
  return topic;
}

void add_remoteci_values(Call& call, json::object& values) {
  values["remoteci_id"] = call.user.id;
  values["team_id"] = call.user.teams.front().id;
  values["duration"] = 0;
  values["previous_job_id"] = id_or_null(values, "previous_job_id");
}

/// Component ids of a body must at least be texts; the original finds nothing under others.
std::string id_of(const json::value& value) {
  if (!value.is_string()) throw not_found("component");
  const auto id = normal_uuid(value.as_string());
  if (!id) throw invalid_text("uuid", std::string{value.as_string()});
  return *id;
}

void refuse_foreign_components(Call& call, const json::array& ids) {
  for (const auto& id : ids)
    if (is_another_teams_component(call, call.records.get(components, id_of(id)))) throw unauthorized();
}

json::object build_job(Call& call, json::object values, const json::object& topic, const json::array& chosen) {
  const auto component_ids = schedule_components(call, topic, chosen);
  auto job = call.records.create(jobs, std::move(values));
  for (const auto& id : component_ids) attach(call.records, text_at(job, "id"), id);
  return job;
}

Response created(const json::object& job) { return json_response(201, "job", job, text_at(job, "etag")); }

/// A job that follows another one: same remoteci, latest components.
json::object following_job(Call& call, const json::object& previous, const json::object& topic, bool is_update) {
  const auto remoteci = call.records.get(remotecis, text_at(previous, "remoteci_id"));
  json::object values;
  add_job_values(call, values, topic);
  values["previous_job_id"] = previous.at("id");
  if (is_update) values["update_previous_job_id"] = previous.at("id");
  values["remoteci_id"] = remoteci.at("id");
  values["team_id"] = remoteci.at("team_id");
  values["topic_id"] = topic.at("id");
  return build_job(call, std::move(values), topic, {});
}

json::object previous_job(Call& call, const std::string& id) {
  auto previous = call.records.get(jobs, id);
  if (!call.user.in_team(text_at(previous, "team_id"))) throw unauthorized();
  return previous;
}

std::vector<std::string> newest_components(Call& call, const json::object& topic) {
  std::vector<std::string> ids;
  for (const auto& type : topic.at("component_types").as_array()) {
    const std::string name{type.as_string()};
    const auto rows = call.records.database().query(
        "SELECT id FROM components WHERE type = ? AND topic_id = ? AND state = 'active' AND team_id IS NULL ORDER BY "
        "created_at DESC, rowid DESC LIMIT 1",
        {name, text_at(topic, "id")});
    if (rows.empty()) throw ApiError{412, "Component of type \"" + name + "\" not found or not exported.", {}};
    const auto id = text_of(rows.front().front());
    if (std::ranges::find(ids, id) != ids.end())
      throw ApiError{
          412,
          "Component types " + repr(topic.at("component_types")) + " malformed: type " + name + " duplicated.",
          {}};
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

std::vector<std::string> schedule_components(Call& call, const json::object& topic, const json::array& chosen) {
  if (chosen.empty()) return newest_components(call, topic);
  const auto& types = topic.at("component_types").as_array();
  if (chosen.size() != types.size())
    throw ApiError{412, "The number of component ids does not match the number of component types " + repr(types), {}};
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (const auto& value : chosen) {
    const auto id = id_of(value);
    const auto rows = call.records.database().query(
        "SELECT type FROM components WHERE id = ? AND topic_id = ? AND state = 'active'", {id, text_at(topic, "id")});
    if (rows.empty()) throw ApiError{404, "component id " + id + " not found or not exported", {}};
    const auto type = text_of(rows.front().front());
    if (!seen.insert(type).second) throw ApiError{412, "Component types malformed: type " + type + " duplicated.", {}};
    ids.push_back(id);
  }
  return ids;
}

Response schedule_job(Call& call) {
  auto body = call.json_body();
  check(schedule_job_schema, body);
  auto values = body.as_object();
  const auto topic = topic_for_job(call, values);
  add_job_values(call, values, topic);
  add_remoteci_values(call, values);
  const auto chosen = values["components_ids"].as_array();
  values.erase("components_ids");
  refuse_foreign_components(call, chosen);
  return created(build_job(call, std::move(values), topic, chosen));
}

Response create_job(Call& call) {
  auto body = call.json_body();
  check(create_job_schema, body);
  auto values = body.as_object();
  const auto topic = topic_for_job(call, values);
  add_job_values(call, values, topic);
  add_remoteci_values(call, values);
  json::array tags;
  for (const auto& tag : values["tags"].as_array())
    if (!tag.is_string() || !tag.as_string().empty()) tags.push_back(tag);
  values["tags"] = std::move(tags);
  const auto chosen = values["components"].as_array();
  values.erase("components");
  // The job is there before its components are looked at: an error leaves one without components behind.
  const auto job = call.records.create(jobs, std::move(values));
  refuse_foreign_components(call, chosen);
  for (const auto& value : chosen) {
    const auto component = call.records.get(components, id_of(value));
    try {
      attach(call.records, text_at(job, "id"), text_at(component, "id"));
    } catch (const ConstraintViolation&) {
      throw ApiError{409, "conflict when adding component " + text_at(component, "name"), {}};
    }
  }
  return created(job);
}

Response update_job_components(Call& call) {
  const auto previous = previous_job(call, call.ids.front());
  const auto topic = call.records.get(topics, text_at(previous, "topic_id"));
  return created(following_job(call, previous, topic, true));
}

Response upgrade_job(Call& call) {
  auto body = call.json_body();
  check(upgrade_job_schema, body);
  const auto previous = previous_job(call, text_at(body.as_object(), "job_id"));
  const auto topic = call.records.get(topics, text_at(previous, "topic_id"));
  const auto next = text_at(topic, "next_topic_id");
  if (next.empty()) throw ApiError{400, "topic " + text_at(topic, "id") + " does not contains a next topic", {}};
  return created(following_job(call, previous, call.records.get(topics, next), false));
}

}  // namespace outpost::sample::handlers
