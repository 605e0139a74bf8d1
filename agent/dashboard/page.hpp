#pragma once

#include "agent/http/server.hpp"

#include <span>
#include <string_view>

namespace outpost::dashboard {

/// A file of the page, in the program itself.
struct Asset {
  std::string_view path;  ///< "page/main.js"
  std::string_view content;
};

/// All of them; README.md here says why they are in the program.
[[nodiscard]] std::span<const Asset> assets();

/// What is below /api/ goes to `api`, all else is the page: "/" and the files that it consists of. The page holds no data
/// of its own, so anybody may have it.
[[nodiscard]] http::Handler with_page(http::Handler api);

}  // namespace outpost::dashboard
