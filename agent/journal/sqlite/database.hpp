#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace outpost::journal::sqlite {

/// What SQLite said; stays inside this folder.
class SqlError : public std::exception {
 public:
  SqlError(int code, std::string message) : code_{code}, message_{std::move(message)} {}

  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  /// The content of the file is wrong, not the disk or the moment.
  [[nodiscard]] bool damaged() const;
  /// A time limit ended the statement.
  [[nodiscard]] bool interrupted() const;
  /// In the words of the ports: a full or failing disk is retry_later.
  [[nodiscard]] Error error() const;

 private:
  int code_;
  std::string message_;
};

/// A prepared statement. bind(), then row() until it says no; it is reset by the next bind_all() and by done().
class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql);

  /// Binds the parameters in order and makes the statement ready to run.
  template <class... Values>
  Statement& bind_all(const Values&... values) {
    reset();
    int index = 0;
    (bind(++index, values), ...);
    return *this;
  }
  void bind(int index, std::int64_t value);
  void bind(int index, std::uint64_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, std::string_view value);
  void bind(int index, const std::string& value) { bind(index, std::string_view{value}); }
  void bind(int index, const std::optional<std::string>& value);  ///< NULL when there is none.
  void reset();

  /// Steps: true with a row to read, false at the end (and the statement is reset).
  bool row();
  /// Runs a statement that yields nothing.
  void run() {
    while (row()) {
    }
  }

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view text(int column) const;  ///< Valid until the next step; "" for NULL.
  [[nodiscard]] bool null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Leaves no read transaction behind when a loop over rows ends early.
struct ResetAfter {
  Statement& statement;
  ~ResetAfter() { statement.reset(); }
};

/// One connection; used by one thread at a time.
class Database {
 public:
  enum class Mode { read_write, read_only };
  Database(const std::filesystem::path& path, Mode mode);

  void execute(const std::string& sql);
  /// The prepared statement of this text, made once.
  Statement& prepared(const std::string& sql);
  /// The first column of the first row of a query, 0 or "" when there is none.
  [[nodiscard]] std::int64_t number(const std::string& sql);
  [[nodiscard]] std::string text(const std::string& sql);

  [[nodiscard]] int changed_rows() const;  ///< By the last statement.
  [[nodiscard]] bool in_transaction() const;
  /// Pages in the write-ahead log after the last commit of this connection.
  [[nodiscard]] int log_pages() const { return *log_pages_; }
  /// Moves what is possible from the write-ahead log to the file, without waiting for readers. Failure is no harm.
  void checkpoint();
  /// Makes the log longer before a commit has to: its sync then need not write down its size too. Inside a transaction
  /// that may write. Failure is no harm.
  void keep_log_ahead();
  /// Moves all of it and cuts the log to nothing, for a file that is closed. Failure is no harm.
  void empty_log();
  [[nodiscard]] sqlite3* handle() const { return database_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
  std::int64_t log_bytes_ = 0;  ///< Up to which size there is nothing to do.
  std::unique_ptr<sqlite3, Close> database_;
  std::unordered_map<std::string, Statement> statements_;
};

/// All or nothing: rolled back unless it is committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_{database} { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() const { database_.execute("COMMIT"); }

 private:
  Database& database_;
};

}  // namespace outpost::journal::sqlite
