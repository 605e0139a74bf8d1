#pragma once

#include "agent/base/clock.hpp"
#include "samples/control-server/database.hpp"
#include "samples/control-server/list_arguments.hpp"
#include "samples/control-server/model.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::sample {

namespace json = boost::json;

/// A part of a WHERE clause with the values of its question marks.
struct Condition {
  std::string sql;
  std::vector<Cell> values;

  Condition& both(const Condition& other);  ///< AND
};

struct Page {
  json::array items;
  std::int64_t count = 0;  ///< Before paging.
};

/// The rows of the tables as JSON objects, with the rules that the original keeps for all resources: soft deletion,
/// random etags that change at each change, messages of failed creations.
class Records {
 public:
  Records(Database& database, std::chrono::seconds clock_offset) : database_{database}, clock_offset_{clock_offset} {}

  /// Inserts a row. Answers with `values` as they were given (the original shows the object before the database has
  /// filled in its defaults). A broken unique or reference rule is 409, a value that does not fit 400.
  json::object create(const Table& table, json::object values);
  /// The row, unless archived; with `etag` only when it is the current one. Otherwise 404 "<singular> not found".
  json::object get(const Table& table, std::string_view id, const std::optional<std::string>& etag = {});
  /// Changes columns; gives a new etag and updated_at.
  void update(const Table& table, std::string_view id, json::object changes);
  /// All rows for a condition; `tail` is ORDER BY and such.
  json::array select(const Table& table, const Condition& where, std::string_view tail = "");
  /// What a list request asks for among the rows of `base`.
  Page list(const Table& table, const Condition& base, const ListArguments& arguments, bool paged = true);

  Database& database() { return database_; }
  void set_clock_offset(std::chrono::seconds offset) { clock_offset_ = offset; }
  /// UTC without zone, always with six digits: "2026-11-20T22:12:12.821369".
  [[nodiscard]] std::string now() const;
  [[nodiscard]] Timestamp time() const;

 private:
  json::object object_of(const Table& table, const Row& row);

  Database& database_;
  std::chrono::seconds clock_offset_;
};

[[nodiscard]] std::string new_uuid();    ///< A random UUID (version 4).
[[nodiscard]] std::string new_etag();    ///< 32 hexadecimal digits.
[[nodiscard]] std::string new_secret();  ///< 64 letters and digits.
/// The common six-digit form of a time that a client wrote, or nothing.
[[nodiscard]] std::optional<std::string> normal_time(std::string_view text);

/// How long the database takes a text to be.
[[nodiscard]] std::size_t characters_in(std::string_view utf8);
/// The string at `key`, or "" when there is none.
[[nodiscard]] std::string text_at(const json::object& object, std::string_view key);
/// The condition that a column equals a text.
[[nodiscard]] Condition equals(std::string_view column, std::string value);
/// The condition that a column is one of some ids (nothing is in an empty list).
[[nodiscard]] Condition is_one_of(std::string_view column, const std::vector<std::string>& values);

}  // namespace outpost::sample
