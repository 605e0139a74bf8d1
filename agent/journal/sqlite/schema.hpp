#pragma once

#include "agent/journal/sqlite/database.hpp"

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace outpost::journal::sqlite {

/// Marks our files ("OutP"): another program's database is refused, never set aside.
inline constexpr std::int64_t application_id = 0x4f757450;

/// One step of the schema, up only. `oldest_reader` is the oldest schema version whose agent may still use the file
/// after this step: raised only when older code would misread or harm it, so that a package downgrade works.
struct Migration {
  int version;
  int oldest_reader;
  const char* sql;
};

/// Of the index events_of_rare_type: SQLite uses it for a query only when that has the same condition.
inline constexpr std::string_view condition_of_rare_types =
    "type NOT GLOB 'stage.*' AND type NOT GLOB 'step.*' AND type NOT GLOB 'log.*' AND type NOT GLOB 'result.*' AND "
    "type "
    "NOT GLOB 'artifact.*'";

/// All steps of this agent, in order.
[[nodiscard]] std::span<const Migration> migrations();

struct SchemaState {
  std::string journal_id;
  int version = 0;
  int oldest_reader = 0;
};

/// refused when the file is another program's database; an empty one becomes ours. Throws SqlError.
Result<void> check_owner(Database& database, const std::string& file);

/// Brings the file to the last step, each in a transaction of its own; a new file gets the tables and `new_journal_id`.
/// refused: a file that only newer agents may use. Throws SqlError.
Result<SchemaState> migrate(Database& database, const std::string& file, std::span<const Migration> steps,
                            const std::string& new_journal_id, const std::string& now);

/// How much of a file is looked at: everything, or the tables that stay small.
enum class Check { all, small_tables };

/// Throws a damaged SqlError when the content is not what was written: the structure of the file, that tables and their
/// indexes agree, and the checksums of the events. Reads what it checks; of everything, as much as it can in `limit`.
void expect_whole(Database& database, Check check, std::chrono::steady_clock::duration limit);

[[nodiscard]] bool has_column(Database& database, const std::string& table, const std::string& column);

/// Lets the file shrink when rows are removed. One that cannot is written anew, once; where the disk has no room for
/// that it stays as it is until the next start. Throws a damaged SqlError.
void make_shrinkable(Database& database);

}  // namespace outpost::journal::sqlite
