#include "agent/journal/sqlite/salvage.hpp"

#include "agent/journal/deliveries.hpp"
#include "agent/journal/sqlite/event_rows.hpp"
#include "agent/journal/sqlite/schema.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <set>

namespace outpost::journal::sqlite {
namespace {

constexpr unsigned most_failures = 20'000;  ///< Of reads, before the rest of a table counts as lost.

/// The fresh journal failed, not the damaged one.
struct FreshFailed {
  SqlError error;
};

/// Reads the rows of a table by ascending number, and goes on behind what cannot be read: a range that fails is halved
/// until only the rows of damaged pages are left out.
class RowReader {
 public:
  /// `select` has the conditions "number BETWEEN ?1 AND ?2 ORDER BY number"; its first column is that number.
  RowReader(Database& database, std::string select, std::function<void(const Statement&)> take)
      : database_{database}, select_{std::move(select)}, take_{std::move(take)} {}

  void read(Range range) {
    while (range.first <= range.last) {
      const auto stopped_at = read_until_error(range);
      if (!stopped_at) return;
      range.first = *stopped_at;
      if (++failures_ > most_failures || range.first >= range.last) return failed(range);
      const std::uint64_t middle = range.first + (range.last - range.first) / 2;
      read({range.first, middle});
      range.first = middle + 1;
    }
  }

  /// Numbers at which nothing could be read, whether or not there was a row.
  [[nodiscard]] const std::vector<Range>& failures() const { return failed_; }

 private:
  void failed(const Range& range) {
    if (!failed_.empty() && failed_.back().last + 1 == range.first)
      failed_.back().last = range.last;
    else
      failed_.push_back(range);
  }

  /// Where the first row that was not read may be; nothing when all were.
  std::optional<std::uint64_t> read_until_error(const Range& range) {
    std::uint64_t next = range.first;
    try {
      Statement& statement = database_.prepared(select_);
      statement.bind_all(range.first, range.last);
      const ResetAfter reset{statement};
      while (statement.row()) {
        const auto number = static_cast<std::uint64_t>(statement.number(0));
        if (number < next || number > range.last) return next;  // Damage has moved it to where it does not belong.
        take_(statement);
        next = number + 1;
      }
      return std::nullopt;
    } catch (const SqlError&) {
      return next;
    }
  }

  Database& database_;
  std::string select_;
  std::function<void(const Statement&)> take_;
  unsigned failures_ = 0;
  std::vector<Range> failed_;
};

/// The largest answer that any of the queries gives: some may end on damaged pages.
std::uint64_t largest(Database& database, std::initializer_list<const char*> queries) {
  std::int64_t found = 0;
  for (const char* query : queries) {
    try {
      found = std::max(found, database.number(query));
    } catch (const SqlError&) {
    }
  }
  return static_cast<std::uint64_t>(found);
}

/// Numbers as an index knows them.
struct Indexed {
  std::set<std::uint64_t> numbers;
  bool whole = false;
};

Indexed read_index(Database& database, const std::string& select) {
  Indexed indexed;
  try {
    Statement& statement = database.prepared(select);
    statement.bind_all();
    const ResetAfter reset{statement};
    while (statement.row()) indexed.numbers.insert(static_cast<std::uint64_t>(statement.number(0)));
    indexed.whole = true;
  } catch (const SqlError&) {
  }
  return indexed;
}

void add(std::vector<Range>& ranges, const Range& range) {
  if (!ranges.empty() && ranges.back().last + 1 >= range.first)
    ranges.back().last = std::max(ranges.back().last, range.last);
  else
    ranges.push_back(range);
}

/// What was there and was not copied: as the index knows it, else as far as reads failed.
std::vector<Range> missing(const Indexed& indexed, const std::set<std::uint64_t>& copied,
                           const std::vector<Range>& failures) {
  std::vector<Range> all;
  for (const std::uint64_t number : indexed.numbers)
    if (!copied.contains(number)) all.push_back({number, number});
  if (!indexed.whole) all.insert(all.end(), failures.begin(), failures.end());
  std::sort(all.begin(), all.end(), [](const Range& left, const Range& right) { return left.first < right.first; });
  std::vector<Range> merged;
  for (const Range& range : all) add(merged, range);
  return merged;
}

bool knows(Database& database, const char* table, const char* column) {
  try {
    return has_column(database, table, column);
  } catch (const SqlError&) {
    return false;
  }
}

class Salvaging {
 public:
  Salvaging(Database& damaged, Database& fresh) : damaged_{damaged}, fresh_{fresh} {}

