// Topics (DCI protocol §7).
#include "samples/control-server/handlers.hpp"

#include "agent/base/text.hpp"

namespace outpost::sample::handlers {
namespace {

bool may_write(const Identity& user) { return user.super_admin || user.is_epm() || user.is_feeder(); }

void lower_types(json::object& values) {
  auto* types = values.if_contains("component_types");
  if (!types) return;
  for (auto& type : types->as_array()) {
    if (!type.is_string()) throw PageError{500, {}, {}};
    type = to_lower(type.as_string());
  }
}

json::object with_neighbours(Records& records, json::object topic) {
  const auto row = [&](const Table& table, std::string_view column) -> json::value {
    const auto id = text_at(topic, column);
    if (id.empty()) return nullptr;
    auto rows = records.select(table, equals("id", id));
    return rows.empty() ? json::value(nullptr) : rows.front();
  };
  topic["product"] = row(products, "product_id");
  topic["next_topic"] = row(topics, "next_topic_id");
  return topic;
}

}  // namespace

Response create_topic(Call& call) {
  auto body = call.json_body();
  check(create_topic_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  if (!may_write(call.user)) throw unauthorized();
  lower_types(values);
  const auto topic = call.records.create(topics, std::move(values));
  return json_response(201, "topic", topic, text_at(topic, "etag"));
}

Response list_topics(Call& call) {
  const auto arguments = call.list_arguments();
  Condition where;
  if (!call.user.sees_all()) {
    const auto mine = is_one_of("team_id", call.user.team_ids());
    where.both({"product_id IN (SELECT product_id FROM products_teams WHERE " + mine.sql + ")", mine.values});
    if (!call.user.has_pre_release_access()) where.both({"export_control = 1", {}});
  }
  auto page = call.records.list(topics, where, arguments);
  for (auto& topic : page.items) topic = with_neighbours(call.records, std::move(topic.as_object()));
  return list_response("topics", std::move(page));
}

Response get_topic(Call& call) {
  auto topic = call.records.get(topics, call.ids.front());
  verify_access_to_topic(call, topic);
  const auto etag = text_at(topic, "etag");
  return json_response(200, "topic", with_neighbours(call.records, std::move(topic)), etag);
}

Response put_topic(Call& call) {
  if (!may_write(call.user)) throw unauthorized();
  const auto etag = call.required_etag();
  call.records.get(topics, call.ids.front(), etag);
  auto values = clean(update_topic_schema, call.json_body());
  lower_types(values);
  call.records.update(topics, call.ids.front(), std::move(values));
  const auto changed = call.records.get(topics, call.ids.front());
  return json_response(200, "topic", changed, text_at(changed, "etag"));
}

Response delete_topic(Call& call) {
  if (!call.user.super_admin && !call.user.is_epm()) throw unauthorized();
  const auto etag = call.required_etag();
  call.records.get(topics, call.ids.front(), etag);
  call.records.update(topics, call.ids.front(), {{"state", "archived"}});
  call.records.database().query("UPDATE components SET state = 'archived' WHERE topic_id = ?", {call.ids.front()});
  return empty_response(204);
}

}  // namespace outpost::sample::handlers
