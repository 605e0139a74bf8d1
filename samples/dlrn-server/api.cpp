#include "samples/dlrn-server/api.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "samples/dlrn-server/arguments.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace outpost::sample_builder {

namespace json = boost::json;

namespace {

json::value or_null(const std::string& text) { return text.empty() ? json::value{} : json::value(text); }

json::value sorted(const json::value& value) {
  if (value.is_array()) {
    json::array list;
    for (const auto& one : value.get_array()) list.push_back(sorted(one));
    return list;
  }
  if (!value.is_object()) return value;
  std::map<std::string, json::value> members;
  for (const auto& [name, member] : value.get_object()) members.emplace(name, sorted(member));
  json::object object;
  for (auto& [name, member] : members) object[name] = std::move(member);
  return object;
}

std::string_view phrase(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    default: return "Internal Server Error";
  }
}

json::object parameters_of(std::string_view query) {
  json::object parameters;
  for (const auto& part : split(query, '&')) {
    const auto equals = part.find('=');
    if (equals != std::string::npos) parameters[percent_decode(part.substr(0, equals), true)] = percent_decode(part.substr(equals + 1), true);
  }
  return parameters;
}

/// Neither a user nor a password is in the answer, and it is no JSON.
http::ServerResponse unauthorized(int status, bool kerberos_first) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                      {"WWW-Authenticate", std::string{kerberos_first ? "Negotiate" : "Basic"} + " realm=\"Authentication Required\""}};
  response.body = std::string{"Unauthorized Access"};
  return response;
}

json::object as_object(const json::value& given) {
  if (!given.is_object()) throw Refusal{500, ""};
  return given.get_object();
}

}  // namespace

http::ServerResponse json_answer(int status, const json::value& value) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = json::serialize(sorted(value)) + "\n";
  return response;
}

http::ServerResponse page_answer(int status) {
  const std::string title{phrase(status)};
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"}};
  response.body = "<!doctype html>\n<html lang=en>\n<title>" + std::to_string(status) + ' ' + title + "</title>\n<h1>" + title + "</h1>\n<p>The builder could not do this.</p>\n";
  return response;
}

const Api::Route* Api::find_route(std::string_view method, std::string_view path, bool& path_exists) {
  static constexpr std::array<Route, 14> routes{{
      {"GET", "/api/health", &Api::health},
      {"POST", "/api/health", &Api::health, 200, true},
      {"GET", "/api/last_tested_repo", &Api::last_tested},
      {"POST", "/api/last_tested_repo", &Api::claim_tested, 201},
      {"GET", "/api/repo_status", &Api::repo_status},
      {"GET", "/api/agg_status", &Api::aggregate_status},
      {"POST", "/api/report_result", &Api::report_result, 201},
      {"GET", "/api/promotions", &Api::promotions},
      {"POST", "/api/promote", &Api::promote, 201},
      {"POST", "/api/promote-batch", &Api::promote_batch, 201},
      {"GET", "/api/components", &Api::components},
      {"GET", "/api/metrics/builds", &Api::build_metrics},
      {"POST", "/api/remote/import", &Api::import, 201},
      {"POST", "/api/recheck_package", &Api::recheck, 201, true},
  }};
  path_exists = false;
  for (const auto& route : routes) {
    if (route.path != path) continue;
    path_exists = true;
    if (route.method == method) return &route;
  }
  return nullptr;
}

std::string Api::user_of(const http::ServerRequest& request) const {
  const std::string authorization{request.headers.get("Authorization")};
  for (const auto& [name, password] : options_.users)
    if (authorization == "Basic " + to_base64(name + ':' + password)) return name;
  return "";
}

/// A JSON body wins over the query wherever there is one; a POST has to have it.
json::value Api::given_to(const Route& route, const http::ServerRequest& request, const std::string& body) const {
  const bool is_json = request.headers.get("Content-Type") == "application/json";
  if (route.method == "POST" && !is_json && !route.takes_forms) throw Refusal{415, "Unsupported Media Type, use JSON"};
  if (!is_json) return parameters_of(request.query.empty() ? body : request.query);
  if (body.empty() && route.takes_forms) return json::object{};
  boost::system::error_code broken;
  auto value = json::parse(body, broken);
  if (broken) throw page_answer(400);
  return value;
}

