#include "agent/journal/sqlite/event_rows.hpp"

#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/schema.hpp"

#include <sqlite3.h>
#include <boost/crc.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace outpost::journal::sqlite {
namespace {

namespace json = boost::json;

/// Step output and server strings may hold any bytes, and a document from a server may be deep: what was written must
/// be readable.
json::parse_options lenient() {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  options.max_depth = 1024;
  return options;
}

/// Of all columns, so that none can change unseen.
std::int64_t checksum_of(Seq seq, std::string_view type, std::string_view job_id, std::string_view body) {
  boost::crc_32_type crc;
  const std::string number = std::to_string(seq);
  for (const std::string_view part : {std::string_view{number}, type, job_id, body}) {
    crc.process_bytes(part.data(), part.size());
    crc.process_byte(0);
  }
  return crc.checksum();
}

/// The columns that every reader of events selects, in this order.
constexpr std::string_view columns = "seq, type, job_id, body, checksum";

bool is_as_written(const Statement& row) {
  if (row.null(4)) return true;
  return row.number(4) == checksum_of(static_cast<Seq>(row.number(0)), row.text(1), row.text(2), row.text(3));
}

[[noreturn]] void throw_changed(std::int64_t seq) {
  throw SqlError{SQLITE_CORRUPT, "journal: event " + std::to_string(seq) + " is not what was written"};
}

Result<Event> parse(std::string_view body) {
  boost::system::error_code error;
  const auto value = json::parse(body, error, {}, lenient());
  if (error) return Error{Fault::malformed, error.message()};
  return job::event_from_json(value);
}

void note_job(Database& database, const Event& event) {
  if (event.job_id.empty()) return;
  const bool ends = event.type == job::event::job_ended || event.type == job::event::job_withdrawn;
  // Only what has to change does: each page of the database that an event touches is one more to sync. The last event of
  // an open job is found by the index of its events; `ended` is set by an end only, because it has an index of its own.
  database
      .prepared(std::string{"INSERT INTO jobs (job_id, first, last, ended) VALUES (?, ?, ?, ?) ON CONFLICT (job_id) "
                            "DO UPDATE SET last = excluded.last"} +
                (ends ? ", ended = 1" : " WHERE ended = 1"))
      .bind_all(event.job_id, event.seq, event.seq, std::int64_t{ends})
      .run();
}

/// Whether it has the condition of the index events_of_rare_type.
bool is_rare(std::string_view type) {
  constexpr std::array<std::string_view, 5> frequent{"stage.", "step.", "log.", "result.", "artifact."};
  return std::none_of(frequent.begin(), frequent.end(), [&](auto prefix) { return type.starts_with(prefix); });
}

std::string selection(const Query& query) {
  std::string sql = "SELECT " + std::string{columns} + " FROM events WHERE seq > ?";
  if (!query.job_id.empty()) sql += " AND job_id = ?";
  if (!query.types.empty()) {
    sql += " AND type IN (?";
    for (std::size_t index = 1; index < query.types.size(); ++index) sql += ", ?";
    sql += ")";
    if (query.job_id.empty() && std::all_of(query.types.begin(), query.types.end(), is_rare))
      sql += " AND " + std::string{condition_of_rare_types};
  }
  return sql + " ORDER BY seq LIMIT ?";
}

}  // namespace

void insert_event(Database& database, const Event& event, std::string_view body) {
  const auto job_id = event.job_id.empty() ? std::nullopt : std::optional<std::string>{event.job_id};
  database
      .prepared(
          "INSERT INTO events (seq, event_id, type, job_id, occurred_at, body, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind_all(event.seq, event.event_id, event.type, job_id,
                std::int64_t{event.occurred_at.time_since_epoch().count()}, body,
                checksum_of(event.seq, event.type, event.job_id, body))
      .run();
  note_job(database, event);
}

void insert_events(Database& database, std::vector<Event>& events) {
  // Asked of the table each time: a rolled back transaction leaves no number behind.
  Seq seq = last_event(database);
  for (Event& event : events) {
    event.seq = ++seq;
    insert_event(database, event, json::serialize(job::to_json(event)));
  }
}

Result<std::vector<Event>> select_events(Database& database, const Query& query) {
  Statement& statement = database.prepared(selection(query));
  statement.bind_all(query.after);
  int index = 1;
  if (!query.job_id.empty()) statement.bind(++index, query.job_id);
  for (const auto& type : query.types) statement.bind(++index, type);
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  statement.bind(++index, std::uint64_t{std::min(query.limit, most)});
  const ResetAfter reset{statement};
  std::vector<Event> events;
  while (statement.row()) {
    if (!is_as_written(statement)) throw_changed(statement.number(0));
    auto event = parse(statement.text(3));
    if (!event)
      return std::move(event.error()).in("journal: event " + std::to_string(statement.number(0)) + " cannot be read");
    events.push_back(std::move(*event));
  }
  return events;
}

bool copy_event(Database& fresh, const Statement& row) {
  if (!is_as_written(row)) return false;
  const std::string body{row.text(3)};
  const auto event = parse(body);
  if (!event || event->seq != static_cast<Seq>(row.number(0)) || event->type != row.text(1) ||
      event->job_id != row.text(2))
    return false;
  insert_event(fresh, *event, body);
  return true;
}

void verify_events(Database& database) {
  Statement& statement = database.prepared("SELECT " + std::string{columns} + " FROM events");
  statement.bind_all();
  const ResetAfter reset{statement};
  while (statement.row())
    if (!is_as_written(statement)) throw_changed(statement.number(0));
}

void remove_rows(Database& database, const Removal& removal) {
  const auto last = last_event(database);
  for (const auto& job_id : removal.jobs) {
    database.prepared("DELETE FROM jobs WHERE job_id = ? AND ended = 1 AND last < ?").bind_all(job_id, last).run();
    if (database.changed_rows() == 0) continue;
    database.prepared("DELETE FROM deliveries WHERE job_id = ?").bind_all(job_id).run();
    database.prepared("DELETE FROM events WHERE job_id = ?").bind_all(job_id).run();
  }
  for (const auto& type : removal.types)
    database
        .prepared("DELETE FROM events WHERE type = ? AND job_id IS NULL AND occurred_at < ? AND seq < ?" +
                  (is_rare(type) ? " AND " + std::string{condition_of_rare_types} : std::string{}))
        .bind_all(type, std::int64_t{removal.before.time_since_epoch().count()}, last)
        .run();
}

std::vector<JobRow> select_jobs(Database& database, bool open_only, std::size_t limit) {
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  Statement& statement = database.prepared(
      std::string{"SELECT job_id, first, CASE ended WHEN 0 THEN (SELECT max(seq) FROM events WHERE events.job_id = "
                  "jobs.job_id) ELSE last END, ended FROM jobs "} +
      (open_only ? "WHERE ended = 0 " : "") + "ORDER BY first DESC LIMIT ?");
  statement.bind_all(std::uint64_t{std::min(limit, most)});
  const ResetAfter reset{statement};
  std::vector<JobRow> rows;
  while (statement.row())
    rows.push_back({std::string{statement.text(0)}, static_cast<Seq>(statement.number(1)),
                    static_cast<Seq>(statement.number(2)), statement.number(3) != 0});
  return rows;
}

Seq last_event(Database& database) { return static_cast<Seq>(database.number("SELECT max(seq) FROM events")); }

}  // namespace outpost::journal::sqlite
