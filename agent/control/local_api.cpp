#include "agent/control/local_api.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>

namespace outpost::control {
namespace {

namespace json = boost::json;
namespace asio = boost::asio;
using http::ServerRequest;
using http::ServerResponse;

ServerResponse answer(int status, const json::value& body) {
  ServerResponse response;
  response.status = status;
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Cache-Control", "no-store");
  response.body = json::serialize(body) + "\n";
  return response;
}

ServerResponse problem(int status, std::string_view message) {
  return answer(status, json::object{{"error", json::object{{"message", message}}}});
}

ServerResponse problem(const Error& error) {
  switch (error.fault) {
    case Fault::malformed: return problem(400, error.message);
    case Fault::unavailable: return problem(404, error.message);
    case Fault::refused: return problem(409, error.message);
    default: return problem(500, error.message);
  }
}

ServerResponse only(std::string_view method) {
  auto response = problem(405, "this path takes " + std::string{method} + " only");
  response.headers.set("Allow", std::string{method});
  return response;
}

/// The number at `limit=` of a query; nothing when it is not one from 1 to 1000.
std::optional<std::size_t> limit_of(const std::string& query) {
  std::size_t limit = 50;
  for (const auto& part : split(query, '&')) {
    if (part.empty()) continue;
    if (!part.starts_with("limit=")) return std::nullopt;
    const char* end = part.data() + part.size();
    const auto [rest, error] = std::from_chars(part.data() + 6, end, limit);
    if (error != std::errc{} || rest != end || limit < 1 || limit > 1000) return std::nullopt;
  }
  return limit;
}

/// The body, {} when there is none.
asio::awaitable<Result<json::object>> read_object(ServerRequest& request) {
  const auto body = co_await request.read_all(64 * 1024);
  if (!body) co_return body.error();
  if (body->empty()) co_return json::object{};
  boost::system::error_code error;
  json::value parsed = json::parse(*body, error);
  if (error || !parsed.is_object()) co_return Error{Fault::malformed, "the body is not a JSON object"};
  co_return std::move(parsed.get_object());
}

asio::awaitable<ServerResponse> cancel_job(AgentControl& agent, ServerRequest& request, std::string job_id) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reason = job::text_at(*body, "reason");
  if (reason.empty()) reason = "cancelled by an operator";
  const auto cancelled = agent.cancel(job_id, reason);
  if (!cancelled) co_return problem(cancelled.error());
  co_return answer(202, json::object{{"job_id", job_id}, {"cancelling", true}});
}

asio::awaitable<ServerResponse> run_job(AgentControl& agent, ServerRequest& request) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string name = job::text_at(*body, "name");
  if (name.empty()) co_return problem(400, "the name of a job of the configuration is due: {\"name\": ...}");
  const auto made = co_await agent.run_job(std::move(name));
  if (!made) co_return problem(made.error());
  co_return answer(202, json::object{{"job_id", *made}});
}

/// retry, hold or release.
asio::awaitable<ServerResponse> steer_job(AgentControl& agent, ServerRequest& request, std::string id, std::string what) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reason = job::text_at(*body, "reason"), job_id = id;
  if (what == "retry") {
    const auto made = co_await agent.retry_job(std::move(job_id));
    co_return made ? answer(202, json::object{{"job_id", *made}, {"retries", id}}) : problem(made.error());
  }
  Result<void> done;
  if (what == "hold") done = co_await agent.hold_job(std::move(job_id), std::move(reason));
  else done = co_await agent.release_job(std::move(job_id));
  co_return done ? answer(200, json::object{{"job_id", id}, {"held", what == "hold"}}) : problem(done.error());
}

asio::awaitable<ServerResponse> acknowledge(AgentControl& agent, ServerRequest& request) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const std::string key = job::text_at(*body, "key");
  if (key.empty()) co_return problem(400, "the key of an alarm is due: {\"key\": ...}");
  const auto acknowledged = agent.acknowledge(key);
  if (!acknowledged) co_return problem(acknowledged.error());
  co_return answer(200, json::object{{"key", key}, {"acknowledged", true}});
}