/// Open always, and not JSON.
http::ServerResponse Api::metrics() const {
  std::map<std::string, int> counts{{"succeeded", 0}, {"failed", 0}, {"retry", 0}};
  for (const auto& build : builder_.builds()) ++counts[build.status == "SUCCESS" ? "succeeded" : build.status == "FAILED" ? "failed" : "retry"];
  std::string text;
  const auto tell = [&](const std::string& name, std::size_t value) {
    text += "# TYPE " + name + " counter\n" + name + "{baseurl=\"" + builder_.tree_url() + "\"} " + std::to_string(value) + ".0\n";
  };
  for (const auto& [status, count] : counts) tell("dlrn_builds_" + status + "_total", static_cast<std::size_t>(count));
  tell("dlrn_builds_total", builder_.builds().size());
  http::ServerResponse response;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  response.body = std::move(text);
  return response;
}

http::ServerResponse Api::answer(const http::ServerRequest& request, const std::string& path, const std::string& body) {
  if (path == "/metrics" && request.method == "GET") return metrics();
  bool path_exists = false;
  const Route* route = find_route(request.method, path, path_exists);
  if (route == nullptr) return page_answer(path_exists ? 405 : 404);
  Call call{nullptr, user_of(request)};
  // An open read does not look at credentials, not even at wrong ones.
  if (call.user.empty() && (route->method == "POST" || options_.protected_reads)) return unauthorized(401, options_.kerberos_first);
  try {
    call.given = given_to(*route, request, body);
    auto answer = json_answer(route->status, (this->*route->handler)(call));
    // Of these two the time is a float, everywhere else it is an integer.
    if (path.starts_with("/api/promote") && route->method == "POST") {
      auto& text = std::get<std::string>(answer.body);
      const auto at = text.find_first_not_of("0123456789", text.find("\"timestamp\":") + 12);
      text.insert(at, ".0");
    }
    return answer;
  } catch (const Refusal& refusal) {
    if (refusal.message.empty()) return page_answer(refusal.status);
    return json_answer(refusal.status, {{"message", refusal.message}});
  } catch (const http::ServerResponse& page) {
    return page;
  }
}

json::object Api::row_of(const Vote& vote) const {
  const Build* build = vote.build ? &builder_.builds()[*vote.build] : nullptr;
  const auto of_build = [&](std::string Build::*member) { return build ? or_null(build->*member) : json::value{}; };
  return {{"commit_hash", of_build(&Build::commit)}, {"distro_hash", of_build(&Build::distro)}, {"extended_hash", of_build(&Build::extended)},
          {"component", of_build(&Build::component)}, {"job_id", vote.job_id}, {"success", vote.success}, {"in_progress", vote.in_progress},
          {"timestamp", vote.timestamp}, {"user", vote.user ? json::value(*vote.user) : json::value{}}};
}

json::object Api::row_of(const Promotion& promotion) const {
  const Build& build = builder_.builds()[promotion.build];
  return {{"commit_hash", build.commit}, {"distro_hash", or_null(build.distro)}, {"extended_hash", or_null(build.extended)}, {"component", or_null(build.component)},
          {"aggregate_hash", promotion.aggregate ? json::value(*promotion.aggregate) : json::value{}}, {"repo_hash", build.repo_hash()},
          {"repo_url", builder_.url_of(build)}, {"promote_name", promotion.label}, {"timestamp", promotion.timestamp}, {"user", promotion.user}};
}

json::value Api::health(const Call&) { return json::object{{"result", builder_.builds().empty() ? "ok, no commits in DB" : "ok"}}; }

/// The newest vote that fits. Where a job has none, any job's will do, of any component: the original's mistake.
std::size_t Api::tested_build(const json::object& given) const {
  Arguments arguments{given};
  const auto max_age = arguments.number("max_age", true);
  const auto success = arguments.truth("success");
  const auto sequential = arguments.truth("sequential_mode").value_or(false);
  std::string job_id = arguments.text("job_id");
  const std::string previous = arguments.text("previous_job_id"), component = arguments.text("component");
  if (max_age && *max_age < 0) throw Refusal{400, "Max age parameter must be greater than or equal to 0"};
  if (sequential && previous.empty()) throw Refusal{400, "Missing parameter previous_job_id"};
  arguments.check();
  if (sequential) job_id = previous;
  const std::int64_t since = *max_age == 0 ? 0 : builder_.now() - *max_age * 3600;
  const auto newest = [&](auto fits) {
    const Vote* best = nullptr;
    for (const auto& vote : builder_.votes())
      if (vote.build && vote.timestamp > since && (!success || vote.success == *success) && fits(vote) && (!best || vote.timestamp > best->timestamp)) best = &vote;
    return best;
  };
  const Vote* found = newest([&](const Vote& vote) {
    return vote.job_id != "consistent" && (job_id.empty() || vote.job_id == job_id) && (component.empty() || builder_.builds()[*vote.build].component == component);
  });
  if (!found && !sequential && !job_id.empty()) found = newest([](const Vote&) { return true; });
  if (!found && !sequential)
    found = newest([&](const Vote& vote) { return vote.job_id == "consistent" && (component.empty() || builder_.builds()[*vote.build].component == component); });
  if (!found) throw Refusal{400, "No vote found"};
  return static_cast<std::size_t>(found - builder_.votes().data());
}

