// Job states and the events of final ones (DCI protocol §5).
#include "samples/control-server/handlers.hpp"

namespace outpost::sample::handlers {
namespace {

/// "killed" is not among them.
bool is_final(std::string_view status) { return status == "success" || status == "failure" || status == "error"; }

}  // namespace

void record_job_event(Records& records, const json::object& job, std::string_view status) {
  records.database().query("INSERT INTO jobs_events (created_at, job_id, topic_id, status) VALUES (?,?,?,?)",
                           {records.now(), text_at(job, "id"), text_at(job, "topic_id"), std::string{status}});
}

Response create_jobstate(Call& call) {
  auto body = call.json_body();
  check(jobstate_schema, body);
  auto values = body.as_object();
  values["id"] = new_uuid();
  values["created_at"] = call.records.now();
  // No check of the team and no rule which status may follow which: the original has none.
  const auto job = call.records.get(jobs, text_at(values, "job_id"));
  const auto status = text_at(values, "status");
  const auto before = text_at(job, "status");
  if ((status == "failure" || status == "error") && (before == "new" || before == "pre-run"))
    values["status"] = "error";
  const auto state = call.records.create(jobstates, std::move(values));
  call.records.update(jobs, text_at(job, "id"), {{"status", status}, {"duration", duration_of(call.records, job)}});
  if (is_final(status) && !is_final(before)) record_job_event(call.records, job, text_at(state, "status"));
  return json_response(201, "jobstate", state);
}

Response get_jobstate(Call& call) {
  auto state = call.records.get(jobstates, call.ids.front());
  state["files"] = call.records.select(files, equals("jobstate_id", call.ids.front()), "ORDER BY rowid");
  return json_response(200, "jobstate", std::move(state));
}

Response delete_jobstate(Call& call) {
  const auto state = call.records.get(jobstates, call.ids.front());
  const auto job = call.records.get(jobs, text_at(state, "job_id"));
  if (!call.user.in_team(text_at(job, "team_id"))) throw unauthorized();
  call.records.database().query("DELETE FROM jobstates WHERE id = ?", {call.ids.front()});
  return empty_response(204);
}

Response list_jobs_events(Call& call) {
  const auto arguments = call.list_arguments();
  if (!call.user.super_admin) throw unauthorized();
  return list_response(
      "jobs_events",
      call.records.list(jobs_events, {"id >= ?", {static_cast<std::int64_t>(std::stoll(call.ids.front()))}},
                        arguments));
}

Response delete_jobs_events(Call& call) {
  if (!call.user.super_admin) throw unauthorized();
  call.records.database().query("DELETE FROM jobs_events WHERE id >= ?",
                                {static_cast<std::int64_t>(std::stoll(call.ids.front()))});
  return empty_response(204);
}

}  // namespace outpost::sample::handlers
