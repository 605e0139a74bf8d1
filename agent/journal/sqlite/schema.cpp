#include "agent/journal/sqlite/schema.hpp"

#include "agent/journal/sqlite/event_rows.hpp"

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

// A checksum of each event's columns (NULL: written by an agent of version 1), because a disk may change a byte without
// telling; reporters that are to pin nothing any more; and up to which event it is not known what a reporter has sent.
constexpr const char* version_2 = R"sql(
  ALTER TABLE events ADD COLUMN checksum INTEGER;
  ALTER TABLE reporters ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE reporters ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0;
)sql";

// Each page that an event touches is written before it is durable. Nobody looks an event up by its id, and nobody reads
// all events of the types that make up most of a journal: they are in no index but that of their job. Together the two
// indexes know every event. Older agents read this as well, only more slowly.
constexpr const char* version_3 = R"sql(
  CREATE TABLE events_3 (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, type TEXT NOT NULL, job_id TEXT,
    occurred_at INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER);
  INSERT INTO events_3 SELECT seq, event_id, type, job_id, occurred_at, body, checksum FROM events;
  DROP TABLE events;
  ALTER TABLE events_3 RENAME TO events;
  CREATE INDEX events_of_job ON events (job_id, seq) WHERE job_id IS NOT NULL;
  CREATE INDEX events_of_rare_type ON events (type, seq) WHERE
    type NOT GLOB 'stage.*' AND type NOT GLOB 'step.*' AND type NOT GLOB 'log.*' AND type NOT GLOB 'result.*' AND
    type NOT GLOB 'artifact.*';
)sql";

constexpr std::array steps_of_this_agent{Migration{1, 1, version_1}, Migration{2, 1, version_2},
                                         Migration{3, 1, version_3}};

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

/// Ends a statement that takes too long with SQLITE_INTERRUPT.
class TimeLimit {
 public:
  TimeLimit(Database& database, std::chrono::steady_clock::duration limit) : database_{database} {
    constexpr int instructions = 10'000;  // A millisecond or so between two looks at the clock.
    if (limit == std::chrono::steady_clock::duration::max()) return;
    end_ = std::chrono::steady_clock::now() + limit;
    ::sqlite3_progress_handler(
        database.handle(), instructions, [](void* self) { return static_cast<TimeLimit*>(self)->over(); }, this);
  }
  ~TimeLimit() { ::sqlite3_progress_handler(database_.handle(), 0, nullptr, nullptr); }
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

 private:
  [[nodiscard]] int over() const { return std::chrono::steady_clock::now() >= end_ ? 1 : 0; }

  Database& database_;
  std::chrono::steady_clock::time_point end_{};
};

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
    const Transaction transaction{database};
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

bool has_column(Database& database, const std::string& table, const std::string& column) {
  return database.number("SELECT count(*) FROM pragma_table_info('" + table + "') WHERE name = '" + column + "'") != 0;
}

void expect_whole(Database& database, Check check, std::chrono::steady_clock::duration limit) {
  const auto expect_ok = [&](const std::string& pragma) {
    const std::string found = database.text(pragma);
    if (found != "ok") throw SqlError{SQLITE_CORRUPT, found};
  };
  for (const char* table : {"meta", "jobs", "reporters"})
    if (has_table(database, table)) expect_ok(std::string{"PRAGMA integrity_check("} + table + ")");
  if (check == Check::small_tables) return;
  const TimeLimit watch{database, limit};
  try {
    expect_ok("PRAGMA integrity_check(1)");
    if (has_table(database, "events") && has_column(database, "events", "checksum")) verify_events(database);
  } catch (const SqlError& error) {
    if (!error.interrupted()) throw;
  }
}

void make_shrinkable(Database& database) {
  if (database.number("PRAGMA auto_vacuum") == 2) return;
  try {
    database.execute("PRAGMA auto_vacuum = INCREMENTAL");
    database.execute("VACUUM");
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SqlError& error) {
    if (error.damaged()) throw;
  }
}

}  // namespace outpost::journal::sqlite
