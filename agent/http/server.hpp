#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace outpost::http {

/// A request that a server received. Its body is read piece by piece; what the handler leaves unread is thrown away.
class ServerRequest {
 public:
  virtual ~ServerRequest() = default;

  std::string method;
  std::string target;  ///< As on the wire: path and query.
  std::string path;    ///< Percent-decoded, without the query.
  std::string query;   ///< As on the wire, without the '?'.
  Headers headers;
  std::string peer;                         ///< "127.0.0.1:40000", or "uid 1000" on a unix socket.
  std::optional<std::uint32_t> peer_uid;    ///< On a unix socket, from the kernel.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;

  /// The next bytes of the body; empty at its end.
  virtual boost::asio::awaitable<Result<std::string>> read_some() = 0;
  /// The whole body, at most `limit` bytes: refused when it is longer.
  boost::asio::awaitable<Result<std::string>> read_all(std::size_t limit);
};

/// Makes the pieces of a body of unknown length (chunked, or until close for HTTP/1.0); empty ends it.
using Producer = std::function<boost::asio::awaitable<Result<std::string>>()>;

struct ServerResponse {
  int status = 200;
  std::string reason;  ///< The standard phrase when empty.
  Headers headers;     ///< Content-Length and Connection are set by the server.
  std::variant<std::string, FileRange, Producer> body;
  bool omit_length = false;  ///< With a text body: send it chunked instead of with Content-Length.
  /// For test doubles that misbehave: break the connection after so many bytes of the body (0: before the status line).
  std::optional<std::uint64_t> break_after;
};

using Handler = std::function<boost::asio::awaitable<ServerResponse>(ServerRequest& request)>;

struct TcpAddress { std::string host = "127.0.0.1"; std::uint16_t port = 0; };  ///< Port 0: any free one.
struct UnixAddress { std::string path; unsigned mode = 0660; };  ///< A stale socket file is replaced.
struct TlsIdentity { std::string certificate_file, key_file, client_ca_file; };

struct ListenOptions {
  std::variant<TcpAddress, UnixAddress> address;
  std::optional<TlsIdentity> tls;
  std::chrono::milliseconds idle_timeout = std::chrono::seconds{75};
  std::size_t head_limit = 64 * 1024;  ///< Request line and header fields together; more is answered with 431.
};

/// An HTTP/1.1 server on the current loop. Handlers of different connections interleave at their awaits.
class Server {
 public:
  virtual ~Server() = default;
  /// Binds and starts to accept. Returns the TCP port (0 for a unix socket). May be called for several addresses.
  virtual Result<std::uint16_t> listen(ListenOptions options, Handler handler) = 0;
  /// Accepts no more, and closes what is open.
  virtual void stop() = 0;
};

}  // namespace outpost::http
