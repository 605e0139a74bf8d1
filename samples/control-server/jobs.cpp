// Reading and changing jobs (DCI protocol §4.4, §4.5).
#include "samples/control-server/handlers.hpp"

#include "agent/base/clock.hpp"

namespace outpost::sample::handlers {
namespace {

json::array job_components(Records& records, const std::string& job) {
  json::array list;
  for (const auto& row :
       records.database().query("SELECT component_id FROM jobs_components WHERE job_id = ? ORDER BY rowid", {job}))
    for (auto& component : records.select(components, equals("id", text_of(row.front()))))
      list.push_back(std::move(component));
  return list;
}

json::array keys_values(Records& records, const std::string& job) {
  json::array list;
  for (const auto& row :
       records.database().query("SELECT key, value FROM jobs_keys_values WHERE job_id = ? ORDER BY rowid", {job}))
    list.push_back({{"job_id", job}, {"key", text_of(row[0])}, {"value", std::get<double>(row[1])}});
  return list;
}

/// The one row that a column of the job points to, archived or not; null when it points nowhere.
json::value pointed(Records& records, const Table& table, const json::object& job, std::string_view column) {
  const auto id = text_at(job, column);
  if (id.empty()) return nullptr;
  auto rows = records.select(table, equals("id", id));
  return rows.empty() ? json::value(nullptr) : rows.front();
}

/// A job that the caller may see; to others it does not exist.
json::object visible_job(Call& call) {
  auto where = equals("id", call.ids.front());
  where.sql += " AND state != 'archived'";
  where.both(own_teams(call));
  auto rows = call.records.select(jobs, where);
  if (rows.empty()) throw not_found("job");
  return rows.front().as_object();
}

json::object own_job(Call& call) {
  auto job = call.records.get(jobs, call.ids.front());
  if (!call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  return job;
}

/// For lists below a job: the job exists, and the caller may look inside.
json::object readable_job(Call& call) {
  auto job = call.records.get(jobs, call.ids.front());
  if (!call.user.sees_all() && !call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  return job;
}

}  // namespace

json::object embedded_job(Records& records, json::object job) {
  const auto id = text_at(job, "id");
  job["components"] = job_components(records, id);
  job["remoteci"] = pointed(records, remotecis, job, "remoteci_id");
  job["topic"] = pointed(records, topics, job, "topic_id");
  job["team"] = pointed(records, teams, job, "team_id");
  job["pipeline"] = pointed(records, pipelines, job, "pipeline_id");
  job["results"] = records.select(tests_results, equals("job_id", id), "ORDER BY rowid");
  job["keys_values"] = keys_values(records, id);
  return job;
}

std::int64_t duration_of(const Records& records, const json::object& job) {
  const auto created = parse_rfc3339(text_at(job, "created_at"));
  return created ? std::chrono::duration_cast<std::chrono::seconds>(records.time() - *created).count() : 0;
}

Response list_jobs(Call& call) {
  auto page = call.records.list(jobs, own_teams(call), call.list_arguments());
  for (auto& job : page.items) {
    job.as_object().erase("data");
    job = embedded_job(call.records, std::move(job.as_object()));
  }
  return list_response("jobs", std::move(page));
}

Response get_job(Call& call) {
  auto job = embedded_job(call.records, visible_job(call));
  const auto id = text_at(job, "id");
  job["jobstates"] = call.records.select(jobstates, equals("job_id", id), "ORDER BY created_at, rowid");
  job["files"] = call.records.select(files, {"job_id = ? AND jobstate_id IS NULL AND state != 'archived'", {id}},
                                     "ORDER BY rowid");
  const auto etag = text_at(job, "etag");
  return json_response(200, "job", std::move(job), etag);
}

Response put_job(Call& call) {
  const auto etag = call.required_etag();
  auto values = clean(update_job_schema, call.json_body());
  const auto job = call.records.get(jobs, call.ids.front(), etag);
  if (!call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  const auto status = text_at(values, "status");
  if (!status.empty() && status != text_at(job, "status")) {
    call.records.create(jobstates, {{"job_id", job.at("id")}, {"status", status}});
    if (status == "success" || status == "failure" || status == "error") record_job_event(call.records, job, status);
  }
  call.records.update(jobs, call.ids.front(), std::move(values));
  const auto changed = call.records.get(jobs, call.ids.front());
  return json_response(200, "job", changed, text_at(changed, "etag"));
}

Response delete_job(Call& call) {
  const auto etag = call.required_etag();
  const auto job = call.records.get(jobs, call.ids.front(), etag);
  if (!call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  call.records.update(jobs, call.ids.front(), {{"state", "archived"}});
  call.records.database().query("UPDATE files SET state = 'archived' WHERE job_id = ?", {call.ids.front()});
  return empty_response(204);
}

Response list_job_components(Call& call) {
  return list_response("components", job_components(call.records, text_at(visible_job(call), "id")));
}

Response add_job_component(Call& call) {
  auto body = call.json_body();
  check(add_component_schema, body);
  const auto job = call.records.get(jobs, call.ids.front());
  const auto component = call.records.get(components, text_at(body.as_object(), "id"));
  if (is_another_teams_component(call, component)) throw unauthorized();
  call.records.database().query("INSERT OR IGNORE INTO jobs_components (job_id, component_id) VALUES (?,?)",
                                {text_at(job, "id"), text_at(component, "id")});
  return empty_response(201);
}

Response remove_job_component(Call& call) {
  const auto job = call.records.get(jobs, call.ids[0]);
  call.records.get(components, call.ids[1]);
  if (!call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  call.records.database().query("DELETE FROM jobs_components WHERE job_id = ? AND component_id = ?",
                                {call.ids[0], call.ids[1]});
  return empty_response(201);
}

Response list_job_jobstates(Call& call) {
  call.records.get(jobs, call.ids.front());
  const auto arguments = call.list_arguments();
  const auto job = readable_job(call);
  auto page = call.records.list(jobstates, equals("job_id", text_at(job, "id")), arguments);
  for (auto& state : page.items)
    state.as_object()["files"] =
        call.records.select(files, equals("jobstate_id", text_at(state.as_object(), "id")), "ORDER BY rowid");
  return list_response("jobstates", std::move(page));
}

Response list_job_files(Call& call) {
  const auto arguments = call.list_arguments();
  const auto job = readable_job(call);
  return list_response("files", call.records.list(files, equals("job_id", text_at(job, "id")), arguments));
}

Response list_job_results(Call& call) {
  const auto job = readable_job(call);
  json::array results;
  for (const auto& value : call.records.select(tests_results, equals("job_id", text_at(job, "id")), "ORDER BY rowid")) {
    json::object shown{{"filename", value.at("name")}};
    for (const auto* key :
         {"name", "total", "failures", "errors", "skips", "time", "regressions", "successfixes", "success", "file_id"})
      shown[key] = value.at(key);
    results.emplace_back(std::move(shown));
  }
  return list_response("results", std::move(results));
}

Response add_job_kv(Call& call) {
  auto body = call.json_body();
  check(create_kv_schema, body);
  auto values = body.as_object();
  const auto job = own_job(call);
  if (characters_in(text_at(values, "key")) > 255)
    throw ApiError{400, "We are unable to create this resource. Please contact a DCI administrator.", {}};
  try {
    call.records.database().query("INSERT INTO jobs_keys_values (job_id, key, value) VALUES (?,?,?)",
                                  {text_at(job, "id"), text_at(values, "key"), values.at("value").to_number<double>()});
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "We are unable to create this resource. A similar resource already exists.", {}};
  }
  call.records.update(jobs, text_at(job, "id"), {});
  values["job_id"] = job.at("id");
  return json_response(201, "kv", std::move(values));
}

Response delete_job_kv(Call& call) {
  auto body = call.json_body();
  check(delete_kv_schema, body);
  const auto job = own_job(call);
  call.records.database().query("DELETE FROM jobs_keys_values WHERE job_id = ? AND key = ?",
                                {text_at(job, "id"), text_at(body.as_object(), "key")});
  call.records.update(jobs, text_at(job, "id"), {});
  return empty_response(204);
}

/// The original calls its own function with arguments that it does not take.
Response broken_post_of_job_files(Call& call) {
  auto body = call.json_body();
  check(create_job_schema, body);
  throw PageError{500, {}, {}};
}

}  // namespace outpost::sample::handlers
