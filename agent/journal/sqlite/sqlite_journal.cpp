#include "agent/journal/sqlite/sqlite_journal.hpp"

#include "agent/base/ids.hpp"
#include "agent/journal/sqlite/changes.hpp"
#include "agent/journal/sqlite/event_rows.hpp"
#include "agent/journal/sqlite/schema.hpp"
#include "agent/journal/sqlite/state_files.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <limits>

namespace outpost::journal {

namespace asio = boost::asio;

struct SqliteJournal::State {
  std::filesystem::path path;
  Identity identity;
  const Clock& clock;
  asio::any_io_executor loop;
  sqlite::StateLock lock;
  std::string journal_id;
  std::string quarantined;
  std::shared_ptr<sqlite::Listeners> listeners = std::make_shared<sqlite::Listeners>();
  std::shared_ptr<sqlite::Unwritten> unwritten = std::make_shared<sqlite::Unwritten>();
  std::unique_ptr<sqlite::Writer> writer;
  std::unique_ptr<sqlite::Database> reader;
};

namespace {

using sqlite::Database;
using sqlite::SqlError;

/// Up to these sizes the whole file is checked at the start; above, the tables that stay small, so that a start stays
/// quick. Only a machine that died can leave a file half written, and that is worth more time.
std::uintmax_t checked_up_to(sqlite::LastEnd last_end) {
  switch (last_end) {
    case sqlite::LastEnd::closed:
    case sqlite::LastEnd::agent_died: return 16 << 20;
    case sqlite::LastEnd::machine_died: return 512 << 20;
    case sqlite::LastEnd::damaged: break;
  }
  return std::numeric_limits<std::uintmax_t>::max();
}

struct Opened {
  std::unique_ptr<Database> database;
  std::string journal_id;
};

/// Throws SqlError; a damaged file is one of them.
Result<Opened> open_file(const std::filesystem::path& path, sqlite::LastEnd last_end, const Clock& clock) {
  if (auto created = sqlite::create_private(path); !created) return created.error();
  Opened opened;
  opened.database = std::make_unique<Database>(path, Database::Mode::read_write);
  Database& database = *opened.database;
  if (auto ours = sqlite::check_owner(database, path.string()); !ours) return ours.error();
  sqlite::make_durable(database);
  std::error_code ignored;
  const bool small = std::filesystem::file_size(path, ignored) <= checked_up_to(last_end);
  sqlite::expect_whole(database, small ? sqlite::Check::all : sqlite::Check::small_tables);
  const Timestamp now = clock.now();
  auto state = sqlite::migrate(database, path.string(), sqlite::migrations(), new_id(now), to_rfc3339(now));
  if (!state) return state.error();
  opened.journal_id = state->journal_id;
  return opened;
}

/// Turns what a read throws into a Result, and remembers damage for the next start.
template <class Read>
auto guarded(sqlite::StateLock& lock, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const SqlError& error) {
    if (error.damaged()) lock.say_damaged();
    return error.error();
  }
}

}  // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(std::filesystem::path path, Identity identity,
                                                           const Clock& clock, asio::any_io_executor loop) {
  auto lock = sqlite::StateLock::take(path, identity.boot_id);
  if (!lock) return lock.error();
  std::string quarantined;
  Opened opened;
  for (;;) {
    try {
      auto attempt = open_file(path, lock->last_end(), clock);
      if (!attempt) return attempt.error();
      opened = std::move(*attempt);
      break;
    } catch (const SqlError& error) {
      if (!error.damaged() || !quarantined.empty()) return error.error().in(path.string());
      auto aside = sqlite::set_aside(path, clock.now());
      if (!aside) return aside.error();
      quarantined = path.string() + ": the journal was damaged (" + error.what() + "); it was set aside as " +
                    aside->filename().string() +
                    " and a new one was begun: look at the control server for jobs that were running";
    }
  }
  return guarded(*lock, [&]() -> Result<std::unique_ptr<SqliteJournal>> {
    auto reader = std::make_unique<Database>(path, Database::Mode::read_only);
    auto writer = std::make_unique<sqlite::Writer>(path, std::move(opened.database), loop);
    std::unique_ptr<State> state{new State{std::move(path), std::move(identity), clock, std::move(loop),
                                           std::move(*lock), std::move(opened.journal_id), std::move(quarantined)}};
    state->writer = std::move(writer);
    state->reader = std::move(reader);
    return std::unique_ptr<SqliteJournal>{new SqliteJournal{std::move(state)}};
  });
}

SqliteJournal::SqliteJournal(std::unique_ptr<State> state) : state_{std::move(state)} {}

SqliteJournal::~SqliteJournal() {
  const bool damaged = state_->writer->saw_damage();
  state_->reader.reset();  // The writer's connection is the last: closing it empties the log.
  state_->writer.reset();
  if (damaged) state_->lock.say_damaged();
  state_->lock.say_closed();
}

const std::string& SqliteJournal::quarantined() const { return state_->quarantined; }

asio::awaitable<Result<std::vector<Event>>> SqliteJournal::append(std::vector<Event> drafts) {
  if (drafts.empty()) co_return std::vector<Event>{};
  const Timestamp now = state_->clock.now();
  const std::int64_t since_boot = state_->clock.since_boot().count();
  for (Event& event : drafts) {
    event.journal_id = state_->journal_id;
    event.event_id = new_id(now);
    event.occurred_at = now;
    event.monotonic_ns = since_boot;
    event.host_id = state_->identity.host_id;
    event.boot_id = state_->identity.boot_id;
    event.agent_version = state_->identity.agent_version;
  }
  const auto start = [](sqlite::Handler<std::vector<Event>> handler, State* state, std::vector<Event> events) {
    state->writer->add(sqlite::append_change(std::move(events), std::move(handler), state->listeners, state->loop));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<std::vector<Event>>)>(
      start, asio::use_awaitable, state_.get(), std::move(drafts));
}

