#include "samples/control-server/control_server.hpp"

#include "agent/base/text.hpp"
#include "samples/control-server/call.hpp"
#include "samples/control-server/errors.hpp"
#include "samples/control-server/front_limits.hpp"
#include "samples/control-server/routes.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <ctime>

namespace outpost::sample {
namespace {

namespace asio = boost::asio;

std::unique_ptr<Database> open_database(const ServerOptions& options) {
  std::filesystem::create_directories(options.data / "tmp");
  return std::make_unique<Database>(options.in_memory ? ":memory:" : (options.data / "control-server.sqlite").string());
}

/// Forms are eaten by the original's form parser, so that it sees an empty body.
bool is_form(const http::ServerRequest& request) {
  const auto type = to_lower(trim(split(request.headers.get("Content-Type"), ';').front()));
  return type == "application/x-www-form-urlencoded" || type == "application/x-url-encoded" ||
         type == "multipart/form-data";
}

bool is_loopback(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("::1") || peer.starts_with("uid ");
}

std::string http_date(Timestamp moment) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(moment.time_since_epoch()).count();
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &fields)};
}

/// A target for the log: what makes a presigned URL valid stays out of it.
std::string loggable(std::string_view target) {
  const auto mark = target.find("X-Amz-Signature=");
  return printable(mark == std::string_view::npos ? target : target.substr(0, mark + 16));
}

asio::awaitable<void> pause(std::chrono::milliseconds duration) {
  if (duration.count() == 0) co_return;
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer{executor, duration};
  co_await timer.async_wait(asio::use_awaitable);
}

/// The bytes of an answer in small pieces with pauses between them.
struct SlowBytes {
  std::string text;
  std::ifstream file;
  std::uint64_t left = 0, per_second = 1, at = 0;

  asio::awaitable<Result<std::string>> next() {
    const auto size = std::min<std::uint64_t>({left, std::max<std::uint64_t>(1, per_second / 20), 65536});
    std::string piece(size, '\0');
    if (size == 0) co_return piece;
    co_await pause(std::chrono::milliseconds{1000 * size / per_second});
    if (file.is_open()) {
      file.read(piece.data(), static_cast<std::streamsize>(size));
      piece.resize(static_cast<std::size_t>(file.gcount()));
    } else {
      piece = text.substr(at, size);
    }
    at += piece.size();
    left = piece.empty() ? 0 : left - piece.size();
    co_return piece;
  }
};

void slow_down(http::ServerResponse& response, std::uint64_t bytes_per_second) {
  auto slow = std::make_shared<SlowBytes>();
  slow->per_second = bytes_per_second;
  if (auto* text = std::get_if<std::string>(&response.body)) {
    slow->left = text->size();
    slow->text = std::move(*text);
  } else if (auto* range = std::get_if<http::FileRange>(&response.body)) {
    slow->left = range->size;
    slow->file.open(range->path, std::ios::binary);
    slow->file.seekg(static_cast<std::streamoff>(range->offset));
  } else {
    return;
  }
  response.body = http::Producer{[slow] { return slow->next(); }};
}

}  // namespace

ControlServer::ControlServer(ServerOptions options)
    : options_{std::move(options)},
      database_{open_database(options_)},
      records_{*database_, options_.clock_offset},
      objects_{records_, options_.data / "objects"},
      authentication_{records_} {
  objects_.https = options_.https;
  if (!options_.request_log.empty()) request_log_.open(options_.request_log, std::ios::app);
  lay_database();
}

void ControlServer::lay_database() {
  if (!database_->query("SELECT name FROM sqlite_master WHERE name = 'teams'").empty()) return;
  for (const auto& statement : split(replace_all(schema_sql(), ";\n", "\x01"), '\x01'))
    if (!trim(statement).empty()) database_->query(statement);
  std::string admin_team;
  for (const auto* name : {"admin", "EPM", "Red Hat"}) {
    json::object values{{"name", name}, {"state", "active"}, {"external", false}};
    add_common_values(values, records_);
    const auto team = records_.create(teams, std::move(values));
    if (admin_team.empty()) admin_team = text_at(team, "id");
  }
  json::object admin{{"name", "admin"},
                     {"fullname", "Admin"},
                     {"email", "admin@example.org"},
                     {"password", hash_password("admin")},
                     {"timezone", "UTC"}};
  add_common_values(admin, records_);
  const auto user = records_.create(users, std::move(admin));
  database_->query("INSERT INTO users_teams (user_id, team_id) VALUES (?,?)", {text_at(user, "id"), admin_team});
}

http::Handler ControlServer::handler() {
  return [this](http::ServerRequest& request) { return serve(request); };
}

asio::awaitable<http::ServerResponse> ControlServer::serve(http::ServerRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  const auto fault = request.path == "/_faults" ? std::nullopt : faults_.pick(request.method, request.path);
  http::ServerResponse response;
  if (fault) {
    FaultAction action = *fault;
    response = co_await spoil(request, std::move(action));
  } else {
    response = co_await execute(request);
  }
  finish(request, response, start, fault.has_value());
  co_return response;
}

asio::awaitable<http::ServerResponse> ControlServer::spoil(http::ServerRequest& request, FaultAction action) {
  co_await pause(action.delay_before);
  http::ServerResponse response;
  if (action.execute) response = co_await execute(request);
  if (action.status || action.body) {
    const int status = action.status.value_or(response.status);
    response = {};
    response.status = status;
    if (status != 204 && status != 304) response.body = action.body.value_or(std::string{});
  }
  for (const auto& [name, value] : action.headers) response.headers.set(name, value);
  if (action.bytes_per_second) slow_down(response, *action.bytes_per_second);
  if (action.truncate) response.break_after = action.truncate;
  if (action.drop) response.break_after = 0;
  co_await pause(action.delay_after);
  co_return response;
}

