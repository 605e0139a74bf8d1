#pragma once

#include "agent/http/beast/connection.hpp"
#include "agent/http/beast/file_pieces.hpp"
#include "agent/http/beast/piece_body.hpp"
#include "agent/http/server.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::http {

/// What is the same for all connections of one listening address.
struct Service {
  Handler handler;
  std::chrono::milliseconds idle_timeout;
  std::size_t head_limit;
};

/// Serves one client: reads a request, lets the handler answer, and so on until either side closes.
class ServerConnection {
 public:
  ServerConnection(std::unique_ptr<Stream> stream, std::shared_ptr<const Service> service, std::string peer,
                   std::optional<std::uint32_t> peer_uid);

  /// Returns when the connection is over. Exceptions of a handler do not leave it, cancellation does.
  boost::asio::awaitable<void> serve();

  [[nodiscard]] std::chrono::milliseconds handshake_timeout() const { return service_->idle_timeout; }
  /// Stops serve(), and the handler that it waits for.
  void stop();
  boost::asio::cancellation_signal cancel;

 private:
  class IncomingRequest;
  enum class Next { keep, close, broken };

  boost::asio::awaitable<Next> serve_one();
  boost::asio::awaitable<bool> read_head();
  boost::asio::awaitable<Result<std::string>> read_piece();
  boost::asio::awaitable<ServerResponse> ask_handler();
  boost::asio::awaitable<Next> answer(ServerResponse& response, bool keep);
  boost::asio::awaitable<bool> write(std::string_view bytes);
  boost::asio::awaitable<bool> write_body(std::string_view bytes, bool chunked);
  boost::asio::awaitable<bool> write_file(FilePieces& file);
  boost::asio::awaitable<bool> write_produced(const Producer& producer, bool chunked);
  boost::asio::awaitable<bool> drain();
  boost::asio::awaitable<void> refuse(int status, std::string_view text);
  boost::asio::awaitable<void> linger();
  [[nodiscard]] bool may_drain() const;

  Connection connection_;
  std::shared_ptr<const Service> service_;
  std::string peer_;
  std::optional<std::uint32_t> peer_uid_;
  std::optional<RequestParser> parser_;
  std::uint64_t body_read_ = 0;
  bool expects_continue_ = false;                   // The client waits for our word before it sends the body.
  std::optional<std::uint64_t> left_before_break_;  // ServerResponse::break_after, counted down.
};

}  // namespace outpost::http
