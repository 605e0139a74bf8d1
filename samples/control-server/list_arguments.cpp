#include "samples/control-server/list_arguments.hpp"

#include "agent/base/text.hpp"
#include "samples/control-server/errors.hpp"
#include "samples/control-server/records.hpp"
#include "samples/control-server/schemas.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace outpost::sample {
namespace {

json::array names_of(const Table& table) {
  std::set<std::string_view> names;
  for (const auto& column : table.columns) names.insert(column.name);
  json::array list;
  for (const auto name : names) list.emplace_back(name);
  return list;
}

std::int64_t integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) throw PageError{500, {}, {}};
  return number;
}

/// "%Y-%m-%dT%H:%M:%S.%f", or milliseconds since 1970. The original drops a date of another form and lists everything.
std::optional<std::string> date(std::string_view text) {
  constexpr std::int64_t end_of_time = 253402300800000;  // The year 10000.
  if (!text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    const auto milliseconds = integer(text);
    if (milliseconds >= end_of_time) return {};
    return normal_time(to_rfc3339(Timestamp{std::chrono::milliseconds{milliseconds}}));
  }
  const bool has_form = text.find('.') != std::string_view::npos && text.find('T') != std::string_view::npos &&
                        !text.ends_with('Z') && text.find('+') == std::string_view::npos;
  return has_form ? normal_time(text) : std::nullopt;
}

/// One `column:value` of a where. The value goes into the database as the original's types would take it.
Condition where_condition(const Table& table, const std::string& element) {
  const auto colon = element.find(':');
  const auto name = element.substr(0, colon);
  const auto value = element.substr(colon + 1);
  const auto* column = table.column(name);
  if (!column) throw ApiError{400, "Invalid where key: \"" + element + "\"", {{"Valid where keys", names_of(table)}}};
  if (name == "api_secret" || name == "data" || name == "password")
    throw ApiError{400, "Invalid where key: \"" + name + "\"", {}};
  if (value.empty()) return {name + " IS NULL", {}};
  switch (column->type) {
    case Type::uuid:
      if (!normal_uuid(value)) throw invalid_text("uuid", value);
      return equals(name, *normal_uuid(value));
    case Type::array:
      return {"EXISTS (SELECT 1 FROM json_each(" + name + ") AS element WHERE element.value = ?)", {value}};
    case Type::integer: {
      std::int64_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()) throw invalid_text("integer", value);
      return {name + " = ?", {number}};
    }
    case Type::timestamp: {
      const auto normal = normal_time(value);
      if (!normal)
        throw ApiError{
            400,
            "(psycopg2.errors.InvalidDatetimeFormat) invalid input syntax for type timestamp: \"" + value + "\"\n",
            {}};
      return equals(name, *normal);
    }
    case Type::boolean: throw PageError{500, {}, {}};  // SQLAlchemy: "Not a boolean value".
    case Type::list:
      throw ApiError{400, "(psycopg2.errors.UndefinedFunction) operator does not exist: json = unknown\n", {}};
    default: break;
  }
  const auto wanted = to_lower(value);
  if (wanted.ends_with('*') && std::ranges::count(wanted, '*') == 1)
    return {"pg_like(lower(" + name + "), ?, 0)", {"%" + wanted.substr(0, wanted.size() - 1) + "%"}};
  return {"lower(" + name + ") = ?", {wanted}};
}

/// One record of comma-separated values as Python's csv module reads it: quotes around an element fall away. Blanks
/// around the record, and line ends and tabs inside it, are taken out before.
std::vector<std::string> csv(std::string_view text) {
  const auto record = replace_all(replace_all(std::string{trim(text)}, "\n", ""), "\t", "");
  auto elements = split(record, ',');
  for (auto& element : elements)
    if (element.size() > 1 && element.front() == '"' && element.back() == '"')
      element = element.substr(1, element.size() - 2);
  return elements;
}

}  // namespace

QueryArguments parse_query(std::string_view query) {
  QueryArguments arguments;
  if (query.empty()) return arguments;
  for (const auto& pair : split(query, '&')) {
    if (pair.empty()) continue;
    const auto equal = pair.find('=');
    auto name = percent_decode(pair.substr(0, equal), true);
    auto value = equal == std::string::npos ? std::string{} : percent_decode(pair.substr(equal + 1), true);
    if (std::ranges::none_of(arguments, [&](const auto& known) { return known.first == name; }))
      arguments.emplace_back(std::move(name), std::move(value));
  }
  return arguments;
}

ListArguments list_arguments(const QueryArguments& arguments) {
  json::object raw;
  for (const auto& [name, value] : arguments) raw[name] = value;
  json::value checked(raw);
  check(list_schema, checked);
  ListArguments list;
  if (const auto limit = text_at(raw, "limit"); !limit.empty()) {
    list.limit = std::min<std::int64_t>(200, limit.size() > 9 ? 200 : integer(limit));
    list.offset = integer(text_at(raw, "offset"));
  }
  if (const auto sort = text_at(raw, "sort"); !sort.empty()) list.sort = csv(sort);
  if (const auto where = text_at(raw, "where"); !where.empty()) list.where = csv(where);
  list.query = text_at(raw, "query");
  if (const auto after = text_at(raw, "created_after"); !after.empty()) list.created_after = date(after);
  if (const auto after = text_at(raw, "updated_after"); !after.empty()) list.updated_after = date(after);
  return list;
}

std::string order_by(const Table& table, const ListArguments& arguments) {
  std::string order;
  for (const auto& key : arguments.sort) {
    const bool descending = key.starts_with('-');
    const auto name = descending ? key.substr(1) : key;
    if (!table.column(name))
      throw ApiError{400, "Invalid sort key: \"" + name + "\"", {{"Valid sort keys", names_of(table)}}};
    order += (order.empty() ? "" : ", ") + name + (descending ? " DESC" : "");
  }
  // Rows of the same microsecond come in the order of their creation.
  return order.empty() ? "created_at DESC, rowid DESC"
                       : order + (arguments.sort.back().starts_with('-') ? ", rowid DESC" : ", rowid");
}

Condition selection(const Table& table, const ListArguments& arguments) {
  Condition condition;
  if (!arguments.where.empty())
    for (const auto& element : arguments.where) condition.both(where_condition(table, element));
  else if (!arguments.query.empty())
    condition.both(query_condition(table, arguments.query));
  if (arguments.created_after) condition.both({"created_at >= ?", {*arguments.created_after}});
  if (arguments.updated_after) {
    if (!table.column("updated_at")) throw PageError{500, {}, {}};
    condition.both({"updated_at >= ?", {*arguments.updated_after}});
  }
  return condition;
}

}  // namespace outpost::sample