asio::awaitable<http::ServerResponse> ControlServer::execute(http::ServerRequest& request) {
  if (auto refused = refused_in_front(request)) co_return std::move(*refused);
  // A body without a length (chunked) escapes the limit, as it does in the original.
  const bool limited = !request.path.starts_with(ObjectStore::prefix);
  const bool too_large = limited && request.content_length.value_or(0) > options_.max_content_length;
  auto directory = options_.data / "tmp";
  Result<Body> received{Body{}};
  if (!too_large) received = co_await Body::receive(request, std::move(directory));
  if (!received) {
    http::ServerResponse broken;
    broken.break_after = 0;
    co_return broken;
  }
  if (is_form(request) && limited) received->forget();
  co_return answer(request, *received, too_large);
}

http::ServerResponse ControlServer::answer(http::ServerRequest& request, Body& body, bool too_large) {
  try {
    if (request.path == "/_faults") return change_faults(request, body);
    if (request.path.starts_with(ObjectStore::prefix))
      return request.method == "PUT" ? put_object(request, body) : objects_.serve(request);
    if (request.path == "/api/v1" || request.path == "/api/v1/")
      return json_response(200, json::object{{"_status", "OK"}, {"message", "Distributed CI."}});
    if (request.path == "/api/v2" || request.path == "/api/v2/")
      return json_response(200, json::object{{"_status", "OK"}, {"message", "Distributed CI."}, {"version", "2"}});
    auto route = find_route(request.method, request.path);
    if (const auto* none = std::get_if<NoRoute>(&route)) {
      if (none->error.status != 405 || request.method != "OPTIONS") throw none->error;
      auto options = empty_response(200);
      options.headers = {{"Content-Type", "text/html; charset=utf-8"},
                         {"Allow", none->error.allow},
                         {"Access-Control-Allow-Methods", "GET, POST, PUT, DELETE"},
                         {"Access-Control-Allow-Headers",
                          "Authorization, Content-Type, If-Match, ETag, X-Requested-With, X-Dci-Team-Id"}};
      return options;
    }
    auto& match = std::get<Match>(route);
    if (match.is_upload && too_large) throw PageError{413, {}, {}};
    auto user = authentication_.identify(request, body, too_large);
    Call call{request, body, too_large, std::move(user), std::move(match.ids), records_, objects_};
    return match.handler(call);
  } catch (const ApiError& error) {
    return error_response(error);
  } catch (const PageError& error) {
    return page_response(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "outpost-sample-server: %s\n", printable(error.what()).c_str());
    return page_response({500, {}, {}});
  }
}

/// Not in the original, whose feeders write to S3 with S3's tools: PUT /object-store/dci-components/<id>/<path>.
http::ServerResponse ControlServer::put_object(http::ServerRequest& request, Body& body) {
  const auto user = authentication_.identify(request, body, false);
  if (!user.super_admin && !user.is_feeder()) throw unauthorized();
  const auto names = bucket_and_key(request.path);
  if (!names || names->first != "dci-components") throw PageError{404, {}, {}};
  const std::string type{request.headers.get("Content-Type")};
  const auto stored = objects_.put(names->first, names->second, body, type.empty() ? "binary/octet-stream" : type);
  auto response = empty_response(200);
  response.headers.add("ETag", "\"" + stored.etag + "\"");
  return response;
}

/// Not in the original: GET, PUT and DELETE /_faults, from this machine and by an administrator only.
http::ServerResponse ControlServer::change_faults(http::ServerRequest& request, const Body& body) {
  if (!is_loopback(request.peer)) throw PageError{404, {}, {}};
  if (!authentication_.identify(request, body, false).super_admin) throw unauthorized();
  if (request.method == "DELETE") faults_ = {};
  if (request.method == "PUT") {
    auto parsed = Faults::parse(body.text());
    if (!parsed) throw ApiError{400, parsed.error().message, {}};
    faults_ = std::move(*parsed);
  }
  return json_response(200, "faults", faults_.report());
}

void ControlServer::finish(const http::ServerRequest& request, http::ServerResponse& response,
                           std::chrono::steady_clock::time_point start, bool faulty) {
  response.headers.set("Date", http_date(records_.time()));
  if (request.path.starts_with("/api/") &&
      !(response.status == 500 && response.headers.get("Content-Type") == "text/html")) {
    response.headers.set("Access-Control-Expose-Headers",
                         "Authorization, Content-Type, If-Match, ETag, X-Requested-With, X-Dci-Team-Id");
    response.headers.set("Access-Control-Allow-Origin", "*");
  }
  if (!request_log_.is_open()) return;
  const auto took = std::chrono::duration<double, std::milli>{std::chrono::steady_clock::now() - start};
  json::object line{{"time", records_.now()},
                    {"method", request.method},
                    {"target", loggable(request.target)},
                    {"status", response.status},
                    {"ms", took.count()}};
  if (const auto* text = std::get_if<std::string>(&response.body)) line["bytes"] = text->size();
  if (const auto* range = std::get_if<http::FileRange>(&response.body)) line["bytes"] = range->size;
  if (request.content_length) line["request_bytes"] = *request.content_length;
  if (faulty) line["fault"] = true;
  if (response.break_after == 0U) line["dropped"] = true;
  request_log_ << json::serialize(line) << '\n' << std::flush;
}

}  // namespace outpost::sample