  Salvage run() {
    events();
    reporters();
    deliveries();
    return std::move(salvage_);
  }

 private:
  void events() {
    const std::string checksum = knows(damaged_, "events", "checksum") ? "checksum" : "NULL";
    std::set<std::uint64_t> copied;
    RowReader rows{
        damaged_,
        "SELECT seq, type, job_id, body, " + checksum + " FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
        [&](const Statement& row) {
          const bool whole = guarded([&] { return copy_event(fresh_, row); });
          if (whole) copied.insert(static_cast<std::uint64_t>(row.number(0)));
        }};
    rows.read({1, largest(damaged_, {"SELECT max(seq) FROM events", "SELECT max(last) FROM jobs",
                                     "SELECT max(seq) FROM events INDEXED BY events_of_job WHERE job_id IS NOT NULL",
                                     "SELECT max(cursor) FROM reporters"})});
    salvage_.events = copied.size();
    salvage_.missing = missing(indexed_events(), copied, rows.failures());
  }

  /// Up to version 2 one index had all events.
  Indexed indexed_events() {
    Indexed all = read_index(damaged_, "SELECT seq FROM events INDEXED BY events_of_type");
    if (all.whole) return all;
    Indexed of_jobs = read_index(damaged_, "SELECT seq FROM events INDEXED BY events_of_job WHERE job_id IS NOT NULL");
    Indexed rare = read_index(damaged_, "SELECT seq FROM events INDEXED BY events_of_rare_type WHERE " +
                                            std::string{condition_of_rare_types});
    all.numbers.merge(of_jobs.numbers);
    all.numbers.merge(rare.numbers);
    all.whole = of_jobs.whole && rare.whole;
    return all;
  }

  void reporters() {
    const std::string forgotten = knows(damaged_, "reporters", "forgotten") ? "forgotten" : "0";
    try {
      Statement& rows = damaged_.prepared("SELECT reporter, cursor, delivered, " + forgotten + " FROM reporters");
      rows.bind_all();
      const ResetAfter reset{rows};
      while (rows.row())
        guarded([&] {
          fresh_
              .prepared("INSERT OR IGNORE INTO reporters (reporter, cursor, delivered, forgotten) VALUES (?, ?, ?, ?)")
              .bind_all(rows.text(0), rows.number(1), rows.number(2), rows.number(3))
              .run();
          return true;
        });
    } catch (const SqlError&) {
      salvage_.reporters_whole = false;
    }
  }

  void deliveries() {
    std::set<std::uint64_t> copied;
    RowReader rows{damaged_,
                   "SELECT position, reporter, key, job_id, seq, kind, needs, follows, body, blob, bytes, state, "
                   "attempts, remote_ref, reason, created FROM deliveries WHERE position BETWEEN ?1 AND ?2 ORDER BY "
                   "position",
                   [&](const Statement& row) {
                     const bool whole = guarded([&] { return copy_delivery(row); });
                     if (whole) copied.insert(static_cast<std::uint64_t>(row.number(0)));
                   }};
    rows.read({1, largest(damaged_, {"SELECT max(position) FROM deliveries",
                                     "SELECT max(position) FROM deliveries INDEXED BY deliveries_of_job"})});
    salvage_.deliveries = copied.size();
    salvage_.deliveries_whole =
        missing(read_index(damaged_, "SELECT position FROM deliveries INDEXED BY deliveries_of_job"), copied,
                rows.failures())
            .empty();
  }

  /// Tells the errors of the fresh journal from those of the damaged one. False: no value that an agent wrote.
  template <class Copy>
  static bool guarded(Copy copy) {
    try {
      return copy();
    } catch (const SqlError& error) {
      if (error.error().fault == Fault::retry_later) throw FreshFailed{error};
      return false;
    }
  }

