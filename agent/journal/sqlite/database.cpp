#include "agent/journal/sqlite/database.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <vector>

namespace outpost::journal::sqlite {
namespace {

constexpr int busy_timeout_ms = 5000;  ///< Only an admin's sqlite3 shell can hold a lock; we never do for long.

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
  const int code = database ? ::sqlite3_extended_errcode(database) : SQLITE_NOMEM;
  throw SqlError{code, std::string{what} + ": " + (database ? ::sqlite3_errmsg(database) : "out of memory")};
}

}  // namespace

bool SqlError::damaged() const { return (code_ & 0xff) == SQLITE_CORRUPT || (code_ & 0xff) == SQLITE_NOTADB; }

bool SqlError::interrupted() const { return (code_ & 0xff) == SQLITE_INTERRUPT; }

Error SqlError::error() const {
  switch (code_ & 0xff) {
    case SQLITE_FULL: return {Fault::retry_later, message_ + " (free some space; nothing was written)"};
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: return {Fault::retry_later, message_ + " (look at the disk; nothing was written)"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_NOMEM: return {Fault::retry_later, message_};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {Fault::malformed, message_ + " (restart the agent: it sets a damaged journal aside)"};
    default: return {Fault::bug, message_};
  }
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }

Statement::Statement(sqlite3* database, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (::sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK)
    fail(database, "journal");
  statement_.reset(statement);
}

void Statement::bind(int index, std::int64_t value) { ::sqlite3_bind_int64(statement_.get(), index, value); }

void Statement::bind(int index, std::string_view value) {
  // TRANSIENT: the text is copied, so that it may die before the statement runs. A null pointer would bind NULL.
  ::sqlite3_bind_text64(statement_.get(), index, value.data() ? value.data() : "", value.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
}

void Statement::bind(int index, const std::optional<std::string>& value) {
  if (value)
    bind(index, std::string_view{*value});
  else
    ::sqlite3_bind_null(statement_.get(), index);
}

void Statement::reset() { ::sqlite3_reset(statement_.get()); }

bool Statement::row() {
  const int code = ::sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    sqlite3* database = ::sqlite3_db_handle(statement_.get());
    const int extended = ::sqlite3_extended_errcode(database);
    std::string message = std::string{"journal: "} + ::sqlite3_errmsg(database);
    reset();
    throw SqlError{extended, std::move(message)};
  }
  reset();
  return false;
}

std::int64_t Statement::number(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(::sqlite3_column_text(statement_.get(), column));
  if (!bytes) return {};
  return {bytes, static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::null(int column) const { return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

void Database::Close::operator()(sqlite3* database) const { ::sqlite3_close_v2(database); }

namespace {

/// By itself each connection takes 90 KiB for pages and 48 KiB for small things when it is opened, and keeps them.
bool take_little_in_advance() {
  return ::sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0) == SQLITE_OK &&
         ::sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 256, 32) == SQLITE_OK;
}

}  // namespace

Database::Database(const std::filesystem::path& path, Mode mode) {
  [[maybe_unused]] static const bool taken = take_little_in_advance();
  sqlite3* database = nullptr;
  const int flags = (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int code = ::sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) fail(database, path.string());
  ::sqlite3_busy_timeout(database, busy_timeout_ms);
  // What is in the file is data, also when somebody damaged it: no code of its schema runs, no cell is believed.
  ::sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  ::sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  ::sqlite3_exec(database, "PRAGMA cell_size_check = ON", nullptr, nullptr, nullptr);
  ::sqlite3_wal_hook(
      database,
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      log_pages_.get());
}

void Database::execute(const std::string& sql) {
  char* message = nullptr;
  if (::sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, &message) == SQLITE_OK) return;
  const std::string text = message ? message : "unknown error";
  ::sqlite3_free(message);
  throw SqlError{::sqlite3_extended_errcode(database_.get()), "journal: " + text};
}

Statement& Database::prepared(const std::string& sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  return statements_.emplace(sql, Statement{database_.get(), sql}).first->second;
}

std::int64_t Database::number(const std::string& sql) {
  Statement& statement = prepared(sql);
  statement.reset();
  const ResetAfter reset{statement};
  return statement.row() ? statement.number(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement& statement = prepared(sql);
  statement.reset();
  const ResetAfter reset{statement};
  return statement.row() ? std::string{statement.text(0)} : std::string{};
}

int Database::changed_rows() const { return ::sqlite3_changes(database_.get()); }

bool Database::in_transaction() const { return ::sqlite3_get_autocommit(database_.get()) == 0; }

void Database::checkpoint() {
  if (::sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) == SQLITE_OK)
    *log_pages_ = 0;
}

void Database::keep_log_ahead() {
  constexpr std::int64_t page = 4096, frame = page + 24, header = 32;
  constexpr std::int64_t margin = 24 * frame;                                // More than most transactions write.
  constexpr std::int64_t piece = std::int64_t{64} * 1024, step = 4 * piece;  // SQLite writes less than 128 KiB at once.
  const std::int64_t wanted = header + *log_pages_ * frame + margin;
  if (wanted <= log_bytes_) return;
  sqlite3_file* log = nullptr;
  if (::sqlite3_file_control(handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK) return;
  sqlite3_int64 size = 0;
  if (!log || !log->pMethods || log->pMethods->xFileSize(log, &size) != SQLITE_OK) return;
  // Zeros are no frame of a log: whoever reads it stops there.
  const std::vector<char> nothing(static_cast<std::size_t>(piece));
  const sqlite3_int64 grown = size < wanted ? wanted + step : size;
  sqlite3_int64 end = size;
  while (end < grown) {
    if (log->pMethods->xWrite(log, nothing.data(), static_cast<int>(piece), end) != SQLITE_OK) {
      log->pMethods->xTruncate(log, size);
      log_bytes_ = wanted + margin;  // The disk has no room: the commit may need less, and it is tried again later.
      return;
    }
    end += piece;
  }
  log_bytes_ = end;
}

void Database::empty_log() {
  ::sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

Transaction::~Transaction() {
  if (database_.in_transaction()) ::sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace outpost::journal::sqlite
