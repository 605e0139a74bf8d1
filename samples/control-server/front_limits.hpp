#pragma once

#include "agent/http/server.hpp"

#include <optional>

namespace outpost::sample {

/// What the web server in front of the original (gunicorn) refuses before the application sees it: a request line of
/// more than 4094 bytes (400), a header field of more than 8190 bytes or more than 100 of them (431).
[[nodiscard]] std::optional<http::ServerResponse> refused_in_front(const http::ServerRequest& request);

}  // namespace outpost::sample
