#include "samples/dlrn-server/api.hpp"

#include "samples/dlrn-server/answers.hpp"
#include "samples/dlrn-server/graphql.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

namespace outpost::sample_builder {

namespace json = boost::json;

json::value or_null(const std::string& text) { return text.empty() ? json::value{} : json::value(text); }
json::value or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value{}; }

const json::object& as_object(const json::value& given) {
  if (!given.is_object()) throw Refusal{400, "Errors detected: 1 {'__root__': 'an object is due'}"};
  return given.get_object();
}

const Api::Route* Api::find_route(std::string_view method, std::string_view path, std::string& allowed) {
  static constexpr std::array<Route, 19> routes{{
      {"GET", "/api/health", &Api::health, Input::none},
      {"POST", "/api/health", &Api::health, Input::none},
      {"GET", "/api/last_tested_repo", &Api::last_tested},
      {"POST", "/api/last_tested_repo", &Api::claim_tested, Input::json, 201},
      {"GET", "/api/repo_status", &Api::repo_status},
      {"GET", "/api/agg_status", &Api::aggregate_status},
      {"POST", "/api/report_result", &Api::report_result, Input::json, 201},
      {"GET", "/api/promotions", &Api::promotions},
      {"POST", "/api/promote", &Api::promote, Input::json, 201},
      {"POST", "/api/promote-batch", &Api::promote_batch, Input::json, 201},
      {"GET", "/api/components", &Api::components, Input::none},
      {"GET", "/api/metrics/builds", &Api::build_metrics},
      {"POST", "/api/remote/import", &Api::import, Input::json, 201},
      {"POST", "/api/recheck_package", &Api::recheck, Input::any, 201},
      {"GET", "/api/civotes.html", &Api::votes_page, Input::any, 200, true},
      {"GET", "/api/civotes_agg.html", &Api::votes_page, Input::any, 200, true},
      {"GET", "/api/civotes_detail.html", &Api::votes_of_build_page, Input::any, 200, true},
      {"GET", "/api/civotes_agg_detail.html", &Api::votes_of_aggregate_page, Input::any, 200, true},
      {"GET", "/api/report.html", &Api::report_page, Input::none, 200, true},
  }};
  for (const auto& route : routes) {
    if (route.path != path) continue;
    if (route.method == method) return &route;
    allowed += (allowed.empty() ? "" : ", ") + std::string{route.method};
  }
  return nullptr;
}

/// A JSON body wins over the query wherever there is one.
json::value Api::given_to(const Route& route, const http::ServerRequest& request, const std::string& body) {
  if (route.input == Input::none) return {};
  if (route.input == Input::json && request.headers.get("Content-Type") != "application/json") throw Refusal{415, "Unsupported Media Type, use JSON"};
  const std::string type = media_type_of(request);
  if (!is_json(type)) return parameters_of(!request.query.empty() ? request.query : type == "application/x-www-form-urlencoded" ? body : std::string{});
  boost::system::error_code broken;
  auto value = json::parse(body, broken);
  if (broken) throw page_answer(400);
  return value;
}

http::ServerResponse Api::answer(const http::ServerRequest& request, const std::string& path, const std::string& body) {
  // As a GET; whoever sends it leaves the body out.
  const std::string_view method = request.method == "HEAD" ? std::string_view{"GET"} : request.method;
  if (path == "/metrics" && method == "GET") return metrics();
  if (path == "/api/graphql") {
    if (options_.graphql) return graphql_answer(builder_, request, body);
    return json_answer(501, {{"message", "this builder lacks the libraries for GraphQL"}});
  }
  std::string allowed = path == "/metrics" ? "GET" : "";
  if (const Route* route = find_route(method, path, allowed)) return call(*route, request, body);
  auto page = page_answer(allowed.empty() ? 404 : 405);
  if (!allowed.empty()) page.headers.set("Allow", allowed);
  return page;
}

http::ServerResponse Api::call(const Route& route, const http::ServerRequest& request, const std::string& body) {
  const bool writes = route.method == "POST";
  Call made;
  // An open read does not look at credentials, not even at wrong ones.
  if (writes || options_.protected_reads) {
    auto asker = options_.asker_of(request, writes);
    if (asker.refusal) return std::move(*asker.refusal);
    made.user = asker.user;
  }
  try {
    made.given = given_to(route, request, body);
    const auto value = (this->*route.handler)(made);
    return route.is_page ? html_answer(std::string{value.get_string()}) : json_answer(route.status, value);
  } catch (const Refusal& refusal) {
    if (refusal.message.empty()) return page_answer(refusal.status);
    return json_answer(refusal.status, {{"message", refusal.message}});
  } catch (const http::ServerResponse& page) {
    return page;
  }
}

json::value Api::health(const Call&) { return json::object{{"result", builder_.builds().empty() ? "ok, no commits in DB" : "ok"}}; }

/// Open always, and not JSON.
http::ServerResponse Api::metrics() const {
  const auto count = [&](std::string_view status) {
    return std::count_if(builder_.builds().begin(), builder_.builds().end(), [&](const Build& build) { return !build.status.empty() && (status.empty() || build.status == status); });
  };
  std::string text;
  const auto tell = [&](const std::string& name, const std::string& what, std::string_view status) {
    text += "# HELP " + name + " Total number of " + what + "\n# TYPE " + name + " counter\n" + name + "{baseurl=\"" + builder_.tree_url() + "\"} " + std::to_string(count(status)) + ".0\n";
  };
  tell("dlrn_builds_succeeded_total", "successful builds", "SUCCESS");
  tell("dlrn_builds_failed_total", "failed builds", "FAILED");
  tell("dlrn_builds_retry_total", "builds in retry state", "RETRY");
  tell("dlrn_builds_total", "builds", "");
  http::ServerResponse response;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  response.body = std::move(text);
  return response;
}

}  // namespace outpost::sample_builder
