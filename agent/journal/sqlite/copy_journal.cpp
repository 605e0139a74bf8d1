#include "agent/journal/sqlite/copy_journal.hpp"

#include <sqlite3.h>

#include <memory>
#include <system_error>

namespace outpost::journal {
namespace {

struct Close {
  void operator()(sqlite3* database) const { ::sqlite3_close(database); }
};
using Connection = std::unique_ptr<sqlite3, Close>;

constexpr int patience_ms = 10'000, all_pages = -1;

Result<Connection> connect(const std::filesystem::path& file, int flags) {
  sqlite3* database = nullptr;
  const int code = ::sqlite3_open_v2(file.c_str(), &database, flags, nullptr);
  Connection connection{database};
  if (code != SQLITE_OK)
    return Error{Fault::unavailable, "cannot open " + file.string() + ": " + ::sqlite3_errstr(code)};
  ::sqlite3_busy_timeout(database, patience_ms);
  return connection;
}

}  // namespace

Result<void> copy_journal(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  if (!std::filesystem::exists(from, error)) return Error{Fault::unavailable, "there is no journal " + from.string()};
  auto source = connect(from, SQLITE_OPEN_READONLY);
  if (!source) return source.error();
  auto target = connect(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!target) return target.error();
  sqlite3_backup* const backup = ::sqlite3_backup_init(target->get(), "main", source->get(), "main");
  if (backup != nullptr) ::sqlite3_backup_step(backup, all_pages);
  const int code = backup != nullptr ? ::sqlite3_backup_finish(backup) : ::sqlite3_errcode(target->get());
  if (code != SQLITE_OK)
    return Error{code == SQLITE_CANTOPEN || code == SQLITE_READONLY ? Fault::unavailable : Fault::retry_later,
                 "cannot copy " + from.string() + ": " + ::sqlite3_errstr(code)};
  return {};
}

}  // namespace outpost::journal
