#include "agent/journal/sqlite/schema.hpp"

#include <sqlite3.h>

#include <array>

namespace outpost::journal::sqlite {
namespace {

// Times are microseconds since 1970, UTC. NULL job_id: an event of the agent itself. `body` is the whole event, so that
// the other columns are an index that could be rebuilt from it.
constexpr const char* version_1 = R"sql(
  CREATE TABLE meta (
    journal_id TEXT NOT NULL, schema_version INTEGER NOT NULL, oldest_reader INTEGER NOT NULL, created TEXT NOT NULL);

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, job_id TEXT,
    occurred_at INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE INDEX events_of_job ON events (job_id, seq) WHERE job_id IS NOT NULL;
  CREATE INDEX events_of_type ON events (type, seq);

  CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, ended INTEGER NOT NULL) WITHOUT ROWID;
  CREATE UNIQUE INDEX jobs_by_age ON jobs (first);
  CREATE INDEX jobs_open ON jobs (first) WHERE ended = 0;

  CREATE TABLE reporters (
    reporter TEXT PRIMARY KEY, cursor INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE TABLE deliveries (
    position INTEGER PRIMARY KEY,
    reporter TEXT NOT NULL REFERENCES reporters (reporter) ON DELETE CASCADE, key TEXT NOT NULL,
    job_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, needs TEXT NOT NULL, follows TEXT NOT NULL,
    body TEXT NOT NULL, blob TEXT, bytes INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
    remote_ref TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL,
    UNIQUE (reporter, key));
  CREATE INDEX deliveries_open ON deliveries (reporter, position, bytes) WHERE state IN ('pending', 'attempting');
  CREATE INDEX deliveries_parked ON deliveries (reporter, position) WHERE state = 'parked';
  CREATE INDEX deliveries_of_job ON deliveries (job_id, reporter);
)sql";

constexpr std::array steps_of_this_agent{Migration{1, 1, version_1}};

class Transaction {
 public:
  explicit Transaction(Database& database) : database_{database} { database_.execute("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (database_.in_transaction()) ::sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() { database_.execute("COMMIT"); }

 private:
  Database& database_;
};

bool has_table(Database& database, const std::string& name) {
  return database.number("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '" + name + "'") != 0;
}

/// Our file without our table is damage too.
SchemaState read_state(Database& database) {
  if (!has_table(database, "meta")) throw SqlError{SQLITE_CORRUPT, "the table meta is missing"};
  SchemaState state;
  state.journal_id = database.text("SELECT journal_id FROM meta");
  state.version = static_cast<int>(database.number("SELECT schema_version FROM meta"));
  state.oldest_reader = static_cast<int>(database.number("SELECT oldest_reader FROM meta"));
  if (state.journal_id.empty() || state.version < 1) throw SqlError{SQLITE_CORRUPT, "the table meta is empty"};
  return state;
}

bool is_empty(Database& database) { return database.number("SELECT count(*) FROM sqlite_schema") == 0; }

}  // namespace

std::span<const Migration> migrations() { return steps_of_this_agent; }

Result<void> check_owner(Database& database, const std::string& file) {
  if (!is_empty(database) && database.number("PRAGMA application_id") != application_id)
    return Error{Fault::refused,
                 file + ": this is another program's database; give the agent a state directory of its own"};
  return {};
}

Result<SchemaState> migrate(Database& database, const std::string& file, std::span<const Migration> steps,
                            const std::string& new_journal_id, const std::string& now) {
  SchemaState state = is_empty(database) ? SchemaState{} : read_state(database);
  const int ours = steps.back().version;
  if (state.oldest_reader > ours)
    return Error{Fault::refused, file + ": written by a newer agent (schema " + std::to_string(state.version) +
                                     "), which says that agents below schema " + std::to_string(state.oldest_reader) +
                                     " must not use it; this agent knows schema " + std::to_string(ours) +
                                     ": install the newer agent again"};
  for (const Migration& step : steps) {
    if (step.version <= state.version) continue;
    Transaction transaction{database};
    database.execute(step.sql);
    if (state.version == 0) {
      database.execute("PRAGMA application_id = " + std::to_string(application_id));
      database.prepared("INSERT INTO meta VALUES (?, 0, 0, ?)").bind_all(new_journal_id, now).run();
    }
    database.prepared("UPDATE meta SET schema_version = ?, oldest_reader = max(oldest_reader, ?)")
        .bind_all(std::int64_t{step.version}, std::int64_t{step.oldest_reader})
        .run();
    transaction.commit();
    state = read_state(database);
  }
  return state;
}

void expect_whole(Database& database, Check check) {
  const auto expect_ok = [&](const std::string& pragma) {
    const std::string found = database.text(pragma);
    if (found != "ok") throw SqlError{SQLITE_CORRUPT, found};
  };
  if (check == Check::all) return expect_ok("PRAGMA quick_check(1)");
  for (const char* table : {"meta", "jobs", "reporters"})
    if (has_table(database, table)) expect_ok(std::string{"PRAGMA quick_check("} + table + ")");
}

}  // namespace outpost::journal::sqlite
