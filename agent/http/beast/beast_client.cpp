#include "agent/http/beast/beast_client.hpp"

#include "agent/http/beast/connector.hpp"
#include "agent/http/beast/exchange.hpp"
#include "agent/http/url.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace outpost::http {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

/// Connections that wait for the next request, per route.
class Pool {
 public:
  static constexpr auto keep_for = std::chrono::seconds{30};
  /// A request that must not go out twice gets a connection that was in use a moment ago, or a new one: shorter than
  /// what common servers allow (gunicorn 2 s, Apache 5 s, nginx 75 s), so that it hardly ever meets one that closes.
  static constexpr auto keep_for_unsafe = std::chrono::milliseconds{1500};
  static constexpr std::size_t per_route = 32;  ///< As many as may be sent at once.

  std::unique_ptr<Connection> take(const std::string& key, bool safe) {
    drop_old();
    auto& kept = routes_[key];
    while (!kept.empty()) {
      auto connection = std::move(kept.back());
      kept.pop_back();
      // Readable means closed by the server, or bytes that nobody asked for: not to be used.
      if (connection->stream->is_readable()) continue;
      if (!safe && Clock::now() - connection->idle_since > keep_for_unsafe) continue;
      return connection;
    }
    return nullptr;
  }

  void put(const std::string& key, std::unique_ptr<Connection> connection) {
    connection->idle_since = Clock::now();
    auto& kept = routes_[key];
    if (kept.size() < per_route) kept.push_back(std::move(connection));
  }

 private:
  void drop_old() {
    const auto oldest = Clock::now() - keep_for;
    for (auto& [key, kept] : routes_)
      std::erase_if(kept, [&](const auto& connection) { return connection->idle_since < oldest; });
    std::erase_if(routes_, [](const auto& route) { return route.second.empty(); });
  }

  std::map<std::string, std::vector<std::unique_ptr<Connection>>> routes_;
};

bool is_token(std::string_view text) {  // RFC 9110 §5.6.2
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char byte) {
    return (byte < 0x80 && std::isalnum(byte)) || marks.find(static_cast<char>(byte)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {  // No CR, LF or NUL: they would end the field and start another.
  return std::none_of(text.begin(), text.end(), [](char byte) { return byte == '\r' || byte == '\n' || byte == '\0'; });
}

bool is_set_by_us(std::string_view name) {
  Headers ours{{"Host", ""}, {"Content-Length", ""}, {"Connection", ""}, {"Transfer-Encoding", ""}};
  return ours.has(name);
}

/// The request line and the header fields with the empty line after them.
Result<std::string> request_head(const Request& request, const Route& route, const std::string& user_agent) {
  const auto bad = [&](const std::string& what) {
    return Error{Fault::malformed, "a request to " + route.name() + " with " + what + " that HTTP does not allow"};
  };
  if (!is_token(request.method)) return bad("a method");
  std::string head = request.method + " ";
  if (route.in_absolute_form()) head += "http://" + route.url.host_header;
  head += route.url.target + " HTTP/1.1\r\nHost: " + route.url.host_header + "\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return bad("a header name");
    if (!is_field_value(value)) return bad("a value of the header " + name);
    if (!is_set_by_us(name)) add(name, value);
  }
  if (route.in_absolute_form())
    if (const auto credentials = proxy_authorization(*route.proxy); !credentials.empty())
      add("Proxy-Authorization", credentials);
  if (!user_agent.empty() && !request.headers.has("User-Agent")) add("User-Agent", user_agent);
  // These methods announce a body even when it is empty (RFC 9110 §8.6).
  const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  const auto size = size_of(request.body);
  if (size > 0 || expects_body) add("Content-Length", std::to_string(size));
  return head + "\r\n";
}

bool is_safe(const Request& request) {
  return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
}

/// The same effect once or twice. If-Match makes a PUT fail the second time although the first one worked.
bool is_repeatable(const Request& request) {
  return is_safe(request) ||
         ((request.method == "PUT" || request.method == "DELETE") && !request.headers.has("If-Match"));
}

class BeastClient final : public Client {
 public:
  BeastClient(std::unique_ptr<Connector> connector, ClientOptions options, std::string user_agent)
      : connector_{std::move(connector)}, options_{std::move(options)}, user_agent_{std::move(user_agent)} {}

  asio::awaitable<Result<Response>> send(Request request) override { co_return co_await guarded(request, nullptr); }

  asio::awaitable<Result<Response>> fetch(Request request, BodySink sink) override {
    co_return co_await guarded(request, &sink);
  }

 private:
  /// Asio tells a coroutine of its cancellation by an exception at its next await; here it becomes a result.
  asio::awaitable<Result<Response>> guarded(const Request& request, const BodySink* sink) {
    std::string thrown;
    try {
      co_return co_await perform(request, sink);
    } catch (const std::exception& error) {
      thrown = error.what();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
      co_return Error{Fault::cancelled, "the request was cancelled"};
    co_return Error{Fault::retry_later, "the request failed: " + thrown};
  }

  asio::awaitable<Result<Response>> perform(const Request& request, const BodySink* sink) {
    auto url = parse_url(request.url);
    if (!url) co_return std::move(url).error().in("a request");
    const auto found = connector_->route(std::move(*url), request);
    if (!found) co_return found.error();
    const Route& route = *found;
    const std::string key = route.key();
    const std::string peer = route.name();
    const auto head = request_head(request, route, user_agent_);
    if (!head) co_return head.error();

    for (bool first = true;; first = false) {
      std::optional<FilePieces> file;
      if (const auto* range = std::get_if<FileRange>(&request.body)) {
        auto opened = FilePieces::open(*range);
        if (!opened) co_return opened.error();
        file.emplace(std::move(*opened));
      }
      auto connection = first ? pool_.take(key, is_safe(request)) : nullptr;
      const bool kept = connection != nullptr;
      if (!kept) {
        auto fresh = co_await connector_->connect(route, request.idle_timeout);
        if (!fresh) co_return fresh.error();
        connection = std::move(*fresh);
      }
      connection->stream->socket().limit(request.idle_timeout);
      Exchange exchange{*connection, request, *head, file ? &*file : nullptr, peer, options_};
      auto response = co_await exchange.run(sink);
      if (kept && exchange.was_closed_unanswered() && (exchange.was_unsent() || is_repeatable(request))) continue;
      if (response && exchange.is_reusable()) pool_.put(key, std::move(connection));
      if (response && response->status == 407 && route.in_absolute_form())
        co_return proxy_wants_credentials(route, response->headers.get("Proxy-Authenticate"));
      co_return response;
    }
  }

  std::unique_ptr<Connector> connector_;
  ClientOptions options_;
  std::string user_agent_;
  Pool pool_;
};

}  // namespace

Result<std::unique_ptr<Client>> make_beast_client(ClientOptions options) {
  std::string user_agent = options.user_agent.empty() ? "outpost/" OUTPOST_VERSION : options.user_agent;
  if (!is_field_value(user_agent)) return Error{Fault::malformed, "user_agent holds a line break"};
  auto connector = Connector::make(options);
  if (!connector) return connector.error();
  return std::make_unique<BeastClient>(std::move(*connector), std::move(options), std::move(user_agent));
}

}  // namespace outpost::http
