#include "samples/control-server/records.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "samples/control-server/errors.hpp"

#include <sys/random.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <stdexcept>

namespace outpost::sample {
namespace {

struct DoesNotFit {};

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (::getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) throw std::runtime_error{"getrandom failed"};
  return bytes;
}

Cell text_cell(const Column& column, const json::value& value) {
  if (!value.is_string()) throw DoesNotFit{};
  std::string text{value.as_string()};
  if (column.type == Type::string && characters_in(text) > 255) throw DoesNotFit{};
  if (text.find('\0') != std::string::npos) throw DoesNotFit{};
  return text;
}

/// What is stored for a value; throws DoesNotFit where the original's database or its driver refuses.
Cell cell_of(const Column& column, const json::value& value) {
  if (value.is_null()) return nullptr;
  switch (column.type) {
    case Type::integer:
      if (value.is_int64()) return value.as_int64();
      throw DoesNotFit{};
    case Type::real:
      if (value.is_number()) return value.to_number<double>();
      throw DoesNotFit{};
    case Type::boolean:
      if (value.is_bool()) return std::int64_t{value.as_bool()};
      throw DoesNotFit{};
    case Type::array:
      if (!value.is_array()) throw DoesNotFit{};
      for (const auto& element : value.as_array())
        if (!element.is_string()) throw DoesNotFit{};
      return json::serialize(value);
    case Type::object:
    case Type::list: return json::serialize(value);
    case Type::timestamp: {
      if (!value.is_string()) throw DoesNotFit{};
      const auto normal = normal_time(value.as_string());
      if (!normal) throw DoesNotFit{};
      return *normal;
    }
    case Type::status:
      if (!value.is_string() ||
          std::ranges::find(job_statuses, std::string_view{value.as_string()}) == std::end(job_statuses))
        throw DoesNotFit{};
      return std::string{value.as_string()};
    default: return text_cell(column, value);
  }
}

json::value shown(const Column& column, const Cell& cell) {
  if (std::holds_alternative<std::nullptr_t>(cell)) return nullptr;
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    if (column.type == Type::boolean) return *number != 0;
    return *number;
  }
  if (const auto* real = std::get_if<double>(&cell)) return *real;
  const auto& text = std::get<std::string>(cell);
  if (column.type == Type::object || column.type == Type::list || column.type == Type::array) return json::parse(text);
  if (column.type == Type::timestamp && text.ends_with(".000000")) return json::string{text.substr(0, text.size() - 7)};
  return json::string{text};
}

std::string columns_of(const Table& table) {
  std::string names;
  for (const auto& column : table.columns) names += (names.empty() ? "" : ", ") + std::string{column.name};
  return names;
}

bool has_state(const Table& table) { return table.column("state") != nullptr; }

}  // namespace

Condition& Condition::both(const Condition& other) {
  if (other.sql.empty()) return *this;
  sql = sql.empty() ? other.sql : "(" + sql + ") AND (" + other.sql + ")";
  values.insert(values.end(), other.values.begin(), other.values.end());
  return *this;
}

Condition equals(std::string_view column, std::string value) {
  return {std::string{column} + " = ?", {std::move(value)}};
}

Condition is_one_of(std::string_view column, const std::vector<std::string>& values) {
  Condition condition{std::string{column} + " IN (", {}};
  for (const auto& value : values) {
    condition.sql += condition.values.empty() ? "?" : ",?";
    condition.values.emplace_back(value);
  }
  condition.sql += ")";
  return condition;
}

Timestamp Records::time() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()) + clock_offset_;
}

std::string Records::now() const { return *normal_time(to_rfc3339(time())); }

json::object Records::object_of(const Table& table, const Row& row) {
  json::object object;
  object.reserve(row.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].name != "password") object.emplace(table.columns[i].name, shown(table.columns[i], row[i]));
  return object;
}