json::value Api::last_tested(const Call& call) { return row_of(builder_.votes()[tested_build(as_object(call.given))]); }

json::value Api::claim_tested(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string job_id = arguments.text("reporting_job_id", true);
  arguments.check();
  Vote vote;
  vote.build = builder_.votes()[tested_build(given)].build;
  vote.job_id = job_id;
  vote.in_progress = true;
  vote.timestamp = builder_.now();
  vote.user = call.user;
  return row_of(builder_.votes()[builder_.vote(std::move(vote))]);
}

json::value Api::repo_status(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string commit = arguments.text("commit_hash", true), distro = arguments.text("distro_hash", true), extended = arguments.text("extended_hash");
  const auto success = arguments.truth("success");
  arguments.check();
  const auto build = builder_.find(commit, distro, extended);
  if (!build) throw Refusal{400, "commit_hash+distro_hash+extended_hash combination not found"};
  json::array rows;
  for (const auto& vote : builder_.votes()) {
    if (vote.build != build || (success && vote.success != *success)) continue;
    auto row = row_of(vote);
    row["url"] = vote.url;
    row["notes"] = vote.notes;
    rows.push_back(std::move(row));
  }
  return rows;
}

json::value Api::aggregate_status(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string aggregate = arguments.text("aggregate_hash", true);
  const auto success = arguments.truth("success");
  arguments.check();
  json::array rows;
  for (const auto& vote : builder_.votes())
    if (!vote.build && vote.aggregate == aggregate && (!success || vote.success == *success))
      rows.push_back({{"timestamp", vote.timestamp}, {"aggregate_hash", vote.aggregate}, {"job_id", vote.job_id}, {"success", vote.success},
                      {"in_progress", vote.in_progress}, {"url", vote.url}, {"notes", vote.notes}, {"user", vote.user.value_or("")}});
  return rows;
}

json::value Api::report_result(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  Vote vote;
  vote.timestamp = arguments.number("timestamp", true).value_or(0);
  vote.success = arguments.truth("success", true).value_or(false);
  vote.job_id = arguments.text("job_id", true);
  vote.url = arguments.text("url", true);
  vote.notes = arguments.text("notes");
  vote.aggregate = arguments.text("aggregate_hash");
  const std::string commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), extended = arguments.text("extended_hash");
  if (!vote.aggregate.empty() && (!commit.empty() || !distro.empty())) throw Refusal{400, "aggregate_hash and commit/distro_hash cannot be combined"};
  if (vote.aggregate.empty() && (commit.empty() || distro.empty()))
    throw Refusal{400, "\"Either the aggregate hash or both commit_hash and distro_hash must be provided\""};
  arguments.check();
  if (vote.aggregate.empty()) {
    vote.build = builder_.find(commit, distro, extended);
    if (!vote.build) throw Refusal{400, "commit_hash+distro_hash+extended_hash combination not found"};
  } else if (!builder_.knows_aggregate(vote.aggregate)) {
    throw Refusal{400, "aggregate_hash not found"};
  }
  vote.user = call.user;
  const auto& kept = builder_.votes()[builder_.vote(std::move(vote))];
  auto row = row_of(kept);
  row["url"] = kept.url;
  row["notes"] = kept.notes;
  row["aggregate_hash"] = or_null(kept.aggregate);
  return row;
}

