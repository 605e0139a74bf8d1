#pragma once

#include "samples/control-server/model.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::sample {

struct Condition;

/// The parameters of a query string: the first value of each name, decoded.
using QueryArguments = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] QueryArguments parse_query(std::string_view query);

/// What a list request may say (limit 1..200 and offset together, sort, where, query, created_after, updated_after).
struct ListArguments {
  std::int64_t limit = 20, offset = 0;
  std::vector<std::string> sort;
  std::vector<std::string> where;
  std::string query;
  std::optional<std::string> created_after, updated_after;
};

/// Checks and reads them; 400 "Request malformed" for what the original's schema refuses.
[[nodiscard]] ListArguments list_arguments(const QueryArguments& arguments);

/// The ORDER BY of `sort` (default: newest first). 400 for a name that is no column.
[[nodiscard]] std::string order_by(const Table& table, const ListArguments& arguments);

/// The WHERE of `where` (which wins) or `query`, and of the two dates.
[[nodiscard]] Condition selection(const Table& table, const ListArguments& arguments);

/// The WHERE of an expression of the query language: and(eq(name,x),contains(tags,y)).
[[nodiscard]] Condition query_condition(const Table& table, std::string_view expression);

}  // namespace outpost::sample
