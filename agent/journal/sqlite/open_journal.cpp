#include "agent/journal/sqlite/open_journal.hpp"

#include "agent/base/ids.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/aftermath.hpp"
#include "agent/journal/sqlite/delivery_rows.hpp"
#include "agent/journal/sqlite/event_rows.hpp"
#include "agent/journal/sqlite/schema.hpp"
#include "agent/journal/sqlite/writer.hpp"

#include <sqlite3.h>

#include <limits>
#include <system_error>

namespace outpost::journal::sqlite {
namespace {

namespace fs = std::filesystem;
using Duration = std::chrono::steady_clock::duration;

/// What a check of the whole file may take at a start. One that turned out to be damaged while it was in use is worth
/// all the time it takes.
constexpr Duration check_limit = std::chrono::milliseconds{700};

/// Up to these sizes the whole file is checked at the start; above, the tables that stay small, so that a start stays
/// quick. Only a machine that died can leave a file half written, and that is worth more time.
std::uintmax_t checked_up_to(LastEnd last_end) {
  switch (last_end) {
    case LastEnd::closed:
    case LastEnd::agent_died: return 16 << 20;
    case LastEnd::machine_died: return 512 << 20;
    case LastEnd::damaged: break;
  }
  return std::numeric_limits<std::uintmax_t>::max();
}

void checkpoint_on_close(Database& database, bool on) {
  ::sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on ? 0 : 1, nullptr);
}

/// What append() and the others will do, once and taken back: a byte of the schema itself may have changed.
void rehearse(Database& database) {
  const Transaction taken_back{database};
  Event event;
  event.type = job::event::job_ended;
  event.job_id = event.event_id = "rehearsal";
  std::vector<Event> events{event};
  insert_events(database, events);
  const Item item{.key = event.job_id, .job_id = event.job_id};
  insert_expansions(database, event.job_id, events.front().seq, {{events.front().seq, {item}}}, {});
  for (const auto state :
       {DeliveryState::parked, DeliveryState::pending, DeliveryState::attempting, DeliveryState::delivered})
    update_state(database, {event.job_id, item.key, state, "rehearsal"});
  for (const auto which : {Which::open, Which::parked, Which::of_job, Which::one})
    static_cast<void>(select_deliveries(database, event.job_id, which, event.job_id, {.limit = 1}));
  static_cast<void>(select_backlog(database, event.job_id));
  static_cast<void>(select_reporters(database));
  static_cast<void>(select_jobs(database, true, 1));
  const auto written = select_events(
      database, {.after = events.front().seq - 1, .job_id = event.job_id, .types = {event.type}, .limit = 1});
  if (!written || written->empty()) throw SqlError{SQLITE_CORRUPT, "what is written cannot be read"};
  remove_rows(database, {.jobs = {event.job_id}, .types = {event.type}});
  forget_reporter(database, event.job_id);
}

/// Throws SqlError; a damaged file is one of them, and it is left as it was found.
Result<OpenedJournal> open_file(const fs::path& path, LastEnd last_end, const Clock& clock) {
  if (auto created = create_private(path); !created) return created.error();
  OpenedJournal opened;
  opened.database = std::make_unique<Database>(path, Database::Mode::read_write);
  Database& database = *opened.database;
  checkpoint_on_close(database, false);
  if (auto ours = check_owner(database, path.string()); !ours) return ours.error();
  database.execute("PRAGMA auto_vacuum = INCREMENTAL");  // For a file that is empty yet.
  make_durable(database);
  std::error_code ignored;
  const bool all = fs::file_size(path, ignored) <= checked_up_to(last_end);
  expect_whole(database, all ? Check::all : Check::small_tables,
               last_end == LastEnd::damaged ? Duration::max() : check_limit);
  const Timestamp now = clock.now();
  auto state = migrate(database, path.string(), migrations(), new_id(now), to_rfc3339(now));
  if (!state) return state.error();
  make_shrinkable(database);
  rehearse(database);
  checkpoint_on_close(database, true);
  opened.journal_id = state->journal_id;
  return opened;
}

fs::path rescued_path(const fs::path& path) { return path.string() + ".rescue"; }

/// An agent died between setting the damaged file aside and putting the rescued one in its place.
Result<void> finish_rescue(const fs::path& path) {
  if (fs::exists(path) || !fs::exists(rescued_path(path))) return {};
  return move_durably(rescued_path(path), path);
}

/// A new journal beside the damaged one, with what can be read of that; then each gets its place.
Result<std::string> rescue(const fs::path& path, const SqlError& damage, const StateLock& lock,
                           const Identity& identity, const Clock& clock) {
  const fs::path rescued = rescued_path(path);
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(rescued.string() + suffix, ignored);
  const auto aside = free_name_aside(path, clock.now());
  Loss loss{path.string() + ": the journal was damaged (" + damage.what() + ")",
            aside.filename().string(),
            {},
            lock.acknowledged()};
  std::string told;
  {
    auto fresh = open_file(rescued, LastEnd::closed, clock);
    if (!fresh) return fresh.error();
    const Transaction transaction{*fresh->database};
    loss.salvage = salvage(path, *fresh->database);
    told = settle(*fresh->database, loss, {identity, clock, fresh->journal_id});
    transaction.commit();
    fresh->database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(rescued.string() + suffix, ignored);
  if (auto moved = set_aside(path, aside); !moved) return moved.error();
  if (auto moved = move_durably(rescued, path); !moved) return moved.error();
  return told;
}

/// It is whole, but older than what had been acknowledged: the end of its log was lost, or a copy was put back.
std::string settle_lost_end(OpenedJournal& opened, const fs::path& path, const StateLock& lock,
                            const Identity& identity, const Clock& clock) {
  opened.journal_id = new_id(clock.now());
  const Loss loss{
      path.string() + ": the end of the journal is missing (was an older copy put back?)", {}, {}, lock.acknowledged()};
  const Transaction transaction{*opened.database};
  std::string told = settle(*opened.database, loss, {identity, clock, opened.journal_id});
  transaction.commit();
  return told;
}

}  // namespace

Result<OpenedJournal> open_journal(const fs::path& path, const StateLock& lock, const Identity& identity,
                                   const Clock& clock) {
  if (auto finished = finish_rescue(path); !finished) return finished.error();
  std::string trouble;
  for (;;) {
    try {
      auto opened = open_file(path, trouble.empty() ? lock.last_end() : LastEnd::closed, clock);
      if (!opened) return opened;
      if (trouble.empty() && last_event(*opened->database) < lock.acknowledged())
        trouble = settle_lost_end(*opened, path, lock, identity, clock);
      opened->trouble = std::move(trouble);
      return opened;
    } catch (const SqlError& error) {
      // A schema that our statements do not fit is damage, too: no agent wrote it.
      const bool damaged = error.damaged() || error.error().fault == Fault::bug;
      if (!damaged || !trouble.empty()) return error.error().in(path.string());
      try {
        auto told = rescue(path, error, lock, identity, clock);
        if (!told) return told.error();
        trouble = std::move(*told);
      } catch (const SqlError& failure) {
        return failure.error().in(rescued_path(path).string());
      }
    }
  }
}

}  // namespace outpost::journal::sqlite