json::object Records::create(const Table& table, json::object values) {
  std::string names, marks;
  std::vector<Cell> cells;
  try {
    for (const auto& column : table.columns) {
      const auto* given = values.if_contains(column.name);
      Cell cell = given ? cell_of(column, *given) : Cell{nullptr};
      if (std::holds_alternative<std::nullptr_t>(cell)) {
        if (column.type == Type::timestamp)
          cell = now();
        else if (column.name == "etag")
          cell = new_etag();
        else if (column.name == "id" && column.type == Type::uuid)
          cell = new_uuid();
        else if (!column.fallback.empty())
          cell = cell_of(column, json::parse(column.fallback));
      }
      names += (names.empty() ? "" : ", ") + std::string{column.name};
      marks += marks.empty() ? "?" : ",?";
      cells.push_back(std::move(cell));
    }
    database_.query("INSERT INTO " + std::string{table.name} + " (" + names + ") VALUES (" + marks + ")", cells);
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "We are unable to create this resource. A similar resource already exists.", {}};
  } catch (const DoesNotFit&) {
    throw ApiError{400, "We are unable to create this resource. Please contact a DCI administrator.", {}};
  }
  return values;
}

json::object Records::get(const Table& table, std::string_view id, const std::optional<std::string>& etag) {
  auto where = equals("id", std::string{id});
  if (has_state(table)) where.sql += " AND state != 'archived'";
  if (etag) where.both(equals("etag", *etag));
  const auto rows = database_.query(
      "SELECT " + columns_of(table) + " FROM " + std::string{table.name} + " WHERE " + where.sql, where.values);
  if (rows.empty()) throw not_found(std::string{table.singular});
  return object_of(table, rows.front());
}

void Records::update(const Table& table, std::string_view id, json::object changes) {
  if (table.column("etag")) changes["etag"] = new_etag();
  if (table.column("updated_at")) changes["updated_at"] = now();
  std::string assignments;
  std::vector<Cell> cells;
  try {
    for (const auto& [name, value] : changes) {
      const auto* column = table.column(name);
      if (!column) continue;
      assignments += (assignments.empty() ? "" : ", ") + std::string{name} + " = ?";
      cells.push_back(cell_of(*column, value));
    }
    cells.emplace_back(std::string{id});
    database_.query("UPDATE " + std::string{table.name} + " SET " + assignments + " WHERE id = ?", cells);
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "We are unable to update this resource. A similar resource already exists.", {}};
  } catch (const DoesNotFit&) {
    throw ApiError{400, "We are unable to update this resource. Please contact a DCI administrator.", {}};
  }
}

json::array Records::select(const Table& table, const Condition& where, std::string_view tail) {
  auto sql = "SELECT " + columns_of(table) + " FROM " + std::string{table.name};
  if (!where.sql.empty()) sql += " WHERE " + where.sql;
  json::array items;
  for (const auto& row : database_.query(sql + ' ' + std::string{tail}, where.values))
    items.emplace_back(object_of(table, row));
  return items;
}

Page Records::list(const Table& table, const Condition& base, const ListArguments& arguments, bool paged) {
  const auto order = order_by(table, arguments);
  auto where = base;
  if (has_state(table)) where.both({"state != 'archived'", {}});
  where.both(selection(table, arguments));
  Page page;
  const auto counted = database_.query(
      "SELECT count(*) FROM " + std::string{table.name} + " WHERE " + (where.sql.empty() ? "1" : where.sql),
      where.values);
  page.count = number_of(counted.front().front());
  auto tail = "ORDER BY " + order;
  if (paged) tail += " LIMIT " + std::to_string(arguments.limit) + " OFFSET " + std::to_string(arguments.offset);
  page.items = select(table, where, tail);
  return page;
}

std::string new_uuid() {
  auto bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  auto text = to_hex(bytes);
  for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

std::string new_etag() { return to_hex(random_bytes(16)); }

std::string new_secret() {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  auto secret = random_bytes(64);
  for (auto& c : secret) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return secret;
}

std::optional<std::string> normal_time(std::string_view text) {
  const auto moment =
      parse_rfc3339(text.size() == 10 ? std::string{text} + "T00:00:00" : replace_all(std::string{text}, " ", "T"));
  if (!moment) return {};
  auto normal = to_rfc3339(*moment);
  if (normal.ends_with('Z')) normal.pop_back();
  if (normal.size() == 19) normal += ".000000";
  return normal;
}

std::size_t characters_in(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->as_string()} : std::string{};
}

}  // namespace outpost::sample
