#include "agent/control/local_api.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::control {
namespace {

namespace json = boost::json;
namespace asio = boost::asio;
using http::ServerRequest;
using http::ServerResponse;

/// Nothing is older than that; a larger number is a mistake.
constexpr std::chrono::seconds longest_age = std::chrono::years{100};

ServerResponse only(std::string_view method) {
  auto response = problem(405, "this path takes " + std::string{method} + " only");
  response.headers.set("Allow", std::string{method});
  return response;
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

Scope scope_in(const json::object& body) { return {job::text_at(body, "source"), job::text_at(body, "resource")}; }

/// The text at `reporter=` of a query, or ""; nothing when there is something else in it.
std::optional<std::string> reporter_of(const std::string& query) {
  constexpr std::string_view name = "reporter=";
  if (query.empty()) return "";
  if (!query.starts_with(name) || query.find('&') != std::string::npos) return std::nullopt;
  return percent_decode(query.substr(name.size()), true);
}

// ---- one function for each route; `name` is what stands in the path for its star ----------------------------------

Answering show_status(AgentControl& agent, ServerRequest&, std::string) { co_return answer(200, agent.status()); }

Answering list_jobs(AgentControl& agent, ServerRequest& request, std::string) {
  const auto given = parameters(request.query, {"limit"});
  if (!given) co_return problem(given.error());
  const auto limit = number_of(*given, "limit", 50, 1, 1000);
  if (!limit) co_return problem(limit.error());
  const auto jobs = agent.jobs(*limit);
  if (!jobs) co_return problem(jobs.error());
  co_return answer(200, json::object{{"jobs", *jobs}});
}

Answering show_job(AgentControl& agent, ServerRequest&, std::string name) {
  const auto job = agent.job(name);
  if (!job) co_return problem(job.error());
  co_return answer(200, json::object{{"job", *job}});
}

Answering run_job(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string name = job::text_at(*body, "name");
  if (name.empty()) co_return problem(400, "the name of a job of the configuration is due: {\"name\": ...}");
  const auto made = co_await agent.run_job(std::move(name));
  if (!made && made.error().fault == Fault::retry_later) co_return problem(504, made.error().message);
  if (!made) co_return problem(made.error());
  co_return answer(202, json::object{{"job_id", *made}});
}

Answering cancel_job(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reason = job::text_at(*body, "reason");
  if (reason.empty()) reason = "cancelled by an operator";
  const auto cancelled = agent.cancel(name, reason);
  if (!cancelled) co_return problem(cancelled.error());
  co_return answer(202, json::object{{"job_id", name}, {"cancelling", true}});
}

Answering retry_job(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string job_id = name;
  const auto made = co_await agent.retry_job(std::move(job_id));
  if (!made) co_return problem(made.error());
  co_return answer(202, json::object{{"job_id", *made}, {"retries", name}});
}

Answering hold_job(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reason = job::text_at(*body, "reason"), job_id = name;
  const auto held = co_await agent.hold_job(std::move(job_id), std::move(reason));
  if (!held) co_return problem(held.error());
  co_return answer(200, json::object{{"job_id", name}, {"held", true}});
}

Answering release_job(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string job_id = name;
  const auto released = co_await agent.release_job(std::move(job_id));
  if (!released) co_return problem(released.error());
  co_return answer(200, json::object{{"job_id", name}, {"held", false}});
}

Answering poll(AgentControl& agent, ServerRequest&, std::string) {
  agent.poll_now();
  co_return answer(202, json::object{{"polling", true}});
}

Answering reload(AgentControl& agent, ServerRequest&, std::string) {
  const auto reloaded = co_await agent.reload();
  if (reloaded) co_return answer(200, *reloaded);
  if (reloaded.error().fault != Fault::malformed) co_return problem(reloaded.error());
  // The problems are for a person; a program may count them.
  json::array problems;
  for (const auto& line : split(reloaded.error().message, '\n'))
    if (!line.empty()) problems.emplace_back(line);
  json::object error{{"message", "the configuration is wrong, the old one stays in force"}};
  error["problems"] = std::move(problems);
  co_return answer(422, json::object{{"error", std::move(error)}});
}

Answering show_claims(AgentControl& agent, ServerRequest&, std::string) {
  co_return answer(200, json::object{{"claims", agent.claims()}});
}

/// What is claimed from now on.
ServerResponse claims_answer(const Result<json::object>& claims) {
  return claims ? answer(200, json::object{{"claims", *claims}}) : problem(claims.error());
}

Answering pause(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  Scope scope = scope_in(*body);
  std::string reason = job::text_at(*body, "reason");
  const auto claims = co_await agent.pause(std::move(scope), std::move(reason));
  co_return claims_answer(claims);
}

Answering resume(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  Scope scope = scope_in(*body);
  const auto claims = co_await agent.resume(std::move(scope), job::flag_at(*body, "all"));
  co_return claims_answer(claims);
}

Answering drain(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reason = job::text_at(*body, "reason");
  const auto claims = co_await agent.drain(std::move(reason));
  co_return claims_answer(claims);
}

Answering export_spool(AgentControl& agent, ServerRequest& request, std::string) {
  auto reporter = reporter_of(request.query);
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

Answering confirm_spool(AgentControl& agent, ServerRequest& request, std::string) {
  const auto confirmed = co_await agent.confirm_spool(request);
  co_return confirmed ? answer(200, *confirmed) : problem(confirmed.error());
}

Answering show_spool(AgentControl& agent, ServerRequest&, std::string) {
  const auto spool = agent.spool();
  co_return spool ? answer(200, json::object{{"spool", *spool}}) : problem(spool.error());
}

Answering flush_spool(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const auto flushed = agent.flush_spool(job::text_at(*body, "reporter"));
  co_return flushed ? answer(202, json::object{{"flushed", *flushed}}) : problem(flushed.error());
}

Answering prune_spool(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const auto seconds = job::number_at(*body, "older_than");
  if (seconds < 0 || seconds > longest_age.count()) co_return problem(400, "older_than is a number of seconds");
  Pruning wanted{job::flag_at(*body, "waiting"), job::text_at(*body, "reporter"), std::chrono::seconds{seconds},
                 job::flag_at(*body, "dry_run")};
  const auto pruned = co_await agent.prune_spool(std::move(wanted));
  co_return pruned ? answer(200, json::object{{"pruned", *pruned}}) : problem(pruned.error());
}

Answering list_reporters(AgentControl& agent, ServerRequest&, std::string) {
  const auto reporters = agent.reporters();
  if (!reporters) co_return problem(reporters.error());
  co_return answer(200, json::object{{"reporters", *reporters}});
}

Answering forget_reporter(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const auto forgotten = co_await agent.forget_reporter(std::move(name), job::flag_at(*body, "drop_waiting"));
  if (!forgotten) co_return problem(forgotten.error());
  co_return answer(200, *forgotten);
}

Answering list_parked(AgentControl& agent, ServerRequest&, std::string name) {
  const auto items = agent.parked(name);
  if (!items) co_return problem(items.error());
  co_return answer(200, json::object{{"parked", *items}});
}

Answering retry_parked(AgentControl& agent, ServerRequest& request, std::string name) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  std::string reporter = name;
  auto keys = job::texts_at(*body, "items");
  const auto retried = co_await agent.retry(std::move(reporter), std::move(keys));
  if (!retried) co_return problem(retried.error());
  co_return answer(202, json::object{{"reporter", name}, {"retried", *retried}});
}

Answering acknowledge(AgentControl& agent, ServerRequest& request, std::string) {
  const auto body = co_await read_object(request);
  if (!body) co_return problem(400, body.error().message);
  const std::string key = job::text_at(*body, "key");
  if (key.empty()) co_return problem(400, "the key of an alarm is due: {\"key\": ...}");
  const auto acknowledged = agent.acknowledge(key);
  if (!acknowledged) co_return problem(acknowledged.error());
  co_return answer(200, json::object{{"key", key}, {"acknowledged", true}});
}

// ---- which function it is -----------------------------------------------------------------------------------------

constexpr std::string_view root = "/api/v1/";

/// Who may ask beside those on the socket.
enum class On { socket, page };

struct Route {
  std::string_view method;  ///< GET stands for HEAD too.
  std::string_view path;    ///< Below /api/v1/; a star is one part of it, whatever it says.
  Answering (*answer)(AgentControl& agent, ServerRequest& request, std::string name);
  On on = On::socket;  ///< Of a change.
};

constexpr Route routes[] = {
    {"GET", "status", show_status},
    {"GET", "jobs", list_jobs},
    {"POST", "jobs", run_job, On::page},
    {"GET", "jobs/*", show_job},
    {"POST", "jobs/*/cancel", cancel_job, On::page},
    {"POST", "jobs/*/retry", retry_job, On::page},
    {"POST", "jobs/*/hold", hold_job, On::page},
    {"POST", "jobs/*/release", release_job, On::page},
    {"POST", "poll", poll, On::page},
    {"POST", "reload", reload},
    {"GET", "claims", show_claims},
    {"POST", "pause", pause, On::page},
    {"POST", "resume", resume, On::page},
    {"POST", "drain", drain, On::page},
    {"POST", "spool/export", export_spool},
    {"POST", "spool/confirm", confirm_spool},
    {"GET", "spool", show_spool},
    {"POST", "spool/flush", flush_spool, On::page},
    {"POST", "spool/prune", prune_spool},
    {"GET", "reporters", list_reporters},
    {"POST", "reporters/*/forget", forget_reporter},
    {"GET", "reporters/*/parked", list_parked},
    {"POST", "reporters/*/retry", retry_parked},
    {"POST", "alarms/acknowledge", acknowledge},
};

/// Who asked, as events name it.
std::string actor_of(const ServerRequest& request) {
  return request.peer_uid ? "uid " + std::to_string(*request.peer_uid) : "page";
}

/// Answers, and has it noted when something was changed.
asio::awaitable<ServerResponse> change(AgentControl& agent, const Route& each, ServerRequest& request, std::string name) {
  std::string about = name;
  auto response = co_await each.answer(agent, request, std::move(name));
  if (response.status >= 300) co_return response;
  Asked asked{actor_of(request), std::string{each.path}, std::move(about)};
  co_await agent.note_asked(std::move(asked));
  co_return response;
}

asio::awaitable<ServerResponse> route(AgentControl& agent, const Records* records, ServerRequest& request) {
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view{request.method};
  const auto path = std::string_view{request.path}.substr(std::min(root.size(), request.path.size()));
  std::vector<std::string> methods;
  if (request.path.starts_with(root)) {
    for (const Route& each : routes) {
      auto names = match(each.path, path);
      if (!names) continue;
      std::string name = names->empty() ? "" : std::move(names->front());
      if (each.method == method && method != "GET") co_return co_await change(agent, each, request, std::move(name));
      if (each.method == method) co_return co_await each.answer(agent, request, std::move(name));
      methods.emplace_back(each.method);
    }
    for (const RecordRoute& each : records ? record_routes() : std::span<const RecordRoute>{}) {
      auto names = match(each.path, path);
      if (!names) continue;
      if (method == "GET") co_return co_await each.answer(*records, request, std::move(*names));
      methods.emplace_back("GET");
    }
  }
  co_return methods.empty() ? problem(404, "no such path; see GET /api/v1/status") : only(join(methods, ", "));
}

}  // namespace

http::Handler local_api(AgentControl& agent, const Records* records) {
  return [&agent, records](ServerRequest& request) { return route(agent, records, request); };
}

bool is_page_action(const http::ServerRequest& request) {
  if (!request.path.starts_with(root)) return false;
  const auto path = std::string_view{request.path}.substr(root.size());
  return std::any_of(std::begin(routes), std::end(routes), [&](const Route& each) { return each.on == On::page && each.method == request.method && match(each.path, path); });
}

std::vector<std::string> api_routes() {
  std::vector<std::string> all;
  for (const Route& each : routes) all.push_back(std::string{each.method} + " " + std::string{root} + std::string{each.path});
  for (const RecordRoute& each : record_routes()) all.push_back("GET " + std::string{root} + std::string{each.path});
  return all;
}

}  // namespace outpost::control
