// Files and JUnit (DCI protocol §6).
#include "samples/control-server/handlers.hpp"
#include "samples/control-server/junit.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <cmath>

namespace outpost::sample::handlers {
namespace {

/// What the headers say. As in the original the "DCI-" is optional, and a header without it counts as well.
json::object values_of_headers(const Call& call) {
  json::object values{
      {"md5", nullptr}, {"mime", nullptr}, {"jobstate_id", nullptr}, {"job_id", nullptr}, {"name", nullptr}};
  for (const auto& [name, value] : call.request.headers) {
    const auto key = replace_all(replace_all(to_lower(name), "dci-", ""), "-", "_");
    if (values.contains(key)) values[key] = json::string{utf8_of_latin1(value)};
  }
  return values;
}

std::string checked_uuid(const json::object& values, std::string_view key) {
  const auto id = normal_uuid(text_at(values, key));
  if (!id) throw invalid_text("uuid", text_at(values, key));
  return *id;
}

/// The newest earlier job that did the same: same topic, remoteci, name, configuration and url.
std::optional<json::object> previous_job(Call& call, const json::object& job) {
  Condition where{"id != ? AND created_at < ? AND state != 'archived'",
                  {text_at(job, "id"), *normal_time(text_at(job, "created_at"))}};
  for (const auto* column : {"topic_id", "remoteci_id", "name", "configuration", "url"})
    where.both(equals(column, text_at(job, column)));
  auto rows = call.records.select(jobs, where, "ORDER BY created_at DESC, rowid DESC LIMIT 1");
  if (rows.empty()) return {};
  return rows.front().as_object();
}

/// The suites of the result with this file's name in the previous job. Two such results break the original (500).
json::array previous_suites(Call& call, const std::optional<json::object>& previous, const std::string& name) {
  if (!previous) return {};
  auto where = equals("job_id", text_at(*previous, "id"));
  const auto results = call.records.select(tests_results, where.both(equals("name", name)));
  if (results.empty()) return {};
  if (results.size() > 1) throw PageError{500, {}, {}};
  const auto file = call.records.get(files, text_at(results.front().as_object(), "file_id"));
  return read_junit(call.objects.path_of("dci-files", file_key(file)));
}

json::array compared_suites(Call& call, const json::object& file, const std::optional<json::object>& previous) {
  auto suites = read_junit(call.objects.path_of("dci-files", file_key(file)));
  compare_with_previous(suites, previous_suites(call, previous, text_at(file, "name")));
  return suites;
}

void store_results(Call& call, const json::object& file, const json::object& job) {
  const auto counts = count_tests(compared_suites(call, file, previous_job(call, job)));
  call.records.create(tests_results, {{"created_at", file.at("created_at")},
                                      {"name", file.at("name")},
                                      {"total", counts.total},
                                      {"success", counts.success},
                                      {"skips", counts.skips},
                                      {"failures", counts.failures},
                                      {"errors", counts.errors},
                                      {"regressions", counts.regressions},
                                      {"successfixes", counts.successfixes},
                                      {"time", static_cast<std::int64_t>(std::llround(counts.time))},
                                      {"job_id", job.at("id")},
                                      {"file_id", file.at("id")}});
}

/// Content-Type as Flask completes it: texts get a charset.
std::string with_charset(const std::string& mime) {
  const bool text = mime.starts_with("text/") || mime == "application/xml" || mime == "application/javascript" ||
                    mime.ends_with("+xml");
  return text && mime.find("charset=") == std::string::npos ? mime + "; charset=utf-8" : mime;
}

std::string disposition(const std::string& name) {
  const auto shown = replace_all(name, " ", "_");
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(shown, is_ascii)) {
    const bool token = !shown.empty() && std::ranges::all_of(shown, [](unsigned char c) {
      return std::isalnum(c) != 0 ||
             std::string_view{"!#$%&'*+-.^_`|~"}.find(static_cast<char>(c)) != std::string_view::npos;
    });
    return "attachment; filename=" +
           (token ? shown : "\"" + replace_all(replace_all(shown, "\\", "\\\\"), "\"", "\\\"") + "\"");
  }
  std::string ascii;
  std::ranges::copy_if(shown, std::back_inserter(ascii), is_ascii);
  return "attachment; filename*=UTF-8''" + percent_encode(shown) + "; filename=" + ascii;
}

json::object readable_file(Call& call) {
  auto file = call.records.get(files, call.ids.front());
  if (!call.user.in_team(text_at(file, "team_id")) && !call.user.read_only) throw unauthorized();
  return file;
}

json::value name_and_id(const std::optional<json::object>& job) {
  if (!job) return nullptr;
  return json::object{{"id", job->at("id")}, {"name", job->at("name")}};
}

}  // namespace

