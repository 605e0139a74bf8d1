#pragma once

#include "agent/http/server.hpp"

#include <functional>
#include <string>

namespace outpost::control {

/// Answers GET and HEAD of /metrics with the text, which is in the text format of Prometheus, version 0.0.4; leaves
/// everything else to `rest`.
[[nodiscard]] http::Handler with_metrics(http::Handler rest, std::function<std::string()> text);

}  // namespace outpost::control
