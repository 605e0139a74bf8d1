#include "plugins/dlrn/api.hpp"

#include "agent/base/text.hpp"
#include "agent/http/url.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>

namespace outpost::dlrn {
namespace {

namespace json = boost::json;
using boost::asio::awaitable;

/// Promotions are carried out while we wait, link by link.
constexpr std::chrono::seconds promotion_patience{300};

/// Seconds since the epoch: /promote answers a float where everything else answers an integer.
std::chrono::sys_seconds moment_at(const json::object& row, std::string_view key) {
  const auto* value = row.if_contains(key);
  boost::system::error_code not_a_number;
  const double seconds = value ? value->to_number<double>(not_a_number) : 0;
  constexpr double year_9999 = 253'402'300'799.0;
  if (not_a_number || !(std::abs(seconds) <= year_9999)) return {};
  return std::chrono::sys_seconds{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
}

BuildHash build_of(const json::object& row) {
  return {job::text_at(row, "commit_hash"), job::text_at(row, "distro_hash"), job::text_at(row, "extended_hash")};
}

Vote vote_of(const json::object& row) {
  Vote vote;
  vote.job_id = job::text_at(row, "job_id");
  vote.build = build_of(row);
  vote.aggregate = job::text_at(row, "aggregate_hash");
  vote.component = job::text_at(row, "component");
  vote.success = job::flag_at(row, "success");
  vote.in_progress = job::flag_at(row, "in_progress");
  vote.timestamp = moment_at(row, "timestamp");
  vote.url = job::text_at(row, "url");
  vote.notes = job::text_at(row, "notes");
  vote.user = job::text_at(row, "user");
  return vote;
}

Promotion promotion_of(const json::object& row) {
  Promotion promotion;
  promotion.build = build_of(row);
  promotion.label = job::text_at(row, "promote_name");
  promotion.component = job::text_at(row, "component");
  promotion.aggregate = job::text_at(row, "aggregate_hash");
  promotion.repo_url = job::text_at(row, "repo_url");
  promotion.repo_hash = job::text_at(row, "repo_hash");
  promotion.user = job::text_at(row, "user");
  promotion.timestamp = moment_at(row, "timestamp");
  return promotion;
}

Failure not_due(std::string_view what, bool changes) {
  Failure failure;
  failure.message = std::string{what} + ": JSON, but not what a builder answers: is this the base of its API?";
  failure.uncertain = changes;
  return failure;
}

template <class Row>
Answer<std::vector<Row>> rows_of(const Answer<json::value>& answer, std::string_view what,
                                 Row (*read)(const json::object&)) {
  if (!answer) return answer.error();
  if (!answer->is_array()) return not_due(what, false);
  std::vector<Row> rows;
  for (const auto& row : answer->get_array())
    if (row.is_object()) rows.push_back(read(row.get_object()));
  return rows;
}

template <class Row>
Answer<Row> row_of(const Answer<json::value>& answer, std::string_view what, Row (*read)(const json::object&),
                   bool changes) {
  if (!answer) return answer.error();
  if (!answer->is_object()) return not_due(what, changes);
  return read(answer->get_object());
}

void put_build(json::object& body, const BuildHash& build) {
  body["commit_hash"] = build.commit;
  body["distro_hash"] = build.distro;
  if (!build.extended.empty()) body["extended_hash"] = build.extended;
}

json::object body_of(const Promote& item) {
  json::object body;
  put_build(body, item.build);
  body["promote_name"] = item.label;
  return body;
}

/// The conditions, named as the API names them, for a query and for a body alike.
std::vector<std::pair<std::string, json::value>> conditions_of(const TestedQuery& query) {
  std::vector<std::pair<std::string, json::value>> conditions{{"max_age", query.max_age.count()}};
  if (query.success) conditions.emplace_back("success", *query.success);
  if (!query.job_id.empty()) conditions.emplace_back("job_id", query.job_id);
  if (query.sequential) conditions.emplace_back("sequential_mode", true);
  if (!query.previous_job_id.empty()) conditions.emplace_back("previous_job_id", query.previous_job_id);
  if (!query.component.empty()) conditions.emplace_back("component", query.component);
  return conditions;
}

Answer<std::string> health_of(const Answer<json::value>& answer, std::string_view what) {
  if (!answer) return answer.error();
  if (!answer->is_object() || !answer->get_object().contains("result")) return not_due(what, false);
  return job::text_at(answer->get_object(), "result");
}

}  // namespace

Result<Api> Api::make(http::Client& client, const Clock& clock, Options options) {
  options.base = trim(options.base);
  while (options.base.ends_with('/')) options.base.pop_back();
  const auto parsed = http::parse_url(options.base);
  if (!parsed) return Error{parsed.error()}.in("the url of the builder's API");
  if (options.base.find_first_of("?#") != std::string::npos)
    return Error{Fault::malformed, "the url of the builder's API: it has a query or fragment (example: https://trunk.rdoproject.org/api-centos9-master-uc)"};
  return Api{client, clock, std::move(options)};
}

std::string Api::user() const { return options_.authorization ? options_.authorization->user() : ""; }

awaitable<Answer<json::value>> Api::send(http::Request request, Asked asked, bool with_user) const {
  asked.sent_at = clock_->now();
  request.headers.set("Accept", "application/json");
  Authorization* const signs = with_user ? options_.authorization.get() : nullptr;
  for (bool first = true;; first = false) {
    if (signs) {
      asked.user = signs->user();
      const auto header = co_await signs->header();
      if (!header) {
        Failure failure;
        failure.meaning = header.error().fault == Fault::credentials ? Meaning::fix_credentials : Meaning::retry_later;
        failure.message = asked.what + ": not sent: " + header.error().message;
        co_return failure;
      }
      request.headers.set("Authorization", *header);
    }
    http::Request same = request;
    const auto response = co_await client_->send(std::move(same));
    if (!response) co_return judge(response.error(), asked);
    // Nothing was done. The client may have sent a read twice, and a token is taken once.
    if (first && signs && response->status == 401 && signs->refused()) continue;
    auto answer = judge(*response, asked);
    if (answer || !options_.authorization) co_return answer;
    Failure failure = answer.error();
    failure.message = options_.authorization->without_secrets(std::move(failure.message));
    co_return failure;
  }
}

awaitable<Answer<json::value>> Api::get(std::string path, Query query) const {
  http::Request request;
  // No content type: with one of JSON the builder would read the parameters from the body, and ignore these.
  request.url = options_.base + path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    request.url += separator + name + '=' + percent_encode(value);
    separator = '&';
  }
  request.idle_timeout = options_.idle_timeout;
  Asked asked{.what = "GET " + path};
  co_return co_await send(std::move(request), std::move(asked), options_.protected_reads);
}

awaitable<Answer<json::value>> Api::post(std::string path, json::value body, bool changes) const {
  Asked asked{.what = "POST " + path, .changes = changes};
  if (!may_write()) {
    Failure failure;
    failure.meaning = Meaning::fix_credentials;
    failure.message = asked.what + ": not sent: the builder takes this only from users, and no credentials are configured";
    co_return failure;
  }
  http::Request request;
  request.method = "POST";
  request.url = options_.base + path;
  request.headers.set("Content-Type", "application/json");  // Exactly this: a charset is refused with 415.
  request.body = json::serialize(body);
  request.idle_timeout = options_.idle_timeout;
  if (path.starts_with("/api/promote")) request.idle_timeout = std::max<std::chrono::milliseconds>(request.idle_timeout, promotion_patience);
  co_return co_await send(std::move(request), std::move(asked), true);
}

awaitable<Answer<std::string>> Api::health() const {
  std::string path = "/api/health";
  Query none;
  const auto answer = co_await get(std::move(path), std::move(none));
  co_return health_of(answer, "GET /api/health");
}

awaitable<Answer<std::string>> Api::check_credentials() const {
  std::string path = "/api/health";
  json::value nothing(json::object{});
  const auto answer = co_await post(std::move(path), std::move(nothing), false);
  co_return health_of(answer, "POST /api/health");
}

awaitable<Answer<std::vector<Vote>>> Api::votes(BuildHash build) const {
  std::string path = "/api/repo_status";
  Query query{{"commit_hash", build.commit}, {"distro_hash", build.distro}};
  if (!build.extended.empty()) query.emplace_back("extended_hash", build.extended);
  const auto answer = co_await get(std::move(path), std::move(query));
  co_return rows_of<Vote>(answer, "GET /api/repo_status", vote_of);
}

awaitable<Answer<std::vector<Vote>>> Api::aggregate_votes(std::string aggregate) const {
  std::string path = "/api/agg_status";
  Query query{{"aggregate_hash", std::move(aggregate)}};
  const auto answer = co_await get(std::move(path), std::move(query));
  co_return rows_of<Vote>(answer, "GET /api/agg_status", vote_of);
}

awaitable<Answer<Vote>> Api::last_tested(TestedQuery query) const {
  std::string path = "/api/last_tested_repo";
  Query parameters;
  for (const auto& [name, value] : conditions_of(query))
    parameters.emplace_back(name, value.is_string() ? std::string{value.get_string()} : json::serialize(value));
  const auto answer = co_await get(std::move(path), std::move(parameters));
  co_return row_of<Vote>(answer, "GET /api/last_tested_repo", vote_of, false);
}

awaitable<Answer<Vote>> Api::claim_tested(TestedQuery query, std::string reporting_job) const {
  std::string path = "/api/last_tested_repo";
  json::object body{{"reporting_job_id", reporting_job}};
  for (auto& [name, value] : conditions_of(query)) body[name] = std::move(value);
  json::value whole(std::move(body));
  const auto answer = co_await post(std::move(path), std::move(whole));
  co_return row_of<Vote>(answer, "POST /api/last_tested_repo", vote_of, true);
}

awaitable<Answer<Vote>> Api::report(Report report) const {
  std::string path = "/api/report_result";
  json::object body{{"job_id", report.job_id},
                    {"success", report.success},
                    {"url", report.url},
                    {"timestamp", report.timestamp.time_since_epoch().count()}};
  if (!report.notes.empty()) body["notes"] = report.notes;
  // Both at once are refused, and of an aggregate the builder knows nothing else.
  if (report.aggregate.empty()) put_build(body, report.build);
  else body["aggregate_hash"] = report.aggregate;
  json::value whole(std::move(body));
  const auto answer = co_await post(std::move(path), std::move(whole));
  co_return row_of<Vote>(answer, "POST /api/report_result", vote_of, true);
}

awaitable<Answer<std::vector<Promotion>>> Api::promotions(PromotionQuery query) const {
  std::string path = "/api/promotions";
  Query parameters;
  if (query.build) {
    parameters.emplace_back("commit_hash", query.build->commit);
    parameters.emplace_back("distro_hash", query.build->distro);
    if (!query.build->extended.empty()) parameters.emplace_back("extended_hash", query.build->extended);
  }
  if (!query.aggregate.empty()) parameters.emplace_back("aggregate_hash", query.aggregate);
  if (!query.label.empty()) parameters.emplace_back("promote_name", query.label);
  if (!query.component.empty()) parameters.emplace_back("component", query.component);
  if (query.offset > 0) parameters.emplace_back("offset", std::to_string(query.offset));
  parameters.emplace_back("limit", std::to_string(query.limit));  // Without one the whole history comes.
  const auto answer = co_await get(std::move(path), std::move(parameters));
  co_return rows_of<Promotion>(answer, "GET /api/promotions", promotion_of);
}

awaitable<Answer<std::vector<std::string>>> Api::components() const {
  std::string path = "/api/components";
  Query none;
  const auto answer = co_await get(std::move(path), std::move(none));
  if (!answer) co_return answer.error();
  if (!answer->is_object() || !answer->get_object().contains("components"))
    co_return not_due("GET /api/components", false);
  co_return job::texts_at(answer->get_object(), "components");
}

awaitable<Answer<Promotion>> Api::promote(Promote item) const {
  std::string path = "/api/promote";
  json::value body(body_of(item));
  const auto answer = co_await post(std::move(path), std::move(body));
  co_return row_of<Promotion>(answer, "POST /api/promote", promotion_of, true);
}

awaitable<Answer<Promotion>> Api::promote_batch(std::vector<Promote> items) const {
  if (items.empty()) {
    Failure nothing;
    nothing.meaning = Meaning::refused;
    nothing.message = "POST /api/promote-batch: not sent: there is nothing to promote";
    co_return nothing;
  }
  std::string path = "/api/promote-batch";
  json::array array;
  for (const auto& item : items) array.emplace_back(body_of(item));
  json::value body(std::move(array));
  const auto answer = co_await post(std::move(path), std::move(body));
  co_return row_of<Promotion>(answer, "POST /api/promote-batch", promotion_of, true);
}

}  // namespace outpost::dlrn