  bool copy_delivery(const Statement& row) {
    constexpr int columns = 16;
    if (!parse_delivery_state(row.text(11)) || row.text(1).empty() || row.text(2).empty()) return false;
    fresh_.prepared("INSERT OR IGNORE INTO reporters (reporter, cursor) VALUES (?, 0)").bind_all(row.text(1)).run();
    Statement& insert = fresh_.prepared(
        "INSERT INTO deliveries (position, reporter, key, job_id, seq, kind, needs, follows, body, blob, bytes, state, "
        "attempts, remote_ref, reason, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.reset();
    constexpr std::array numbers{0, 4, 10, 12, 15};
    for (int column = 0; column < columns; ++column) {
      const bool is_number = std::find(numbers.begin(), numbers.end(), column) != numbers.end();
      if (row.null(column))
        insert.bind(column + 1, std::optional<std::string>{});
      else if (is_number)
        insert.bind(column + 1, row.number(column));
      else
        insert.bind(column + 1, row.text(column));
    }
    insert.run();
    return true;
  }

  Database& damaged_;
  Database& fresh_;
  Salvage salvage_;
};

}  // namespace

namespace {

bool can_be_read(Database& source, std::initializer_list<const char*> selects) {
  try {
    for (const char* select : selects) static_cast<void>(source.prepared(select));
    return true;
  } catch (const SqlError&) {
    return false;
  }
}

/// An empty journal of the version that the damaged one has, as far as that can be told.
std::unique_ptr<Database> pattern_of(Database& source) {
  auto steps = migrations();
  try {
    const auto version = static_cast<std::size_t>(source.number("SELECT schema_version FROM meta"));
    if (version > 0 && version < steps.size()) steps = steps.first(version);
  } catch (const SqlError&) {
  }
  auto pattern = std::make_unique<Database>(":memory:", Database::Mode::read_write);
  if (auto made = migrate(*pattern, "pattern", steps, "pattern", "now"); !made) return nullptr;
  return pattern;
}

/// When a byte of the schema has changed, that of an empty journal says what the tables hold: it has the same ones. Not
/// written to the file: the transaction is rolled back with the connection.
void mend_schema(Database& source) {
  const bool tables = can_be_read(
      source, {"SELECT seq, type, job_id, body FROM events", "SELECT reporter, cursor, delivered FROM reporters",
               "SELECT position, reporter, key, job_id, seq, kind, needs, follows, body, blob, bytes, state, attempts, "
               "remote_ref, reason, created FROM deliveries INDEXED BY deliveries_of_job"});
  const std::string rare =
      "SELECT seq FROM events INDEXED BY events_of_rare_type WHERE " + std::string{condition_of_rare_types};
  const bool indexes =
      can_be_read(source, {"SELECT seq FROM events INDEXED BY events_of_type"}) ||
      can_be_read(source, {"SELECT seq FROM events INDEXED BY events_of_job WHERE job_id IS NOT NULL", rare.c_str()});
  if (tables && indexes) return;
  try {
    const auto pattern = pattern_of(source);
    if (!pattern) return;
    source.execute("BEGIN IMMEDIATE");
    Statement& rows = pattern->prepared("SELECT sql, name, rowid FROM sqlite_schema WHERE sql IS NOT NULL");
    rows.bind_all();
    const ResetAfter reset{rows};
    while (rows.row())
      source.prepared("UPDATE sqlite_schema SET sql = ?, name = ? WHERE rowid = ?")
          .bind_all(rows.text(0), rows.text(1), rows.number(2))
          .run();
    source.execute("PRAGMA writable_schema = RESET");
  } catch (const SqlError&) {
  }
}

}  // namespace

std::string describe(const std::vector<Range>& ranges) {
  constexpr std::size_t most = 10;
  std::string text;
  for (std::size_t index = 0; index < std::min(ranges.size(), most); ++index) {
    const Range& range = ranges[index];
    text += (index > 0 ? ", " : "") + std::to_string(range.first);
    if (range.last > range.first) text += "-" + std::to_string(range.last);
  }
  if (ranges.size() > most) text += " and more";
  return text;
}

Salvage salvage(const std::filesystem::path& damaged, Database& fresh) {
  std::unique_ptr<Database> source;
  try {
    // Writable, because the index of its log has to be made. The file itself is not changed.
    source = std::make_unique<Database>(damaged, Database::Mode::read_write);
    ::sqlite3_db_config(source->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    // Else SQLite refuses a file that is shorter than its first page says.
    ::sqlite3_db_config(source->handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    source->execute("PRAGMA writable_schema = ON");
    static_cast<void>(source->number("SELECT count(*) FROM sqlite_schema"));
  } catch (const SqlError&) {
    return {.readable = false};
  }
  mend_schema(*source);
  try {
    return Salvaging{*source, fresh}.run();
  } catch (const FreshFailed& failed) {
    throw failed.error;
  }
}

}  // namespace outpost::journal::sqlite
