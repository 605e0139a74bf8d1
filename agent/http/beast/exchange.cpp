#include "agent/http/beast/exchange.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/http/beast/advance.hpp"
#include "agent/http/throttle.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace outpost::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr std::uint32_t head_limit = 256 * 1024;
/// A body up to this size goes out together with the head, and then the answer is read; it fits into the socket's
/// buffer, so a server that does not read it cannot block us.
constexpr std::size_t small_body = 16UL * 1024;

bool is_closed(error_code error) {
  return error == asio::error::eof || error == asio::error::connection_reset || error == asio::error::broken_pipe ||
         error == beast_http::error::end_of_stream || error == beast_http::error::partial_message;
}

}  // namespace

Exchange::Exchange(Connection& connection, const Request& request, const std::string& head, FilePieces* file,
                   const std::string& peer, const ClientOptions& options)
    : connection_{connection},
      request_{request},
      head_{head},
      file_{file},
      peer_{peer},
      options_{options},
      body_size_{size_of(request.body)},
      sent_before_{connection.stream->socket().bytes_sent()},
      received_before_{connection.stream->socket().bytes_received()} {}

bool Exchange::was_unsent() const { return connection_.stream->socket().bytes_sent() == sent_before_; }

bool Exchange::is_reusable() const {
  return all_sent_ && parser_ && parser_->is_done() && parser_->keep_alive() && connection_.buffer.size() == 0;
}

asio::awaitable<Result<Response>> Exchange::run(const BodySink* sink) {
  if (body_size_ > small_body) {
    co_await (send() && receive_head());
  } else {
    co_await send();
    co_await receive_head();  // Even if sending failed: the server may have answered before it closed.
  }
  if (file_error_) co_return *file_error_;
  if (!head_received_) co_return no_answer();
  auto response = co_await receive_body(sink);
  connection_.stream->socket().end_flow();
  co_return response;
}

asio::awaitable<bool> Exchange::send_piece(std::string_view piece) {
  const Moved moved = co_await connection_.stream->write(piece);
  send_error_ = moved.error;
  co_return !moved.error;
}

asio::awaitable<void> Exchange::send() {
  const auto* text = std::get_if<std::string>(&request_.body);
  if (text && text->size() <= small_body) {
    const std::string whole = head_ + *text;
    all_sent_ = co_await send_piece(whole);
    if (all_sent_) body_sent_ = body_size_;
    co_return;
  }
  if (!co_await send_piece(head_)) co_return;
  begin_flow();
  co_await send_body(text);
  connection_.stream->socket().end_flow();
}

asio::awaitable<void> Exchange::send_body(const std::string* text) {
  bool going = true;
  while (going && body_sent_ < body_size_ && !stop_sending_) {
    std::string_view piece;
    if (text) {
      piece = std::string_view{*text}.substr(body_sent_, FilePieces::piece_size);
    } else {
      auto next = file_->next();
      if (!next) {
        file_error_ = std::move(next).error();
        connection_.stream->socket().interrupt();  // Nobody will answer half a request.
        co_return;
      }
      piece = *next;
    }
    going = co_await send_in_turn(piece);
  }
  all_sent_ = going && body_sent_ == body_size_;
}

/// As much at a time as the throttle of the uploads lets through; false when the connection broke.
asio::awaitable<bool> Exchange::send_in_turn(std::string_view piece) {
  while (!piece.empty() && !stop_sending_) {
    std::size_t size = piece.size();
    if (options_.uploads && file_) {
      connection_.stream->socket().hold_back();
      size = co_await options_.uploads->take(size);
      connection_.stream->socket().let_go();
      if (stop_sending_) co_return true;
    }
    if (!co_await send_piece(piece.substr(0, size))) co_return false;
    body_sent_ += size;
    piece.remove_prefix(size);
  }
  co_return true;
}

asio::awaitable<void> Exchange::receive_head() {
  do {  // Interim answers (100, 103) come before the final one.
    if (std::exchange(answer_began_, false)) connection_.stream->socket().end_flow();
    parser_.emplace();
    parser_->header_limit(head_limit);
    parser_->body_limit(boost::none);  // Ours is response_limit, which a sink does not have.
    parser_->skip(request_.method == "HEAD");
    while (!parser_->is_header_done()) {
      head_error_ = co_await advance(connection_, *parser_);
      if (head_error_) co_return;
      if (!std::exchange(answer_began_, true)) begin_flow();  // run() ends it: an answer that begins should go on.
    }
    if (parser_->get().result_int() < 100) {  // Beast takes any three digits.
      head_error_ = make_error_code(beast_http::error::bad_status);
      co_return;
    }
  } while (parser_->get().result_int() / 100 == 1);
  head_received_ = true;
  // After a refusal the rest of the body is of no use to anybody (RFC 9110 §9.3); after a 2xx the server may want it.
  stop_sending_ = parser_->get().result_int() >= 300;
  if (stop_sending_ && !all_sent_ && body_size_ > small_body) connection_.stream->socket().interrupt();
}

