// Pipelines (DCI protocol §8).
#include "samples/control-server/handlers.hpp"

namespace outpost::sample::handlers {
namespace {

json::object with_team(Records& records, json::object pipeline) {
  auto rows = records.select(teams, equals("id", text_at(pipeline, "team_id")));
  pipeline["team"] = rows.empty() ? json::value(nullptr) : rows.front();
  return pipeline;
}

}  // namespace

Response create_pipeline(Call& call) {
  auto body = call.json_body();
  check(create_pipeline_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  return json_response(201, "pipeline", call.records.create(pipelines, std::move(values)));
}

Response list_pipelines(Call& call) {
  auto page = call.records.list(pipelines, own_teams(call), call.list_arguments());
  for (auto& pipeline : page.items) pipeline = with_team(call.records, std::move(pipeline.as_object()));
  return list_response("pipelines", std::move(page));
}

Response get_pipeline(Call& call) {
  return json_response(200, "pipeline", with_team(call.records, call.records.get(pipelines, call.ids.front())));
}

/// All of them, oldest first, not paged.
Response list_pipeline_jobs(Call& call) {
  const auto pipeline = call.records.get(pipelines, call.ids.front());
  if (!call.user.sees_all() && !call.user.in_team(text_at(pipeline, "team_id"))) throw unauthorized();
  auto where = equals("pipeline_id", call.ids.front());
  where.sql += " AND state != 'archived'";
  json::array list;
  for (const auto& job : call.records.select(jobs, where.both(own_teams(call)), "ORDER BY created_at, rowid")) {
    auto shown = embedded_job(call.records, job.as_object());
    shown.erase("pipeline");  // Neither is loaded for this list.
    shown.erase("keys_values");
    list.emplace_back(std::move(shown));
  }
  return list_response("jobs", std::move(list));
}

Response put_pipeline(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_pipeline_schema, call.json_body());
  const auto pipeline = call.records.get(pipelines, call.ids.front(), etag);
  if (!call.user.in_team(text_at(pipeline, "team_id"))) throw unauthorized();
  call.records.update(pipelines, call.ids.front(), std::move(values));
  const auto changed = call.records.get(pipelines, call.ids.front());
  return json_response(200, "pipeline", changed, text_at(changed, "etag"));
}

Response delete_pipeline(Call& call) {
  const auto etag = call.required_etag();
  const auto pipeline = call.records.get(pipelines, call.ids.front(), etag);
  const auto& user = call.user;
  if ((!user.in_team(text_at(pipeline, "team_id")) || user.read_only) && !user.is_epm()) throw unauthorized();
  call.records.update(pipelines, call.ids.front(), {{"state", "archived"}});
  return empty_response(204);
}

}  // namespace outpost::sample::handlers