json::value Api::promotions(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), extended = arguments.text("extended_hash");
  const std::string aggregate = arguments.text("aggregate_hash"), label = arguments.text("promote_name"), component = arguments.text("component");
  const auto offset = arguments.number("offset").value_or(0);
  const auto limit = arguments.number("limit");
  if (commit.empty() != distro.empty()) throw Refusal{400, "Both commit_hash and distro_hash must be specified."};
  if (offset < 0 || limit.value_or(0) < 0) throw Refusal{400, "offset and limit must not be negative"};
  arguments.check();
  std::optional<std::size_t> build;
  if (!commit.empty()) {
    build = builder_.find(commit, distro, extended);
    if (!build) throw Refusal{400, "commit_hash+distro_hash+extended_hash combination not found"};
  }
  json::array rows;
  std::int64_t left_out = 0;
  const auto most = limit ? static_cast<std::size_t>(std::min<std::int64_t>(*limit, 100)) : builder_.promotions().size();
  for (auto one = builder_.promotions().rbegin(); one != builder_.promotions().rend() && rows.size() < most; ++one) {
    const bool fits = (!build || one->build == *build) && (aggregate.empty() || one->aggregate == aggregate) && (label.empty() || one->label == label) &&
                      (component.empty() || builder_.builds()[one->build].component == component);
    if (fits && left_out++ >= offset) rows.push_back(row_of(*one));
  }
  return rows;
}

Promotion Api::item_of(const json::value& value, const std::string& user, bool of_batch) const {
  const auto given = as_object(value);
  Arguments arguments{given};
  const std::string commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), extended = arguments.text("extended_hash");
  Promotion item;
  item.label = arguments.text("promote_name", true);
  item.user = user;
  if (commit.empty() || distro.empty()) throw Refusal{400, "Both commit_hash and distro_hash must be specified."};
  arguments.check();
  const auto build = builder_.find(commit, distro, extended);
  if (!build)
    throw Refusal{400, std::string{"commit_hash+distro_hash+extended_hash combination not found"} + (of_batch ? " for " + commit + '_' + distro + '_' + (extended.empty() ? "None" : extended) : "")};
  item.build = *build;
  return item;
}

json::value Api::promote(const Call& call) {
  const std::vector<Promotion> one{item_of(call.given, call.user, false)};
  return row_of(builder_.promote(one).back());
}

json::value Api::promote_batch(const Call& call) {
  if (!call.given.is_array()) throw Refusal{400, "a list is due"};
  std::vector<Promotion> items;
  for (const auto& one : call.given.get_array()) items.push_back(item_of(one, call.user, true));
  return row_of(builder_.promote(items).back());
}

json::value Api::components(const Call&) {
  std::map<std::string, bool> names;
  for (const auto& one : builder_.promotions())
    if (const auto& name = builder_.builds()[one.build].component; !name.empty()) names[name] = true;
  json::array list;
  for (const auto& [name, there] : names) list.emplace_back(name);
  return json::object{{"components", std::move(list)}};
}

json::value Api::build_metrics(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string start = arguments.text("start_date", true), end = arguments.text("end_date", true), package = arguments.text("package_name");
  arguments.check();
  const auto day = [](const std::string& date) {
    const auto moment = date.size() == 10 ? parse_rfc3339(date + "T00:00:00Z") : std::nullopt;
    if (!moment) throw Refusal{400, "Invalid date format, it must be YYYY-mm-dd"};
    return std::chrono::floor<std::chrono::seconds>(*moment).time_since_epoch().count();
  };
  const auto from = day(start), to = day(end);
  std::int64_t succeeded = 0, failed = 0;
  for (const auto& build : builder_.builds()) {
    if (build.built_at < from || build.built_at > to || (!package.empty() && build.project != package)) continue;
    if (build.status == "SUCCESS" && build.built_at < to) ++succeeded;
    if (build.status == "FAILED") ++failed;
  }
  return json::object{{"succeeded", succeeded}, {"failed", failed}, {"total", succeeded + failed}};
}

/// Nothing is fetched: what another builder has is not part of this double.
json::value Api::import(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string url = arguments.text("repo_url", true);
  arguments.check();
  if (!url.starts_with("http://") && !url.starts_with("https://")) throw Refusal{400, "repo_url is no URL"};
  return json::object{{"repo_url", url}};
}

json::value Api::recheck(const Call& call) {
  const auto given = as_object(call.given);
  Arguments arguments{given};
  const std::string package = arguments.text("package_name", true);
  arguments.check();
  const auto last = std::find_if(builder_.builds().rbegin(), builder_.builds().rend(), [&](const Build& build) { return build.project == package; });
  if (last == builder_.builds().rend() || last->status == "RETRY") throw Refusal{400, "no such package to build again"};
  if (last->status == "SUCCESS") throw Refusal{409, "its last build succeeded"};
  return json::object{{"result", "ok"}};
}

}  // namespace outpost::sample_builder
