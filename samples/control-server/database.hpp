#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace outpost::sample {

using Cell = std::variant<std::nullptr_t, std::int64_t, double, std::string>;
using Row = std::vector<Cell>;
using Rows = std::vector<Row>;

/// A unique, not-null or foreign-key rule said no: the original's IntegrityError.
struct ConstraintViolation {};

/// One SQLite connection with a cache of prepared statements. It does not survive a power cut (synchronous=OFF),
/// which is right for a test double. Throws std::runtime_error for what is a mistake in this program.
class Database {
 public:
  explicit Database(const std::string& path);  ///< ":memory:" too.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Rows query(std::string_view sql, std::span<const Cell> parameters = {});
  Rows query(std::string_view sql, std::initializer_list<Cell> parameters) {
    return query(sql, std::span<const Cell>{parameters.begin(), parameters.size()});
  }

 private:
  sqlite3_stmt* prepare(std::string_view sql);

  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

[[nodiscard]] inline std::string text_of(const Cell& cell) {
  const auto* text = std::get_if<std::string>(&cell);
  return text ? *text : std::string{};
}
[[nodiscard]] inline std::int64_t number_of(const Cell& cell) {
  const auto* number = std::get_if<std::int64_t>(&cell);
  return number ? *number : 0;
}

}  // namespace outpost::sample