Result<std::vector<Event>> SqliteJournal::read(const Query& query) {
  return guarded(state_->lock, [&] { return sqlite::select_events(*state_->reader, query); });
}

Result<std::vector<JobRow>> SqliteJournal::jobs(bool open_only, std::size_t limit) {
  return guarded(state_->lock, [&]() -> Result<std::vector<JobRow>> {
    return sqlite::select_jobs(*state_->reader, open_only, limit);
  });
}

Seq SqliteJournal::last() const { return state_->writer->last_event(); }

std::string SqliteJournal::journal_id() const { return state_->journal_id; }

std::shared_ptr<void> SqliteJournal::subscribe(Listener listener) {
  return state_->listeners->add(std::move(listener));
}

Result<std::optional<Seq>> SqliteJournal::cursor(const std::string& reporter) {
  return guarded(state_->lock,
                 [&]() -> Result<std::optional<Seq>> { return sqlite::select_cursor(*state_->reader, reporter); });
}

asio::awaitable<Result<void>> SqliteJournal::expand_all(std::string reporter, Seq upto,
                                                        std::vector<Expansion> expansions) {
  const auto start = [](sqlite::Handler<void> handler, State* state, std::string name, Seq seq,
                        std::vector<Expansion> items) {
    state->writer->add(sqlite::expand_change(std::move(name), seq, std::move(items), state->clock.now(),
                                             std::move(handler), state->loop));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
      start, asio::use_awaitable, state_.get(), std::move(reporter), upto, std::move(expansions));
}

Result<std::vector<Delivery>> SqliteJournal::open(const std::string& reporter, Page page) {
  // A page must not look short because of rows that are delivered but still open on disk.
  const std::size_t limit = page.limit;
  page.limit = limit + std::min(state_->unwritten->size(), std::numeric_limits<std::size_t>::max() - limit);
  auto rows = guarded(state_->lock, [&] {
    return sqlite::select_deliveries(*state_->reader, reporter, sqlite::Which::open, "", page);
  });
  if (!rows) return rows;
  std::erase_if(*rows, [&](const Delivery& row) { return state_->unwritten->contains({reporter, row.item.key}); });
  if (rows->size() > limit) rows->resize(limit);
  return rows;
}

Result<std::optional<Delivery>> SqliteJournal::get(const std::string& reporter, const std::string& key) {
  auto rows = guarded(
      state_->lock, [&] { return sqlite::select_deliveries(*state_->reader, reporter, sqlite::Which::one, key, {}); });
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<Delivery>{};
  sqlite::lay_over(*state_->unwritten, rows->front());
  return std::optional{std::move(rows->front())};
}

Result<std::vector<Delivery>> SqliteJournal::of_job(const std::string& reporter, const std::string& job_id) {
  auto rows = guarded(state_->lock, [&] {
    return sqlite::select_deliveries(*state_->reader, reporter, sqlite::Which::of_job, job_id, {});
  });
  if (rows)
    for (Delivery& row : *rows) sqlite::lay_over(*state_->unwritten, row);
  return rows;
}

Result<std::vector<Delivery>> SqliteJournal::parked(const std::string& reporter) {
  return guarded(state_->lock,
                 [&] { return sqlite::select_deliveries(*state_->reader, reporter, sqlite::Which::parked, "", {}); });
}

asio::awaitable<Result<void>> SqliteJournal::mark(std::string reporter, std::string key, DeliveryState to,
                                                  std::string note) {
  const auto start = [](sqlite::Handler<void> handler, State* state, sqlite::Mark change) {
    state->writer->add(sqlite::mark_change(std::move(change), std::move(handler), state->loop));
  };
  sqlite::Mark change{std::move(reporter), std::move(key), to, std::move(note)};
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
      start, asio::use_awaitable, state_.get(), std::move(change));
}

asio::awaitable<Result<void>> SqliteJournal::mark_attempting(std::string reporter, std::string key) {
  return mark(std::move(reporter), std::move(key), DeliveryState::attempting, {});
}

asio::awaitable<Result<void>> SqliteJournal::mark_pending(std::string reporter, std::string key, std::string reason) {
  return mark(std::move(reporter), std::move(key), DeliveryState::pending, std::move(reason));
}

asio::awaitable<Result<void>> SqliteJournal::mark_parked(std::string reporter, std::string key, std::string reason) {
  return mark(std::move(reporter), std::move(key), DeliveryState::parked, std::move(reason));
}

asio::awaitable<Result<void>> SqliteJournal::mark_delivered(std::string reporter, std::string key,
                                                            std::string remote_ref) {
  state_->unwritten->insert_or_assign({reporter, key}, remote_ref);
  sqlite::Mark change{std::move(reporter), std::move(key), DeliveryState::delivered, std::move(remote_ref)};
  state_->writer->add(sqlite::delivered_change(std::move(change), state_->unwritten));
  co_return Result<void>{};
}

Result<Backlog> SqliteJournal::backlog(const std::string& reporter) {
  return guarded(state_->lock, [&]() -> Result<Backlog> {
    Backlog backlog = sqlite::select_backlog(*state_->reader, reporter);
    for (const auto& [name, remote_ref] : *state_->unwritten) {
      if (name.first != reporter) continue;
      auto rows = sqlite::select_deliveries(*state_->reader, reporter, sqlite::Which::one, name.second, {});
      if (!rows) return rows.error();
      if (!rows->empty()) sqlite::count_as_delivered(rows->front(), backlog);
    }
    return backlog;
  });
}

}  // namespace outpost::journal
