#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace outpost::http {

struct Request {
  std::string method = "GET";
  std::string url;  ///< http:// or https://, with the query as it goes on the wire (percent-encoded by the caller).
  Headers headers;  ///< Host, Content-Length, Connection are set by the client; User-Agent unless given.
  Body body;
  /// No byte moved for this long: given up. It covers connect, TLS handshake, sending, waiting and receiving alike.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds{60};
  std::size_t response_limit = 16 * 1024 * 1024;  ///< Larger in-memory answers are an error (malformed).
  std::string unix_socket;                         ///< Connect here instead of to the URL's host.
  bool refuse_local_addresses = false;             ///< Loopback, link-local: refused once the name is resolved.
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;  ///< Empty when the body went to a sink.
};

/// Takes a body as it arrives. An error ends the transfer and becomes its result. It is told the head first.
struct BodySink {
  std::function<Result<void>(const Response& head)> begin;
  std::function<Result<void>(std::string_view bytes)> write;
};

/// Sends requests; connections are kept and used again. Redirects are not followed, statuses are not judged.
/// Errors: retry_later for the network, time-outs and a 5xx or 407 of the proxy; refused for TLS (the message says
/// which certificate, why, and what to set); malformed for what is not HTTP. Cancellation ends a request at once.
class Client {
 public:
  virtual ~Client() = default;
  virtual boost::asio::awaitable<Result<Response>> send(Request request) = 0;
  /// As send(), but a 2xx body goes to `sink` in pieces; bodies of other statuses are returned in the response.
  virtual boost::asio::awaitable<Result<Response>> fetch(Request request, BodySink sink) = 0;
};

class Throttle;

/// How to reach the outside: one client per source, because each may have its own.
struct ClientOptions {
  std::string ca_file;  ///< PEM; empty: the system's.
  std::string client_certificate, client_key;  ///< PEM files.
  std::string proxy;     ///< "http://[user:password@]host:port" or https://...; empty: none.
  std::string no_proxy;  ///< "localhost,.example.org,10.0.0.0/8,*"
  std::string user_agent;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds{20};
  /// A body on its way, or an answer that has begun, is given up when it moves more slowly than this for so long: a dead
  /// or malicious peer may keep a connection busy with a byte now and then.
  std::uint64_t slow_rate = 1000;  ///< Bytes a second.
  std::chrono::milliseconds slow_window = std::chrono::seconds{60};
  std::shared_ptr<Throttle> uploads;  ///< Holds back bodies that come from files; several clients may share it.
};

}  // namespace outpost::http
