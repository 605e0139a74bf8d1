// Remotecis and feeders, the two kinds of clients that sign their requests (DCI protocol §8).
#include "samples/control-server/handlers.hpp"

#include "agent/base/text.hpp"

#include <algorithm>

namespace outpost::sample::handlers {
namespace {

json::object without_secret(json::object client) {
  client.erase("api_secret");
  return client;
}

json::array subscribers(Records& records, const std::string& remoteci) {
  return records.select(users, {"id IN (SELECT user_id FROM users_remotecis WHERE remoteci_id = ?)", {remoteci}},
                        "ORDER BY rowid");
}

json::object with_team_and_users(Records& records, json::object remoteci) {
  auto rows = records.select(teams, equals("id", text_at(remoteci, "team_id")));
  remoteci["team"] = rows.empty() ? json::value(nullptr) : rows.front();
  remoteci["users"] = subscribers(records, text_at(remoteci, "id"));
  return without_secret(std::move(remoteci));
}

json::object own(Call& call, const Table& table, const std::optional<std::string>& etag = {}) {
  auto client = call.records.get(table, call.ids.front(), etag);
  if (!call.user.in_team(text_at(client, "team_id"))) throw unauthorized();
  return client;
}

Response changed(Call& call, const Table& table, json::object values) {
  call.records.update(table, call.ids.front(), std::move(values));
  auto client = call.records.get(table, call.ids.front());
  const auto etag = text_at(client, "etag");
  return json_response(200, table.singular, without_secret(std::move(client)), etag);
}

/// Any If-Match will do.
Response reset_secret(Call& call, const Table& table) {
  static_cast<void>(call.required_etag());
  own(call, table);
  call.records.update(table, call.ids.front(), {{"api_secret", new_secret()}});
  const auto client = call.records.get(table, call.ids.front());
  return json_response(200, table.singular, client, text_at(client, "etag"));
}

json::object client_values(Call& call, const Schema& schema) {
  auto body = call.json_body();
  check(schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  values["api_secret"] = new_secret();
  return values;
}

}  // namespace

Response create_remoteci(Call& call) {
  auto values = client_values(call, create_remoteci_schema);
  if (!call.user.in_team(text_at(values, "team_id"))) throw unauthorized();
  const auto remoteci = call.records.create(remotecis, std::move(values));
  return json_response(201, "remoteci", remoteci, text_at(remoteci, "etag"));
}

Response list_remotecis(Call& call) {
  const auto arguments = call.list_arguments();
  auto page = call.records.list(
      remotecis, call.user.super_admin ? Condition{} : is_one_of("team_id", call.user.team_ids()), arguments);
  for (auto& remoteci : page.items) remoteci = with_team_and_users(call.records, std::move(remoteci.as_object()));
  return list_response("remotecis", std::move(page));
}

Response get_remoteci(Call& call) {
  auto remoteci = call.records.get(remotecis, call.ids.front());
  if (!call.user.in_team(text_at(remoteci, "team_id")) && !call.user.read_only) throw unauthorized();
  const auto etag = text_at(remoteci, "etag");
  return json_response(200, "remoteci", with_team_and_users(call.records, std::move(remoteci)), etag);
}

Response put_remoteci(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_remoteci_schema, call.json_body());
  own(call, remotecis, etag);
  return changed(call, remotecis, std::move(values));
}

Response delete_remoteci(Call& call) {
  const auto etag = call.required_etag();
  own(call, remotecis, etag);
  call.records.update(remotecis, call.ids.front(), {{"state", "archived"}});
  call.records.database().query("DELETE FROM users_remotecis WHERE remoteci_id = ?", {call.ids.front()});
  call.records.database().query("UPDATE jobs SET state = 'archived' WHERE remoteci_id = ?", {call.ids.front()});
  return empty_response(204);
}

Response get_remoteci_data(Call& call) {
  const auto remoteci = call.records.get(remotecis, call.ids.front());
  if (!call.user.in_team(text_at(remoteci, "team_id")) && !call.user.read_only) throw unauthorized();
  const auto& data = remoteci.at("data");
  for (const auto& [name, value] : parse_query(call.request.query)) {
    if (name != "keys") continue;
    json::object chosen;
    for (const auto& key : split(value, ','))
      if (data.is_object() && data.as_object().contains(key)) chosen[key] = data.at(key);
    return json_response(200, chosen);
  }
  return json_response(200, data);
}

Response reset_remoteci_secret(Call& call) { return reset_secret(call, remotecis); }

/// Subscribes the caller, whatever the body says.
Response add_remoteci_user(Call& call) {
  call.records.get(remotecis, call.ids.front());
  call.records.get(users, call.user.id);
  own(call, remotecis);
  try {
    call.records.database().query("INSERT INTO users_remotecis (user_id, remoteci_id) VALUES (?,?)",
                                  {call.user.id, call.ids.front()});
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "conflict when adding user", {}};
  }
  return json_response(201, json::object{{"user_id", call.user.id}, {"remoteci_id", call.ids.front()}});
}

Response list_remoteci_users(Call& call) {
  own(call, remotecis);
  return list_response("users", subscribers(call.records, call.ids.front()));
}

Response remove_remoteci_user(Call& call) {
  call.records.get(users, call.ids[1]);
  own(call, remotecis);
  call.records.database().query("DELETE FROM users_remotecis WHERE user_id = ? AND remoteci_id = ?",
                                {call.ids[1], call.ids[0]});
  return empty_response(204);
}

Response create_feeder(Call& call) {
  auto values = client_values(call, create_feeder_schema);
  if (!call.user.is_epm()) throw unauthorized();
  const auto feeder = call.records.create(feeders, std::move(values));
  return json_response(201, "feeder", feeder, text_at(feeder, "etag"));
}

Response list_feeders(Call& call) {
  const auto arguments = call.list_arguments();
  return list_response(
      "feeders",
      call.records.list(feeders, call.user.is_epm() ? Condition{} : is_one_of("team_id", call.user.team_ids()),
                        arguments, false));
}

Response get_feeder(Call& call) {
  const auto feeder = own(call, feeders);
  return json_response(200, "feeder", feeder, text_at(feeder, "etag"));
}

Response put_feeder(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_feeder_schema, call.json_body());
  own(call, feeders, etag);
  return changed(call, feeders, std::move(values));
}

Response delete_feeder(Call& call) {
  const auto etag = call.required_etag();
  own(call, feeders, etag);
  call.records.update(feeders, call.ids.front(), {{"state", "archived"}});
  return empty_response(204);
}

Response reset_feeder_secret(Call& call) { return reset_secret(call, feeders); }

}  // namespace outpost::sample::handlers
