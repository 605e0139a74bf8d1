#pragma once

#include <string_view>

namespace outpost::hooks {

/// Keywords of JSON Schema whose value maps names to schemas.
[[nodiscard]] constexpr bool has_named_schemas(std::string_view keyword) {
  return keyword == "definitions" || keyword == "dependencies" || keyword == "patternProperties" || keyword == "properties";
}

/// Keywords whose value is a value, never a schema, whatever it looks like.
[[nodiscard]] constexpr bool has_a_value(std::string_view keyword) {
  return keyword == "const" || keyword == "default" || keyword == "enum" || keyword == "examples";
}

}  // namespace outpost::hooks
