#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <string>
#include <string_view>

namespace outpost::files {

[[nodiscard]] bool is_redirect(int status);

/// The GET request that follows a redirect (301, 302, 303, 307, 308) given as an answer to `from`. It has no headers.
/// refused: https to http, another scheme, credentials in the address; malformed: no usable Location.
[[nodiscard]] Result<http::Request> follow(const http::Request& from, const http::Response& answer, bool allow_local);

/// An address for messages and logs: without the query, which may hold a signature.
[[nodiscard]] std::string without_query(std::string_view url);

}  // namespace outpost::files