Scope scope_in(const json::object& body) { return {job::text_at(body, "source"), job::text_at(body, "resource")}; }

/// pause, resume or drain; each answers with what is claimed from now on.
asio::awaitable<ServerResponse> steer_claims(AgentControl& agent, ServerRequest& request, std::string what) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  Scope scope = scope_in(*body);
  std::string reason = job::text_at(*body, "reason");
  Result<json::object> done = Error{};
  if (what == "pause") done = co_await agent.pause(std::move(scope), std::move(reason));
  else if (what == "resume") done = co_await agent.resume(std::move(scope), job::flag_at(*body, "all"));
  else done = co_await agent.drain(std::move(reason));
  if (!done) co_return problem(done.error());
  co_return answer(200, json::object{{"claims", *done}});
}

asio::awaitable<ServerResponse> reload(AgentControl& agent) {
  const auto reloaded = co_await agent.reload();
  if (reloaded) co_return answer(200, *reloaded);
  if (reloaded.error().fault != Fault::malformed) co_return problem(reloaded.error());
  // The problems are for a person; a program may count them.
  json::array problems;
  for (const auto& line : split(reloaded.error().message, '\n'))
    if (!line.empty()) problems.emplace_back(line);
  co_return answer(422, json::object{{"error", json::object{{"message", "the configuration is wrong, the old one stays in force"}, {"problems", std::move(problems)}}}});
}

ServerResponse list_parked(AgentControl& agent, const std::string& reporter) {
  const auto items = agent.parked(reporter);
  if (!items) return problem(items.error());
  return answer(200, json::object{{"parked", *items}});
}

asio::awaitable<ServerResponse> retry(AgentControl& agent, ServerRequest& request, std::string reporter) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string name = reporter;
  auto keys = job::texts_at(*body, "items");
  const auto retried = co_await agent.retry(std::move(name), std::move(keys));
  if (!retried) co_return problem(retried.error());
  co_return answer(202, json::object{{"reporter", reporter}, {"retried", *retried}});
}

ServerResponse list_jobs(AgentControl& agent, const ServerRequest& request) {
  const auto limit = limit_of(request.query);
  if (!limit) return problem(400, "limit is a number from 1 to 1000");
  const auto jobs = agent.jobs(*limit);
  if (!jobs) return problem(jobs.error());
  return answer(200, json::object{{"jobs", *jobs}});
}

ServerResponse show_job(AgentControl& agent, const std::string& job_id) {
  const auto job = agent.job(job_id);
  if (!job) return problem(job.error());
  return answer(200, json::object{{"job", *job}});
}

/// The text at `reporter=` of a query, or ""; nothing when there is something else in it.
std::optional<std::string> reporter_of(const std::string& query) {
  constexpr std::string_view name = "reporter=";
  if (query.empty()) return "";
  if (!query.starts_with(name) || query.find('&') != std::string::npos) return std::nullopt;
  return percent_decode(query.substr(name.size()), true);
}

asio::awaitable<ServerResponse> export_spool(AgentControl& agent, std::string query) {
  auto reporter = reporter_of(query);
  if (!reporter) co_return problem(400, "the query is reporter=NAME, or there is none");
  auto stream = co_await agent.export_spool(std::move(*reporter));
  if (!stream) co_return problem(stream.error());
  ServerResponse response;
  response.headers.set("Content-Type", "application/zstd");
  response.headers.set("Cache-Control", "no-store");
  response.headers.set(spool_header, json::serialize(stream->summary));
  response.body = std::move(stream->archive);
  co_return response;
}

ServerResponse list_reporters(AgentControl& agent) {
  const auto reporters = agent.reporters();
  if (!reporters) return problem(reporters.error());
  return answer(200, json::object{{"reporters", *reporters}});
}

asio::awaitable<ServerResponse> forget_reporter(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const auto forgotten = co_await agent.forget_reporter(std::move(name), job::flag_at(*body, "drop_waiting"));
  if (!forgotten) co_return problem(forgotten.error());
  co_return answer(200, *forgotten);
}

