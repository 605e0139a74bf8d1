#include "agent/journal/sqlite/event_rows.hpp"

#include "agent/job/event_types.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

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

void insert_event(Database& database, const Event& event) {
  const std::string body = json::serialize(job::to_json(event));
  const auto job_id = event.job_id.empty() ? std::nullopt : std::optional<std::string>{event.job_id};
  database.prepared("INSERT INTO events (seq, event_id, type, job_id, occurred_at, body) VALUES (?, ?, ?, ?, ?, ?)")
      .bind_all(event.seq, event.event_id, event.type, job_id,
                std::int64_t{event.occurred_at.time_since_epoch().count()}, body)
      .run();
  if (!job_id) return;
  const bool ends = event.type == job::event::job_ended || event.type == job::event::job_withdrawn;
  database
      .prepared(
          "INSERT INTO jobs (job_id, first, last, ended) VALUES (?, ?, ?, ?) ON CONFLICT (job_id) "
          "DO UPDATE SET last = excluded.last, ended = max(ended, excluded.ended)")
      .bind_all(event.job_id, event.seq, event.seq, std::int64_t{ends})
      .run();
}

std::string selection(const Query& query) {
  std::string sql = "SELECT seq, body FROM events WHERE seq > ?";
  if (!query.job_id.empty()) sql += " AND job_id = ?";
  if (!query.types.empty()) {
    sql += " AND type IN (?";
    for (std::size_t index = 1; index < query.types.size(); ++index) sql += ", ?";
    sql += ")";
  }
  return sql + " ORDER BY seq LIMIT ?";
}

}  // namespace

void insert_events(Database& database, std::vector<Event>& events) {
  // Asked of the table each time: a rolled back transaction leaves no number behind.
  Seq seq = last_event(database);
  for (Event& event : events) {
    event.seq = ++seq;
    insert_event(database, event);
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
    boost::system::error_code error;
    const auto value = json::parse(statement.text(1), error, {}, lenient());
    auto event = error ? Result<Event>{Error{Fault::malformed, error.message()}} : job::event_from_json(value);
    if (!event)
      return std::move(event.error()).in("journal: event " + std::to_string(statement.number(0)) + " cannot be read");
    events.push_back(std::move(*event));
  }
  return events;
}

std::vector<JobRow> select_jobs(Database& database, bool open_only, std::size_t limit) {
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  Statement& statement = database.prepared(
      open_only ? "SELECT job_id, first, last, ended FROM jobs WHERE ended = 0 ORDER BY first DESC LIMIT ?"
                : "SELECT job_id, first, last, ended FROM jobs ORDER BY first DESC LIMIT ?");
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