std::string file_key(const json::object& file) {
  return text_at(file, "team_id") + "/" + text_at(file, "job_id") + "/" + text_at(file, "id");
}

Response create_file(Call& call) {
  auto values = values_of_headers(call);
  if (text_at(values, "jobstate_id").empty() && text_at(values, "job_id").empty())
    throw ApiError{400, "HTTP headers DCI-JOBSTATE-ID or DCI-JOB-ID must be specified", {}};
  if (values.at("name").is_null()) throw ApiError{400, "HTTP header DCI-NAME must be specified", {}};
  if (text_at(values, "job_id").empty())
    values["job_id"] = call.records.get(jobstates, checked_uuid(values, "jobstate_id")).at("job_id");
  const auto job = call.records.get(jobs, checked_uuid(values, "job_id"));
  // Only read-only users are refused; other teams are not.
  if (!call.user.in_team(text_at(job, "team_id")) && call.user.read_only) throw unauthorized();
  values["id"] = new_uuid();
  values["team_id"] = job.at("team_id");
  values["md5"] = nullptr;
  values["state"] = "active";
  values["etag"] = new_etag();
  const auto now = call.records.now();
  values["created_at"] = now;
  values["updated_at"] = now;
  const auto stored = call.objects.put("dci-files", file_key(values), call.body, "binary/octet-stream");
  values["size"] = static_cast<std::int64_t>(stored.size);
  const auto file = call.records.create(files, std::move(values));
  call.records.update(jobs, text_at(job, "id"), {{"duration", duration_of(call.records, job)}});
  if (text_at(file, "mime") == "application/junit") store_results(call, file, job);
  return json_response(201, "file", file);
}

Response get_file(Call& call) { return json_response(200, "file", call.records.get(files, call.ids.front())); }

Response get_file_content(Call& call) {
  const auto file = readable_file(call);
  const auto mime = text_at(file, "mime");
  auto response =
      chunked_file(call.objects.path_of("dci-files", file_key(file)), with_charset(mime.empty() ? "text/plain" : mime));
  response.headers.add("Content-Disposition", disposition(text_at(file, "name")));
  return response;
}

Response redirect_to_file(Call& call) {
  const auto file = readable_file(call);
  auto response = empty_response(302);
  response.headers.add("Location",
                       call.objects.presigned_url(call.request.method, call.request, "dci-files", file_key(file)));
  return response;
}

Response get_file_junit(Call& call) {
  const auto file = readable_file(call);
  const auto job = call.records.get(jobs, text_at(file, "job_id"));
  const auto previous = previous_job(call, job);
  return json_response(200, json::object{{"id", file.at("id")},
                                         {"name", file.at("name")},
                                         {"job", name_and_id(job)},
                                         {"previous_job", name_and_id(previous)},
                                         {"testsuites", compared_suites(call, file, previous)}});
}

Response delete_file(Call& call) {
  const auto file = call.records.get(files, call.ids.front());
  if (!call.user.in_team(text_at(file, "team_id"))) throw unauthorized();
  call.records.update(files, call.ids.front(), {{"state", "archived"}});
  call.records.update(jobs, text_at(file, "job_id"), {});
  return empty_response(204);
}

}  // namespace outpost::sample::handlers
