#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace outpost::replay {

/// One request as it goes on the wire, byte by byte: replaying must be able to send what a good client never would.
struct WireRequest {
  std::string method, target;
  http::Headers headers;  ///< All of them; nothing but Connection is added. Transfer-Encoding: chunked frames the body.
  std::string body;
};

struct WireAnswer {
  int status = 0;
  http::Headers headers;
  std::string body;
  bool chunked = false;
  bool complete = true;  ///< False when the connection broke before the end that the head promised.
};

/// Sends a request over a fresh connection of its own (http only) and reads the whole answer. Blocks, at most `limit`
/// without a byte moving. An answer that arrives while the body is still being sent is fine.
[[nodiscard]] Result<WireAnswer> exchange(const std::string& host, std::uint16_t port, const WireRequest& request,
                                          std::chrono::seconds limit = std::chrono::seconds{120});

}  // namespace outpost::replay
