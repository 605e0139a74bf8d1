#pragma once

#include "samples/control-server/call.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace outpost::sample {

struct Match {
  Handler handler = nullptr;
  std::vector<std::string> ids;
  bool is_upload = false;  ///< POST /files: the original counts its body before it asks who sends it.
};

/// No route there (404), or none with this method (405).
struct NoRoute {
  PageError error;
};

/// Finds the endpoint of a decoded path; trailing slashes do not matter, a malformed uuid does not match.
[[nodiscard]] std::variant<Match, NoRoute> find_route(std::string_view method, std::string_view path);

}  // namespace outpost::sample
