#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <memory>

namespace outpost::http {

/// A client over TCP, TLS (1.2 or newer, always verified) and unix sockets. Serves one loop, the one its callers run
/// on, and must be destroyed before that io_context: kept connections live on it, and closing them asks it for its
/// services. Any number of requests at a time. Fails when a file of the options cannot be used or the proxy's URL is
/// none; the message says which.
///
/// A request is sent a second time only when a kept connection turns out to be closed and the server cannot have acted
/// on it: not one byte was accepted for sending, or the method is safe (RFC 9110 §9.2.1), or it is a PUT or DELETE
/// without If-Match. A POST is never sent twice.
[[nodiscard]] Result<std::unique_ptr<Client>> make_beast_client(ClientOptions options);

}  // namespace outpost::http
