#include "agent/http/beast/server_connection.hpp"

#include "agent/base/text.hpp"
#include "agent/http/beast/advance.hpp"

#include <boost/asio/error.hpp>
#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <exception>

namespace outpost::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using Clock = SocketStream::Clock;

namespace {

constexpr std::uint64_t drain_limit = 1024UL * 1024;
constexpr std::uint64_t linger_limit = 64UL * 1024 * 1024;
constexpr auto linger_time = std::chrono::seconds{5};
constexpr std::size_t coalesce_limit = 64UL * 1024;

bool is_parse_error(error_code error) {
  return error.category() == make_error_code(beast_http::error::bad_version).category() &&
         error != beast_http::error::end_of_stream && error != beast_http::error::partial_message;
}

std::string http_date() {  // IMF-fixdate of RFC 9110 §5.6.7, whatever the locale.
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday, months[static_cast<std::size_t>(utc.tm_mon)],
                utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text.data();
}

bool is_well_formed(const ServerResponse& response) {
  const auto breaks_line = [](std::string_view text) {
    return text.find_first_of(std::string_view{"\r\n\0", 3}) != text.npos;
  };
  if (response.status < 200 || response.status > 999 || breaks_line(response.reason)) return false;
  return std::none_of(response.headers.begin(), response.headers.end(), [&](const auto& field) {
    return field.first.empty() || breaks_line(field.first) || breaks_line(field.second);
  });
}

ServerResponse plain_answer(int status, std::string text) {
  ServerResponse response;
  response.status = status;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(text);
  return response;
}

struct Refusal {
  int status = 0;  ///< 0: the client has left, there is nobody to tell.
  std::string text;
};

/// The answer to a head that could not be read; `began`: there was a part of it.
Refusal refusal_of(error_code error, bool began, std::size_t head_limit) {
  if (error == asio::error::timed_out && began) return {408, "The request did not arrive in time.\n"};
  if (error == beast_http::error::header_limit)
    return {431, "The head of the request is larger than " + std::to_string(head_limit) + " bytes.\n"};
  if (error == beast_http::error::bad_version) return {505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.\n"};
  if (is_parse_error(error)) return {400, "This is not an HTTP request: " + error.message() + ".\n"};
  return {};
}

/// How the end of a body is known to the client.
enum class Framing { none, length, chunked, until_close };

std::string head_of(const ServerResponse& response, Framing framing, std::uint64_t length,
                    std::string_view connection) {
  std::string reason = response.reason;
  if (reason.empty())
    reason =
        std::string{beast_http::obsolete_reason(beast_http::int_to_status(static_cast<unsigned>(response.status)))};
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " + reason + "\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  const Headers ours{{"Content-Length", ""}, {"Connection", ""}, {"Transfer-Encoding", ""}};
  for (const auto& [name, value] : response.headers)
    if (!ours.has(name)) add(name, value);
  if (!response.headers.has("Date")) add("Date", http_date());
  if (framing == Framing::length) add("Content-Length", std::to_string(length));
  if (framing == Framing::chunked) add("Transfer-Encoding", "chunked");
  if (!connection.empty()) add("Connection", connection);
  return head + "\r\n";
}

}  // namespace

class ServerConnection::IncomingRequest final : public ServerRequest {
 public:
  explicit IncomingRequest(ServerConnection& connection) : connection_{connection} {
    const auto& message = connection.parser_->get();
    method = std::string{message.method_string()};
    target = std::string{message.target()};
    for (const auto& field : message) headers.add(std::string{field.name_string()}, std::string{field.value()});
    peer = connection.peer_;
    peer_uid = connection.peer_uid_;
    if (const auto length = connection.parser_->content_length()) content_length = *length;
    chunked = connection.parser_->chunked();

    std::string_view rest = target;
    if (const auto scheme = rest.find("://");
        scheme != rest.npos && !rest.starts_with('/')) {  // Absolute form, to a proxy.
      const auto slash = rest.find('/', scheme + 3);
      rest = slash == rest.npos ? "/" : rest.substr(slash);
    }
    const auto question = rest.find('?');
    path = percent_decode(rest.substr(0, question));
    if (question != rest.npos) query = rest.substr(question + 1);
  }

  asio::awaitable<Result<std::string>> read_some() override { return connection_.read_piece(); }

