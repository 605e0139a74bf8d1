#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::control {

/// The answer of a route, on its way.
using Answering = boost::asio::awaitable<http::ServerResponse>;

/// JSON, never kept by a cache.
[[nodiscard]] http::ServerResponse answer(int status, const boost::json::value& body);
/// {"error": {"message": ...}}
[[nodiscard]] http::ServerResponse problem(int status, std::string_view message);
/// The same with the status that fits: 400 malformed, 404 unavailable, 409 refused, 500 all else.
[[nodiscard]] http::ServerResponse problem(const Error& error);

/// What stands for the stars of a pattern ("jobs/*/logs/*"); a star is one part of the path, whatever it says. Nothing
/// when the path is another.
[[nodiscard]] std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path);

/// The parameters of a query, percent-decoded. malformed: there is one that is not `known`, or twice.
[[nodiscard]] Result<std::map<std::string, std::string>> parameters(std::string_view query,
                                                                    std::initializer_list<std::string_view> known);
/// The number of a parameter, or `otherwise` without it. malformed: it is none from `least` to `most`.
[[nodiscard]] Result<std::uint64_t> number_of(const std::map<std::string, std::string>& parameters, const std::string& name,
                                              std::uint64_t otherwise, std::uint64_t least, std::uint64_t most);

}  // namespace outpost::control
