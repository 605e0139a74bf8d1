// Teams and products: who may see what (DCI protocol §8).
#include "samples/control-server/handlers.hpp"

#include "agent/base/text.hpp"

namespace outpost::sample::handlers {
namespace {

void require_epm(const Call& call) {
  if (!call.user.is_epm()) throw unauthorized();
}
void require_admin(const Call& call) {
  if (!call.user.super_admin) throw unauthorized();
}

json::array remotecis_of(Records& records, const std::string& team) {
  auto list = records.select(remotecis, equals("team_id", team), "ORDER BY rowid");
  for (auto& remoteci : list) remoteci.as_object().erase("api_secret");
  return list;
}

/// Teams answer a stale etag with 409, unlike other resources.
void require_current_team(Call& call, const std::string& etag, const std::string& complaint) {
  if (text_at(call.records.get(teams, call.ids.front()), "etag") != etag) throw ApiError{409, complaint, {}};
}

std::vector<std::string> ids_in(const json::object& values, std::string_view key) {
  std::vector<std::string> ids;
  for (const auto& id : values.at(key).as_array()) {
    if (!id.is_string()) throw PageError{500, {}, {}};
    ids.emplace_back(id.as_string());
  }
  return ids;
}

}  // namespace

Response create_team(Call& call) {
  auto body = call.json_body();
  check(create_team_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  require_epm(call);
  const auto team = call.records.create(teams, std::move(values));
  return json_response(201, "team", team, text_at(team, "etag"));
}

Response list_teams(Call& call) {
  auto page = call.records.list(teams, own_teams(call, "id"), call.list_arguments());
  for (auto& team : page.items)
    team.as_object()["remotecis"] = remotecis_of(call.records, text_at(team.as_object(), "id"));
  return list_response("teams", std::move(page));
}

Response get_team(Call& call) {
  auto team = call.records.get(teams, call.ids.front());
  if (!call.user.in_team(call.ids.front()) && !call.user.sees_all()) throw unauthorized();
  team["remotecis"] = remotecis_of(call.records, call.ids.front());
  const auto etag = text_at(team, "etag");
  return json_response(200, "team", std::move(team), etag);
}

Response put_team(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_team_schema, call.json_body());
  require_epm(call);
  require_current_team(call, etag, "update failed, either team not found or etag not matched");
  call.records.update(teams, call.ids.front(), std::move(values));
  const auto team = call.records.select(teams, equals("id", call.ids.front())).front().as_object();
  return json_response(200, "team", team, text_at(team, "etag"));
}

Response delete_team(Call& call) {
  const auto etag = call.required_etag();
  call.records.get(teams, call.ids.front());
  require_admin(call);
  require_current_team(call, etag, "delete failed, either team already deleted or etag not matched");
  call.records.update(teams, call.ids.front(), {{"state", "archived"}});
  call.records.database().query("DELETE FROM users_teams WHERE team_id = ?", {call.ids.front()});
  for (const std::string table : {"files", "remotecis", "jobs"})
    call.records.database().query("UPDATE " + table + " SET state = 'archived' WHERE team_id = ?", {call.ids.front()});
  return empty_response(204);
}

Response list_team_remotecis(Call& call) {
  if (!call.user.in_team(call.ids.front())) throw unauthorized();
  call.records.get(teams, call.ids.front());
  return list_response("remotecis", remotecis_of(call.records, call.ids.front()));
}

Response list_team_products(Call& call) {
  if (!call.user.in_team(call.ids.front())) throw unauthorized();
  call.records.get(teams, call.ids.front());
  return list_response("products",
                       call.records.select(products, {"id IN (SELECT product_id FROM products_teams WHERE team_id = ?)",
                                                      {call.ids.front()}}));
}

Response list_team_users(Call& call) {
  if (!call.user.in_team(call.ids.front())) throw unauthorized();
  call.records.get(teams, call.ids.front());
  return list_response("users", call.records.select(users, {"id IN (SELECT user_id FROM users_teams WHERE team_id = ?)",
                                                            {call.ids.front()}}));
}

Response add_team_user(Call& call) {
  require_epm(call);
  const auto team = call.records.get(teams, call.ids[0]);
  const auto name = text_at(team, "name");
  if (name == "admin" || name == "Red Hat" || name == "EPM") require_admin(call);
  call.records.get(users, call.ids[1]);
  call.records.database().query("INSERT OR IGNORE INTO users_teams (user_id, team_id) VALUES (?,?)",
                                {call.ids[1], call.ids[0]});
  return empty_response(201);
}

Response remove_team_user(Call& call) {
  require_epm(call);
  call.records.get(teams, call.ids[0]);
  call.records.get(users, call.ids[1]);
  call.records.database().query("DELETE FROM users_teams WHERE user_id = ? AND team_id = ?",
                                {call.ids[1], call.ids[0]});
  return empty_response(204);
}

Response share_components(Call& call) {
  require_epm(call);
  auto body = call.json_body();
  check(teams_ids_schema, body);
  call.records.get(teams, call.ids.front());
  try {
    for (const auto& id : ids_in(body.as_object(), "teams_ids"))
      call.records.database().query("INSERT INTO teams_components_access (team_id, access_team_id) VALUES (?,?)",
                                    {call.ids.front(), text_at(call.records.get(teams, id), "id")});
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "conflict when adding component access teams ids", {}};
  }
  return empty_response(201);
}