 private:
  ServerConnection& connection_;
};

ServerConnection::ServerConnection(std::unique_ptr<Stream> stream, std::shared_ptr<const Service> service,
                                   std::string peer, std::optional<std::uint32_t> peer_uid)
    : connection_{std::move(stream)}, service_{std::move(service)}, peer_{std::move(peer)}, peer_uid_{peer_uid} {}

void ServerConnection::stop() {
  cancel.emit(asio::cancellation_type::terminal);
  connection_.stream->socket().close();
}

asio::awaitable<void> ServerConnection::serve() {
  Next next = Next::keep;
  while (next == Next::keep) next = co_await serve_one();
  if (next == Next::close) {
    connection_.stream->socket().limit(service_->idle_timeout);
    co_await connection_.stream->shutdown();
  }
  connection_.stream->socket().close();
}

asio::awaitable<ServerConnection::Next> ServerConnection::serve_one() {
  if (!co_await read_head()) co_return Next::close;
  ServerResponse response = co_await ask_handler();
  connection_.stream->socket().limit(service_->idle_timeout);
  const bool keep =
      parser_->keep_alive() && may_drain() && !equal_ignoring_case(response.headers.get("Connection"), "close");
  Next next = co_await answer(response, keep);
  if (next == Next::keep && !co_await drain()) next = Next::close;
  if (next == Next::close && !parser_->is_done()) co_await linger();
  co_return next;
}

/// False when there is no further request; a refusal has been sent then where one was due.
asio::awaitable<bool> ServerConnection::read_head() {
  auto& socket = connection_.stream->socket();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(service_->head_limit, UINT32_MAX)));
  parser_->body_limit(boost::none);
  body_read_ = 0;
  left_before_break_.reset();
  socket.limit(service_->idle_timeout);
  error_code error;
  while (!parser_->is_header_done()) {
    const bool first = connection_.buffer.size() == 0 && !parser_->got_some();
    error = co_await advance(connection_, *parser_);
    if (error) break;
    // From its first byte on, the whole head has to arrive in time: bytes that trickle do not keep a connection.
    if (first) socket.limit(service_->idle_timeout, Clock::now() + service_->idle_timeout);
  }
  if (error) {
    const bool began = parser_->got_some() || connection_.buffer.size() > 0;
    const auto [status, text] = refusal_of(error, began, service_->head_limit);
    socket.limit(service_->idle_timeout);
    if (status != 0) co_await refuse(status, text);
    co_return false;
  }

  const auto& message = parser_->get();
  const std::string_view target{message.target().data(), message.target().size()};
  const bool has_host = message.find(beast_http::field::host) != message.end();
  if ((message.version() >= 11 && !has_host) || target.empty()) {
    co_await refuse(400, "An HTTP/1.1 request needs a Host header and a target.\n");
    co_return false;
  }
  expects_continue_ = message.version() >= 11 && !parser_->is_done() && connection_.buffer.size() == 0 &&
                      beast_http::token_list{message[beast_http::field::expect]}.exists("100-continue");
  parser_->eager(true);
  co_return true;
}

asio::awaitable<ServerResponse> ServerConnection::ask_handler() {
  ServerResponse response;
  try {
    IncomingRequest request{*this};
    response = co_await service_->handler(request);
  } catch (const std::exception&) {
    response.status = 0;  // Of a cancellation the next await speaks again.
  }
  if (!is_well_formed(response)) response = plain_answer(500, "The server failed to handle this request.\n");
  co_return response;
}

asio::awaitable<Result<std::string>> ServerConnection::read_piece() {
  auto& socket = connection_.stream->socket();
  socket.limit(service_->idle_timeout);
  if (std::exchange(expects_continue_, false) && !co_await write("HTTP/1.1 100 Continue\r\n\r\n"))
    co_return Error{Fault::retry_later, peer_ + ": the client closed the connection before its request was read"};
  while (!parser_->is_done()) {
    const error_code error = co_await advance(connection_, *parser_);
    std::string piece = std::exchange(parser_->get().body(), {});
    body_read_ += piece.size();
    if (is_parse_error(error)) co_return Error{Fault::malformed, peer_ + ": the request's body: " + error.message()};
    if (error)
      co_return Error{Fault::retry_later, peer_ + ": the request's body ends after " + std::to_string(body_read_) +
                                              " bytes: " + error.message()};
    if (!piece.empty()) co_return piece;
  }
  co_return std::string{};
}

