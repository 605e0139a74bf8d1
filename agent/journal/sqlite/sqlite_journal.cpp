#include "agent/journal/sqlite/sqlite_journal.hpp"

#include "agent/journal/sqlite/changes.hpp"
#include "agent/journal/sqlite/event_rows.hpp"
#include "agent/journal/sqlite/open_journal.hpp"
#include "agent/journal/sqlite/stamp.hpp"
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
  auto opened = sqlite::open_journal(path, *lock, identity, clock);
  if (!opened) return opened.error();
  return guarded(*lock, [&]() -> Result<std::unique_ptr<SqliteJournal>> {
    auto reader = std::make_unique<Database>(path, Database::Mode::read_only);
    std::unique_ptr<State> state{new State{path, std::move(identity), clock, loop, std::move(*lock),
                                           std::move(opened->journal_id), std::move(opened->trouble)}};
    const auto committed = [&noted = state->lock](Seq last) { noted.note(last); };
    state->writer =
        std::make_unique<sqlite::Writer>(std::move(path), std::move(opened->database), std::move(loop), committed);
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
  const sqlite::Stamp stamp{state_->identity, state_->clock, state_->journal_id};
  for (Event& event : drafts) stamp.apply(event);
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

asio::awaitable<Result<Event>> SqliteJournal::remove(Removal removal, Event tombstone) {
  sqlite::Stamp{state_->identity, state_->clock, state_->journal_id}.apply(tombstone);
  const auto start = [](sqlite::Handler<Event> handler, State* state, Removal what, Event event) {
    state->writer->add(
        sqlite::remove_change(std::move(what), std::move(event), std::move(handler), state->listeners, state->loop));
    state->writer->add(sqlite::shrink_change());
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Event>)>(
      start, asio::use_awaitable, state_.get(), std::move(removal), std::move(tombstone));
}

Seq SqliteJournal::last() const { return state_->writer->last_event(); }

std::optional<std::chrono::steady_clock::time_point> SqliteJournal::waiting_since() const { return state_->writer->waiting_since(); }

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

Result<std::vector<KnownReporter>> SqliteJournal::reporters() {
  return guarded(state_->lock,
                 [&]() -> Result<std::vector<KnownReporter>> { return sqlite::select_reporters(*state_->reader); });
}

Result<job::Seq> SqliteJournal::doubtful_up_to(const std::string& reporter) {
  return guarded(state_->lock,
                 [&]() -> Result<job::Seq> { return sqlite::select_doubtful(*state_->reader, reporter); });
}

asio::awaitable<Result<void>> SqliteJournal::drop_bytes(std::string reporter, std::vector<std::string> keys,
                                                        std::string reason, Event tombstone) {
  sqlite::Stamp{state_->identity, state_->clock, state_->journal_id}.apply(tombstone);
  const auto start = [](sqlite::Handler<void> handler, State* state, std::string name, std::vector<std::string> items,
                        std::string why, Event event) {
    state->writer->add(sqlite::drop_change(std::move(name), std::move(items), std::move(why), std::move(event),
                                           std::move(handler), state->listeners, state->loop));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
      start, asio::use_awaitable, state_.get(), std::move(reporter), std::move(keys), std::move(reason),
      std::move(tombstone));
}

asio::awaitable<Result<void>> SqliteJournal::forget_reporter(std::string reporter, Event tombstone) {
  sqlite::Stamp{state_->identity, state_->clock, state_->journal_id}.apply(tombstone);
  const auto start = [](sqlite::Handler<void> handler, State* state, std::string name, Event event) {
    state->writer->add(
        sqlite::forget_change(std::move(name), std::move(event), std::move(handler), state->listeners, state->loop));
    state->writer->add(sqlite::shrink_change());
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
      start, asio::use_awaitable, state_.get(), std::move(reporter), std::move(tombstone));
}

Result<bool> SqliteJournal::is_forgotten(const std::string& reporter) {
  return guarded(state_->lock, [&]() -> Result<bool> { return sqlite::is_forgotten(*state_->reader, reporter); });
}

std::uint64_t SqliteJournal::size() const {
  std::uint64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(state_->path.string() + suffix, error);
    if (!error) bytes += size;
  }
  return bytes;
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
