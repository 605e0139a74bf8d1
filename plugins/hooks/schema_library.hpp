#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

/// What a JSON Schema has against a value.
struct Violation {
  std::vector<std::string> path;  ///< {"ports", "0"}; empty: the whole.
  std::string message;
};

/// Everything that a JSON Schema (draft 7) has against a value. A schema that cannot be used is one violation, of the
/// whole, whose message begins with `unusable_schema`. Texts for which nobody can say in bounded time whether they match a pattern
/// of the schema are told alone.
[[nodiscard]] std::vector<Violation> violations(const boost::json::value& value, const boost::json::value& schema);

inline constexpr std::string_view unusable_schema = "the schema cannot be used";

}  // namespace outpost::hooks
