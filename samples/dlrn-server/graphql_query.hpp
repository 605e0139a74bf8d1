#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::sample_builder {

/// One field that a GraphQL query asks for.
struct Field {
  std::string name, alias;  ///< The alias is what the answer calls it; the name where none was given.
  boost::json::object arguments;
  std::vector<Field> fields;
  bool has_fields = false;
  std::string on;      ///< The type that the fragment is for of which it comes; empty: of none.
  std::size_t at = 0;  ///< Where in the text, for errors.
};

/// Why a query is not answered.
struct QueryError {
  std::string message;
  std::size_t at = 0;
};

/// The fields of a query. Variables are put in, arguments whose variable has no value left out; fragments are put in where
/// they are spread, and what @include and @skip leave out is left out. Throws QueryError.
[[nodiscard]] std::vector<Field> parse_query(std::string_view text, const boost::json::object& variables);

}  // namespace outpost::sample_builder
