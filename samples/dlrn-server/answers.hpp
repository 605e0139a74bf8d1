#pragma once

#include "agent/http/server.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace outpost::sample_builder {

/// {"a":1,"b":2}\n with sorted keys, as the original writes its JSON.
[[nodiscard]] http::ServerResponse json_answer(int status, const boost::json::value& value);
/// A page that says what went wrong, as the original's framework makes them.
[[nodiscard]] http::ServerResponse page_answer(int status);
/// A page for people.
[[nodiscard]] http::ServerResponse html_answer(std::string page);
/// 401 or 403: neither JSON nor a whole page.
[[nodiscard]] http::ServerResponse unauthorized_answer(int status, std::string_view scheme);

/// What a query or a form says: the first value of each name.
[[nodiscard]] boost::json::object parameters_of(std::string_view query);
/// "application/json" of "Application/JSON; charset=utf-8".
[[nodiscard]] std::string media_type_of(const http::ServerRequest& request);
[[nodiscard]] bool is_json(std::string_view media_type);

}  // namespace outpost::sample_builder
