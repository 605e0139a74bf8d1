#pragma once

#include "agent/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace outpost::http {

/// A server over TCP, TLS and unix sockets on the loop of `executor`.
///
/// * A body that the handler leaves unread is read and dropped up to 1 MiB, then the connection is closed, late enough
///   that a client which reads while it sends sees the answer.
/// * A handler that throws is answered with 500; what it threw is not shown to the client.
/// * Adds `Date`; a `Connection: close` in a handler's answer is honoured.
/// * After stop() handlers that wait are cancelled: run the loop once more before destroying what they use.
[[nodiscard]] std::unique_ptr<Server> make_beast_server(boost::asio::any_io_executor executor);

}  // namespace outpost::http
