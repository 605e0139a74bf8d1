// Users, and who the caller is (DCI protocol §2.2, §8).
#include "samples/control-server/authentication.hpp"
#include "samples/control-server/handlers.hpp"

namespace outpost::sample::handlers {
namespace {

json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return json::string{text};
}

json::array teams_of(Records& records, const std::string& user) {
  return records.select(teams, {"id IN (SELECT team_id FROM users_teams WHERE user_id = ?)", {user}}, "ORDER BY rowid");
}

json::array remotecis_of(Records& records, const std::string& user) {
  auto list = records.select(remotecis, {"id IN (SELECT remoteci_id FROM users_remotecis WHERE user_id = ?)", {user}},
                             "ORDER BY rowid");
  for (auto& remoteci : list) remoteci.as_object().erase("api_secret");
  return list;
}

json::object with_teams(Records& records, json::object user) {
  const auto id = text_at(user, "id");
  user["team"] = teams_of(records, id);
  user["remotecis"] = remotecis_of(records, id);
  return user;
}

Response show_user(Call& call, const std::string& id) {
  if (call.user.id != id && !call.user.is_epm()) throw unauthorized();
  auto user = call.records.get(users, id);
  const auto etag = text_at(user, "etag");
  return json_response(200, "user", with_teams(call.records, std::move(user)), etag);
}

/// Users answer a stale etag with 409, unlike other resources.
void require_current(Call& call, const std::string& etag, const std::string& what) {
  if (text_at(call.records.get(users, call.ids.front()), "etag") != etag) throw ApiError{409, what, {}};
}

}  // namespace

Response get_identity(Call& call) {
  const auto& user = call.user;
  json::object mine;
  for (const auto& team : user.teams) {
    if (user.kind == Identity::Kind::user)
      mine[team.id] = {{"id", team.id}, {"name", team.name}, {"has_pre_release_access", team.has_pre_release_access}};
    else
      mine[team.id] = {
          {"team_name", team.name}, {"state", team.state}, {"has_pre_release_access", team.has_pre_release_access}};
  }
  json::object identity{{"id", user.id},
                        {"etag", text_or_null(user.etag)},
                        {"name", text_or_null(user.name)},
                        {"fullname", text_or_null(user.fullname)},
                        {"email", text_or_null(user.email)},
                        {"timezone", text_or_null(user.timezone)},
                        {"teams", std::move(mine)}};
  return json_response(200, "identity", std::move(identity), user.etag.empty() ? "None" : user.etag);
}

Response put_identity(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_current_user_schema, call.json_body());
  if (!call.user.read_only) {
    if (!values.contains("current_password") || call.user.password.empty()) throw PageError{500, {}, {}};
    if (!password_matches(text_at(values, "current_password"), call.user.password))
      throw ApiError{400, "current_password invalid", {}};
  }
  json::object changes;
  if (const auto fresh = text_at(values, "new_password"); !fresh.empty()) changes["password"] = hash_password(fresh);
  for (const auto* key : {"fullname", "email", "timezone"})
    if (const auto text = text_at(values, key); !text.empty()) changes[key] = text;
  if (call.user.etag == etag) call.records.update(users, call.user.id, std::move(changes));
  const auto user = call.records.get(users, call.user.id);
  return json_response(200, "user", user, text_at(user, "etag"));
}

Response create_user(Call& call) {
  auto body = call.json_body();
  check(create_user_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  if (!call.user.is_epm()) throw unauthorized();
  const auto fallback = values.contains("email") ? values.at("email") : values.at("sso_username");
  if (!values.contains("name")) values["name"] = fallback;
  if (!values.contains("fullname")) values["fullname"] = fallback;
  if (!values.contains("timezone")) values["timezone"] = "UTC";
  const auto password = text_at(values, "password");
  values["password"] = password.empty() ? json::value(nullptr) : json::value(hash_password(password));
  auto user = call.records.create(users, std::move(values));
  user.erase("password");
  return json_response(201, "user", user, text_at(user, "etag"));
}

Response list_users(Call& call) {
  const auto arguments = call.list_arguments();
  if (!call.user.is_epm()) throw unauthorized();
  auto page = call.records.list(users, {}, arguments);
  for (auto& user : page.items) user = with_teams(call.records, std::move(user.as_object()));
  return list_response("users", std::move(page));
}

Response get_user(Call& call) { return show_user(call, call.ids.front()); }
Response get_me(Call& call) { return show_user(call, call.user.id); }

Response put_user(Call& call) {
  auto values = clean(update_user_schema, call.json_body());
  const auto etag = call.required_etag();
  if (!call.user.super_admin) throw unauthorized();
  require_current(call, etag, "update failed, either user not found or etag not matched");
  if (const auto password = text_at(values, "password"); !password.empty())
    values["password"] = hash_password(password);
  else
    values.erase("password");
  call.records.update(users, call.ids.front(), std::move(values));
  const auto user = call.records.select(users, equals("id", call.ids.front())).front().as_object();
  return json_response(200, "user", user, text_at(user, "etag"));
}

Response delete_user(Call& call) {
  const auto etag = call.required_etag();
  call.records.get(users, call.ids.front());
  if (!call.user.super_admin) throw unauthorized();
  require_current(call, etag, "delete failed, either user already deleted or etag not matched");
  call.records.update(users, call.ids.front(), {{"state", "archived"}});
  return empty_response(204);
}

Response list_user_teams(Call& call) {
  if (call.user.id != call.ids.front() && !call.user.is_epm()) throw unauthorized();
  call.records.get(users, call.ids.front());
  return list_response("teams", teams_of(call.records, call.ids.front()));
}

Response list_user_remotecis(Call& call) {
  if (call.user.id != call.ids.front() && !call.user.is_epm()) throw unauthorized();
  call.records.get(users, call.ids.front());
  return json_response(200, "remotecis", remotecis_of(call.records, call.ids.front()));
}

}  // namespace outpost::sample::handlers
