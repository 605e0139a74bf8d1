#pragma once

#include "agent/http/beast/connection.hpp"
#include "agent/http/beast/file_pieces.hpp"
#include "agent/http/beast/piece_body.hpp"
#include "agent/http/client.hpp"

#include <optional>
#include <string>

namespace outpost::http {

/// One request and its answer on one connection. It reads while it sends, because a server may refuse a large body long
/// before its end (413) and then either not read the rest or close.
class Exchange {
 public:
  /// `head` ends with the empty line; `file` replaces the body of the request when there is one. `peer` begins the
  /// error messages. Of the options it takes the limits of the speed. All references outlive the exchange.
  Exchange(Connection& connection, const Request& request, const std::string& head, FilePieces* file,
           const std::string& peer, const ClientOptions& options);

  /// The body of a 2xx answer goes to `sink` when there is one.
  boost::asio::awaitable<Result<Response>> run(const BodySink* sink);

  /// The connection may serve the next request.
  [[nodiscard]] bool is_reusable() const;
  /// The connection broke before a byte of the answer came.
  [[nodiscard]] bool was_closed_unanswered() const { return closed_unanswered_; }
  /// Not a byte of the request was accepted for sending.
  [[nodiscard]] bool was_unsent() const;

 private:
  boost::asio::awaitable<void> send();
  boost::asio::awaitable<void> send_body(const std::string* text);
  boost::asio::awaitable<bool> send_piece(std::string_view piece);
  boost::asio::awaitable<bool> send_in_turn(std::string_view piece);
  void begin_flow() { connection_.stream->socket().begin_flow(options_.slow_rate, options_.slow_window); }
  boost::asio::awaitable<void> receive_head();
  boost::asio::awaitable<Result<Response>> receive_body(const BodySink* sink);
  [[nodiscard]] Response response_head() const;
  [[nodiscard]] Error no_answer();
  [[nodiscard]] Error broken_answer(boost::system::error_code error, std::uint64_t received) const;
  [[nodiscard]] std::optional<Error> common_failure(boost::system::error_code error,
                                                    const std::string& waiting_for) const;

  Connection& connection_;
  const Request& request_;
  const std::string& head_;
  FilePieces* file_;
  const std::string& peer_;
  const ClientOptions& options_;
  const std::uint64_t body_size_;
  const std::uint64_t sent_before_, received_before_;  // Of the connection, by earlier exchanges.

  std::optional<ResponseParser> parser_;
  std::uint64_t body_sent_ = 0;
  bool all_sent_ = false;
  bool stop_sending_ = false;  // The answer is there, and it is not what the rest of the body would change.
  bool head_received_ = false;
  bool answer_began_ = false;
  bool closed_unanswered_ = false;
  boost::system::error_code send_error_, head_error_;
  std::optional<Error> file_error_;
};

}  // namespace outpost::http
