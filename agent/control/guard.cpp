#include "agent/control/guard.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/control/answer.hpp"
#include "agent/job/event.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

namespace outpost::control {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using http::ServerRequest;
using http::ServerResponse;
using std::chrono::nanoseconds;

constexpr std::size_t most_sessions = 64;
constexpr std::string_view login_path = "/api/v1/login";

/// "localhost:8420" without its port; IPv6 keeps its brackets.
std::string_view name_in(std::string_view host) {
  const auto colon = host.rfind(':');
  const auto bracket = host.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return host;
  return host.substr(0, colon);
}

bool is_loopback_name(std::string_view host) {
  const auto name = name_in(host);
  return equal_ignoring_case(name, "localhost") || name == "127.0.0.1" || name == "[::1]";
}

/// Why a browser must not get an answer to this; nothing when it may.
std::optional<ServerResponse> refusal(const ServerRequest& request) {
  const auto host = request.headers.get("Host"), origin = request.headers.get("Origin"), site = request.headers.get("Sec-Fetch-Site");
  if (!is_loopback_name(host))
    return problem(421, "this answers to localhost, 127.0.0.1 and [::1] only, not to " + printable(host, 80));
  if (!origin.empty() && !equal_ignoring_case(origin, "http://" + std::string{host}))
    return problem(403, "a page of " + printable(origin, 80) + " has no business here");
  if (request.path.starts_with("/api/") && !site.empty() && site != "same-origin" && site != "none")
    return problem(403, "a page of another origin has no business here");
  return std::nullopt;
}

/// Who has logged in, and how often somebody tried to.
class Sessions {
 public:
  explicit Sessions(const GuardOptions& options) : options_{options} {}

  asio::awaitable<ServerResponse> log_in(ServerRequest& request) {
    if (request.method != "POST") co_return problem(405, "this path takes POST only");
    const auto now = options_.clock.since_boot();
    while (!failures_.empty() && failures_.front() + std::chrono::minutes{1} < now) failures_.pop_front();
    if (failures_.size() >= options_.failures_a_minute) {
      auto later = problem(429, "too many wrong tokens; wait a minute");
      later.headers.set("Retry-After", "60");
      co_return later;
    }
    const auto body = co_await request.read_all(4096);
    if (!body) co_return problem(400, "the body is too long, or has not come");
    boost::system::error_code error;
    const json::value parsed = json::parse(*body, error);
    const std::string token = !error && parsed.is_object() ? job::text_at(parsed.get_object(), "token") : "";
    if (!equal_in_constant_time(token, options_.token)) {
      failures_.push_back(now);
      co_return problem(401, "the token is wrong; `outpost dashboard` prints the address with the right one");
    }
    const auto key = random_token();
    if (!key) co_return problem(500, key.error().message);
    keys_.push_back(*key);
    if (keys_.size() > most_sessions) keys_.pop_front();
    co_return answer(200, json::object{{"session", *key}});
  }

  [[nodiscard]] bool knows(std::string_view authorization) const {
    constexpr std::string_view scheme = "Bearer ";
    if (!authorization.starts_with(scheme)) return false;
    const auto given = authorization.substr(scheme.size());
    return std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) { return equal_in_constant_time(key, given); });
  }

 private:
  const GuardOptions& options_;
  std::deque<std::string> keys_;
  std::deque<nanoseconds> failures_;
};

void add_headers(ServerResponse& response) {
  const std::pair<const char*, const char*> fields[] = {
      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"}};
  for (const auto& [name, value] : fields)
    if (!response.headers.has(name)) response.headers.set(name, value);
}

/// What one address needs for as long as it listens.
struct Guard {
  Guard(http::Handler to_guard, GuardOptions given) : inner{std::move(to_guard)}, options{std::move(given)} {}

  http::Handler inner;
  GuardOptions options;
  Sessions sessions{options};

  asio::awaitable<ServerResponse> answer_to(ServerRequest& request) {
    if (request.peer_uid && options.is_refused && options.is_refused(*request.peer_uid))
      co_return problem(403, "users that jobs run as have no business here");
    if (auto refused = refusal(request)) co_return std::move(*refused);
    const bool open = options.token.empty() || !request.path.starts_with("/api/");
    if (!options.token.empty() && request.path == login_path) co_return co_await sessions.log_in(request);
    if (!open && !sessions.knows(request.headers.get("Authorization"))) {
      auto unknown = problem(401, "log in first: POST " + std::string{login_path} + " with the token of `outpost dashboard`");
      unknown.headers.set("WWW-Authenticate", "Bearer");
      co_return unknown;
    }
    if (!options.token.empty() && request.method != "GET" && request.method != "HEAD")
      if (auto refused = refused_change(request)) co_return std::move(*refused);
    co_return co_await inner(request);
  }

  /// A browser names the origin of every page that wants to change something, and lets no form of another page send JSON.
  [[nodiscard]] std::optional<ServerResponse> refused_change(const ServerRequest& request) const {
    if (!options.may_change(request)) return problem(403, "this cannot be changed here; use the command outpost on the machine");
    if (request.headers.get("Origin").empty()) return problem(403, "only the page of this address can change something; it says so with Origin");
    if (request.headers.get("Content-Type") != "application/json") return problem(403, "what changes something is application/json");
    return std::nullopt;
  }
};

asio::awaitable<ServerResponse> guard(std::shared_ptr<Guard> guard, ServerRequest& request) {
  ServerResponse response = co_await guard->answer_to(request);
  add_headers(response);
  co_return response;
}

}  // namespace

Result<std::string> random_token() {
  std::string bytes(32, '\0');
  const auto filled = ::getrandom(bytes.data(), bytes.size(), 0);
  if (filled != static_cast<ssize_t>(bytes.size())) return errno_error("cannot read", "random numbers", errno);
  return to_hex(bytes);
}

http::Handler guarded(http::Handler inner, GuardOptions options) {
  auto made = std::make_shared<Guard>(std::move(inner), std::move(options));
  return [made](ServerRequest& request) { return guard(made, request); };
}

}  // namespace outpost::control