asio::awaitable<ServerConnection::Next> ServerConnection::answer(ServerResponse& response, bool keep) {
  std::optional<FilePieces> file;
  if (const auto* range = std::get_if<FileRange>(&response.body)) {
    auto opened = FilePieces::open(*range);
    if (opened) file.emplace(std::move(*opened));
    if (!opened) response = plain_answer(500, "The server failed to read a file.\n");
  }
  const bool modern = parser_->get().version() >= 11;
  const auto* text = std::get_if<std::string>(&response.body);
  const auto* range = std::get_if<FileRange>(&response.body);
  const auto* producer = std::get_if<Producer>(&response.body);
  const bool no_body = response.status == 204 || response.status == 304;

  auto framing = Framing::length;
  if (producer || (text && response.omit_length)) framing = modern ? Framing::chunked : Framing::until_close;
  if (no_body) framing = Framing::none;
  if (framing == Framing::until_close) keep = false;
  const std::uint64_t length = text ? text->size() : range ? range->size : 0;
  const std::string_view connection = !keep ? "close" : modern ? "" : "keep-alive";

  if (response.break_after == 0U) co_return Next::broken;
  left_before_break_ = response.break_after;
  std::string head = head_of(response, framing, length, connection);
  const bool chunked = framing == Framing::chunked;
  bool whole = true;
  if (no_body || parser_->get().method() == beast_http::verb::head) {
    whole = co_await write(head);
  } else if (text && !chunked && !left_before_break_ && text->size() <= coalesce_limit) {
    head += *text;
    whole = co_await write(head);
  } else {
    whole = co_await write(head);
    if (whole && text && !text->empty()) whole = co_await write_body(*text, chunked);
    if (whole && file) whole = co_await write_file(*file);
    if (whole && producer) whole = co_await write_produced(*producer, chunked);
    if (whole && chunked && !left_before_break_) whole = co_await write("0\r\n\r\n");
  }
  if (!whole || left_before_break_) co_return Next::broken;
  co_return keep ? Next::keep : Next::close;
}

asio::awaitable<bool> ServerConnection::write(std::string_view bytes) {
  const Moved moved = co_await connection_.stream->write(bytes);
  co_return !moved.error;
}

/// A piece of the body, as a chunk if need be. False when the connection broke, or was to break here.
asio::awaitable<bool> ServerConnection::write_body(std::string_view bytes, bool chunked) {
  std::string framed;
  if (chunked) {
    std::array<char, 32> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    framed = size.data();
  }
  const bool breaks = left_before_break_ && *left_before_break_ <= bytes.size();
  if (breaks) bytes = bytes.substr(0, *left_before_break_);
  if (left_before_break_) *left_before_break_ -= bytes.size();
  if (!chunked && !breaks) co_return co_await write(bytes);
  framed += bytes;
  if (!breaks) framed += "\r\n";
  const bool written = co_await write(framed);
  co_return written && !breaks;
}

asio::awaitable<bool> ServerConnection::write_file(FilePieces& file) {
  for (;;) {
    const auto piece = file.next();
    if (!piece) co_return false;  // The promised length cannot be kept: only a broken connection says so.
    if (piece->empty()) co_return true;
    if (!co_await write_body(*piece, false)) co_return false;
  }
}

/// A producer that fails or throws leaves the answer visibly incomplete.
asio::awaitable<bool> ServerConnection::write_produced(const Producer& producer, bool chunked) {
  for (;;) {
    Result<std::string> piece = Error{};
    try {
      piece = co_await producer();
    } catch (const std::exception& error) {
      piece = Error{Fault::bug, error.what()};
    }
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
    const bool written = co_await write_body(*piece, chunked);
    if (!written) co_return false;
  }
}

/// Whether what is left of the request's body may be little enough to be read for the sake of the connection.
bool ServerConnection::may_drain() const {
  if (parser_->is_done()) return true;
  if (expects_continue_) return false;  // Nobody knows whether the body will come now.
  const auto length = parser_->content_length();
  return !length || *length - body_read_ <= drain_limit;
}

asio::awaitable<bool> ServerConnection::drain() {
  std::uint64_t dropped = 0;
  while (!parser_->is_done()) {
    const auto piece = co_await read_piece();
    if (!piece) co_return false;
    dropped += piece->size();
    if (dropped > drain_limit) co_return false;
  }
  co_return true;
}

asio::awaitable<void> ServerConnection::refuse(int status, std::string_view text) {
  ServerResponse response = plain_answer(status, std::string{text});
  std::string answer = head_of(response, Framing::length, std::get<std::string>(response.body).size(), "close");
  answer += std::get<std::string>(response.body);
  if (co_await write(answer)) co_await linger();
}

/// Closing while the client still sends would reset the connection and could take our answer with it. So: say that we
/// are done, and drop what still comes, for a while (RFC 9112 §9.6).
asio::awaitable<void> ServerConnection::linger() {
  auto& stream = *connection_.stream;
  stream.socket().limit(linger_time, Clock::now() + linger_time);
  co_await stream.shutdown();
  std::string dropped(64UL * 1024, '\0');
  for (std::uint64_t total = 0; total < linger_limit;) {
    const Moved moved = co_await stream.socket().read_some(dropped.data(), dropped.size());
    if (moved.error) co_return;
    total += moved.bytes;
  }
}

}  // namespace outpost::http
