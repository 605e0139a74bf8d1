#include "samples/control-server/database.hpp"

#include "agent/base/text.hpp"

#include <sqlite3.h>

#include <stdexcept>

namespace outpost::sample {
namespace {

/// PostgreSQL's LIKE: sensitive to case, % and _ only.
bool like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '%') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip)
      if (like(text.substr(skip), pattern.substr(1))) return true;
    return false;
  }
  if (text.empty()) return false;
  return (pattern.front() == '_' || pattern.front() == text.front()) && like(text.substr(1), pattern.substr(1));
}

void pg_like(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const auto* pattern = reinterpret_cast<const char*>(sqlite3_value_text(arguments[1]));
  if (!text || !pattern) return sqlite3_result_null(context);
  const bool any_case = sqlite3_value_int(arguments[2]) != 0;
  sqlite3_result_int(context, any_case ? like(to_lower(text), to_lower(pattern)) : like(text, pattern));
}

void bind(sqlite3_stmt* statement, int index, const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell))
    sqlite3_bind_int64(statement, index, *number);
  else if (const auto* real = std::get_if<double>(&cell))
    sqlite3_bind_double(statement, index, *real);
  else if (const auto* text = std::get_if<std::string>(&cell))
    sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  else
    sqlite3_bind_null(statement, index);
}

Cell column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, index)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, index);
    case SQLITE_NULL: return nullptr;
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      return std::string{text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index))};
    }
  }
}

}  // namespace

Database::Database(const std::string& path) {
  if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK)
    throw std::runtime_error{"cannot open the database " + path + ": " + sqlite3_errmsg(handle_)};
  sqlite3_create_function(handle_, "pg_like", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, pg_like, nullptr,
                          nullptr);
  for (const auto* pragma : {"PRAGMA synchronous=OFF", "PRAGMA journal_mode=MEMORY", "PRAGMA foreign_keys=ON",
                             "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA temp_store=MEMORY"})
    query(pragma);
}

Database::~Database() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

sqlite3_stmt* Database::prepare(std::string_view sql) {
  const std::string key{sql};
  if (const auto known = statements_.find(key); known != statements_.end()) return known->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, key.c_str(), -1, &statement, nullptr) != SQLITE_OK)
    throw std::runtime_error{std::string{"SQL: "} + sqlite3_errmsg(handle_) + " in " + key};
  if (statements_.size() > 500) {  // Selections of lists are many; the rest comes back soon.
    for (auto& [text, old] : statements_) sqlite3_finalize(old);
    statements_.clear();
  }
  return statements_[key] = statement;
}

Rows Database::query(std::string_view sql, std::span<const Cell> parameters) {
  auto* statement = prepare(sql);
  for (std::size_t i = 0; i < parameters.size(); ++i) bind(statement, static_cast<int>(i) + 1, parameters[i]);
  Rows rows;
  int code = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    Row row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(column(statement, i));
    rows.push_back(std::move(row));
  }
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (code == SQLITE_CONSTRAINT) throw ConstraintViolation{};
  if (code != SQLITE_DONE)
    throw std::runtime_error{std::string{"SQL: "} + sqlite3_errmsg(handle_) + " in " + std::string{sql}};
  return rows;
}

}  // namespace outpost::sample