Response unshare_components(Call& call) {
  require_epm(call);
  auto body = call.json_body();
  check(teams_ids_schema, body);
  call.records.get(teams, call.ids.front());
  for (const auto& id : ids_in(body.as_object(), "teams_ids"))
    call.records.database().query("DELETE FROM teams_components_access WHERE team_id = ? AND access_team_id = ?",
                                  {call.ids.front(), id});
  return empty_response(204);
}

Response list_sharing(Call& call) {
  require_epm(call);
  call.records.get(teams, call.ids.front());
  return list_response(
      "teams",
      call.records.select(
          teams, {"id IN (SELECT access_team_id FROM teams_components_access WHERE team_id = ?)", {call.ids.front()}}));
}

Response create_product(Call& call) {
  auto body = call.json_body();
  check(create_product_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  require_admin(call);
  if (text_at(values, "label").empty()) values["label"] = to_upper(text_at(values, "name"));
  const auto product = call.records.create(products, std::move(values));
  return json_response(201, "product", product, text_at(product, "etag"));
}

Response list_products(Call& call) {
  const auto arguments = call.list_arguments();
  Condition where;
  if (!call.user.sees_all()) {
    const auto mine = is_one_of("team_id", call.user.team_ids());
    where = {"id IN (SELECT product_id FROM products_teams WHERE " + mine.sql + ")", mine.values};
  }
  auto page = call.records.list(products, where, arguments);
  for (auto& product : page.items)
    product.as_object()["topics"] =
        call.records.select(topics, equals("product_id", text_at(product.as_object(), "id")), "ORDER BY rowid");
  return list_response("products", std::move(page));
}

Response get_product(Call& call) {
  auto product = call.records.get(products, call.ids.front());
  if (!call.user.sees_all()) {
    auto mine = is_one_of("team_id", call.user.team_ids());
    mine.both(equals("product_id", call.ids.front()));
    if (call.records.database().query("SELECT 1 FROM products_teams WHERE " + mine.sql, mine.values).empty())
      throw not_found("product");
  }
  product["topics"] = call.records.select(topics, equals("product_id", call.ids.front()), "ORDER BY rowid");
  const auto etag = text_at(product, "etag");
  return json_response(200, "product", std::move(product), etag);
}

Response put_product(Call& call) {
  require_admin(call);
  const auto etag = call.required_etag();
  auto values = clean(update_product_schema, call.json_body());
  if (values.contains("label")) values["label"] = to_upper(text_at(values, "label"));
  call.records.get(products, call.ids.front(), etag);
  call.records.update(products, call.ids.front(), std::move(values));
  const auto product = call.records.get(products, call.ids.front());
  return json_response(200, "product", product, text_at(product, "etag"));
}

Response delete_product(Call& call) {
  const auto etag = call.required_etag();
  require_admin(call);
  call.records.get(products, call.ids.front(), etag);
  call.records.update(products, call.ids.front(), {{"state", "archived"}});
  return empty_response(204);
}

Response attach_team(Call& call) {
  auto body = call.json_body();
  check(product_team_schema, body);
  require_epm(call);
  const auto product = call.records.get(products, call.ids.front());
  const auto team = call.records.get(teams, text_at(body.as_object(), "team_id"));
  try {
    call.records.database().query("INSERT INTO products_teams (product_id, team_id) VALUES (?,?)",
                                  {text_at(product, "id"), text_at(team, "id")});
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "conflict when adding team", {}};
  }
  return json_response(201, json::object{{"product_id", product.at("id")}, {"team_id", team.at("id")}});
}

Response detach_team(Call& call) {
  require_epm(call);
  call.records.get(products, call.ids[0]);
  call.records.get(teams, call.ids[1]);
  call.records.database().query("DELETE FROM products_teams WHERE product_id = ? AND team_id = ?",
                                {call.ids[0], call.ids[1]});
  return empty_response(204);
}

Response list_product_teams(Call& call) {
  call.records.get(products, call.ids.front());
  require_epm(call);
  return list_response(
      "teams", call.records.select(
                   teams, {"id IN (SELECT team_id FROM products_teams WHERE product_id = ?)", {call.ids.front()}}));
}

}  // namespace outpost::sample::handlers