Response Exchange::response_head() const {
  Response response;
  response.status = static_cast<int>(parser_->get().result_int());
  for (const auto& field : parser_->get())
    response.headers.add(std::string{field.name_string()}, std::string{field.value()});
  return response;
}

asio::awaitable<Result<Response>> Exchange::receive_body(const BodySink* sink) {
  Response response = response_head();
  if (response.status / 100 != 2) sink = nullptr;
  const auto too_large = [&] {
    return Error{Fault::malformed, peer_ + ": the answer is larger than " + format_size(request_.response_limit)};
  };
  if (!sink && !parser_->is_done() && parser_->content_length().value_or(0) > request_.response_limit)
    co_return too_large();
  if (sink && sink->begin) {
    auto accepted = sink->begin(response);
    if (!accepted) co_return accepted.error();
  }
  parser_->eager(true);
  std::uint64_t received = 0;
  while (!parser_->is_done()) {
    const error_code error = co_await advance(connection_, *parser_);
    auto& piece = parser_->get().body();
    received += piece.size();
    if (sink && !piece.empty()) {
      auto taken = sink->write(piece);
      if (!taken) co_return taken.error();
    } else if (!piece.empty()) {
      if (received > request_.response_limit) co_return too_large();
      response.body += piece;
    }
    piece.clear();
    if (error) co_return broken_answer(error, received);
  }
  co_return response;
}

std::optional<Error> Exchange::common_failure(error_code error, const std::string& waiting_for) const {
  if (const Error* known = connection_.stream->failure()) return Error{*known}.in(peer_);
  if (connection_.stream->socket().was_slow())
    return Error{Fault::retry_later, peer_ + ": less than " + std::to_string(options_.slow_rate) +
                                         " bytes a second moved for " + format_duration(options_.slow_window) +
                                         " while " + waiting_for};
  if (connection_.stream->socket().timed_out())
    return Error{Fault::retry_later,
                 peer_ + ": no byte moved for " + format_duration(request_.idle_timeout) + " while " + waiting_for};
  if (error == asio::error::operation_aborted)
    return Error{Fault::cancelled, peer_ + ": cancelled while " + waiting_for};
  if (error == beast_http::error::header_limit)
    return Error{Fault::malformed, peer_ + ": the head of the answer is larger than " + format_size(head_limit)};
  if (error.category() == make_error_code(beast_http::error::bad_version).category() && !is_closed(error))
    return Error{Fault::malformed, peer_ + ": the answer is not HTTP/1.1 (" + error.message() +
                                       "); is this the right port, and http or https as it should be?"};
  return std::nullopt;
}

Error Exchange::no_answer() {
  const bool sending = !all_sent_;
  const std::string progress = std::to_string(body_sent_) + " of " + std::to_string(body_size_) + " bytes";
  const error_code error = head_error_ ? head_error_ : send_error_;
  closed_unanswered_ = (is_closed(error) || is_closed(send_error_)) && !connection_.stream->failure() &&
                       connection_.stream->socket().bytes_received() == received_before_;
  if (auto known = common_failure(error, sending ? "sending the request (" + progress + " of the body sent)"
                                                 : std::string{"waiting for the answer"}))
    return std::move(*known);
  if (!is_closed(error)) return {Fault::retry_later, peer_ + ": " + error.message()};
  if (error == beast_http::error::partial_message)
    return {Fault::retry_later, peer_ + ": the connection was closed in the middle of the answer's head"};
  if (sending && body_size_ > 0)
    return {Fault::retry_later,
            peer_ + ": the connection was closed without an answer after " + progress + " of the body"};
  return {Fault::retry_later, peer_ + ": the connection was closed without an answer"};
}

Error Exchange::broken_answer(error_code error, std::uint64_t received) const {
  std::string progress = std::to_string(received);
  if (const auto length = parser_->content_length()) progress += " of " + std::to_string(*length);
  progress += " bytes";
  if (auto known = common_failure(error, "receiving the answer (" + progress + " so far)")) return std::move(*known);
  const std::string reason = is_closed(error) ? "the connection was closed" : error.message();
  return {Fault::retry_later, peer_ + ": the answer is cut off after " + progress + ": " + reason};
}

}  // namespace outpost::http