asio::awaitable<ServerResponse> route(AgentControl& agent, ServerRequest& request) {
  const auto parts = split(request.path, '/');  // "", "api", "v1", ...
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool ours = parts.size() >= 4 && parts[1] == "api" && parts[2] == "v1";
  if (ours && parts.size() == 4 && parts[3] == "status") co_return reads ? answer(200, agent.status()) : only("GET");
  if (ours && parts.size() == 4 && parts[3] == "jobs") {
    if (request.method == "POST") co_return co_await run_job(agent, request);
    co_return reads ? list_jobs(agent, request) : only("GET, POST");
  }
  if (ours && parts.size() == 5 && parts[3] == "jobs") co_return reads ? show_job(agent, parts[4]) : only("GET");
  if (ours && parts.size() == 6 && parts[3] == "jobs" && parts[5] == "cancel") {
    if (request.method != "POST") co_return only("POST");
    std::string job_id = parts[4];
    co_return co_await cancel_job(agent, request, std::move(job_id));
  }
  if (ours && parts.size() == 6 && parts[3] == "jobs" && (parts[5] == "retry" || parts[5] == "hold" || parts[5] == "release")) {
    if (request.method != "POST") co_return only("POST");
    std::string job_id = parts[4], what = parts[5];
    co_return co_await steer_job(agent, request, std::move(job_id), std::move(what));
  }
  if (ours && parts.size() == 4 && parts[3] == "poll") {
    if (request.method != "POST") co_return only("POST");
    agent.poll_now();
    co_return answer(202, json::object{{"polling", true}});
  }
  if (ours && parts.size() == 4 && parts[3] == "reload") {
    if (request.method != "POST") co_return only("POST");
    co_return co_await reload(agent);
  }
  if (ours && parts.size() == 4 && parts[3] == "claims")
    co_return reads ? answer(200, json::object{{"claims", agent.claims()}}) : only("GET");
  if (ours && parts.size() == 4 && (parts[3] == "pause" || parts[3] == "resume" || parts[3] == "drain")) {
    if (request.method != "POST") co_return only("POST");
    std::string what = parts[3];
    co_return co_await steer_claims(agent, request, std::move(what));
  }
  if (ours && parts.size() == 5 && parts[3] == "spool" && parts[4] == "export") {
    if (request.method != "POST") co_return only("POST");
    std::string query = request.query;
    co_return co_await export_spool(agent, std::move(query));
  }
  if (ours && parts.size() == 5 && parts[3] == "spool" && parts[4] == "confirm") {
    if (request.method != "POST") co_return only("POST");
    const auto confirmed = co_await agent.confirm_spool(request);
    co_return confirmed ? answer(200, *confirmed) : problem(confirmed.error());
  }
  if (ours && parts.size() == 4 && parts[3] == "reporters") co_return reads ? list_reporters(agent) : only("GET");
  if (ours && parts.size() == 6 && parts[3] == "reporters" && parts[5] == "forget") {
    if (request.method != "POST") co_return only("POST");
    std::string name = parts[4];
    co_return co_await forget_reporter(agent, request, std::move(name));
  }
  if (ours && parts.size() == 5 && parts[3] == "alarms" && parts[4] == "acknowledge") {
    if (request.method != "POST") co_return only("POST");
    co_return co_await acknowledge(agent, request);
  }
  if (ours && parts.size() == 6 && parts[3] == "reporters" && parts[5] == "parked")
    co_return reads ? list_parked(agent, parts[4]) : only("GET");
  if (ours && parts.size() == 6 && parts[3] == "reporters" && parts[5] == "retry") {
    if (request.method != "POST") co_return only("POST");
    std::string name = parts[4];
    co_return co_await retry(agent, request, std::move(name));
  }
  co_return problem(404, "no such path; see GET /api/v1/status");
}

}  // namespace

http::Handler local_api(AgentControl& agent) {
  return [&agent](ServerRequest& request) { return route(agent, request); };
}

}  // namespace outpost::control
