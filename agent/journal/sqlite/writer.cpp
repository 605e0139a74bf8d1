#include "agent/journal/sqlite/writer.hpp"

#include "agent/journal/sqlite/event_rows.hpp"

#include <sqlite3.h>
#include <boost/asio/post.hpp>

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>

namespace outpost::journal::sqlite {
namespace {

using Steady = std::chrono::steady_clock;

/// How long a change that nobody waits for may wait for another one to go along with.
constexpr std::chrono::milliseconds lazy_delay{250};
/// The same when it has failed.
constexpr std::chrono::seconds lazy_retry{5};

/// The write-ahead log is moved to the file when it has this many pages and nobody waits, or when it has many more.
constexpr int checkpoint_pages = 1000;
constexpr int forced_checkpoint_pages = 8000;

}  // namespace

/// Shared with the handlers that wake the writer: they may run after it has gone.
struct Writer::Queue {
  explicit Queue(const boost::asio::any_io_executor& executor) : loop{executor} {}

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::unique_ptr<Change>> changes;
  std::size_t urgent = 0;  ///< Of `changes`, those that somebody waits for.
  bool wake = false;       ///< The loop has nothing more to add for now.
  bool stopping = false;
  std::optional<Steady::time_point> lazy_deadline;
  std::optional<Steady::time_point> oldest;  ///< Since when the first of `changes` waits, or may be tried again.

  // The loop's own; not guarded.
  bool wake_posted = false;
  boost::asio::any_io_executor loop;
};

void make_durable(Database& database) {
  database.execute("PRAGMA journal_mode = WAL");
  database.execute("PRAGMA synchronous = FULL");
  database.execute("PRAGMA foreign_keys = ON");
  // The log keeps its file: overwriting is cheaper to sync than growing (see keep_log_ahead(), too).
  int keep = 1;
  ::sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
}

Writer::Writer(std::filesystem::path path, std::unique_ptr<Database> database, boost::asio::any_io_executor loop,
               std::function<void(job::Seq)> committed)
    : path_{std::move(path)},
      database_{std::move(database)},
      loop_{std::move(loop)},
      queue_{std::make_shared<Queue>(loop_)},
      last_event_{sqlite::last_event(*database_)},
      committed_{std::move(committed)},
      thread_{} {
  committed_(last_event_);
  thread_ = start();
}

Writer::~Writer() {
  {
    const std::lock_guard lock{queue_->mutex};
    queue_->stopping = true;
  }
  queue_->changed.notify_one();
  thread_.join();
  if (database_) database_->empty_log();
}

std::thread Writer::start() {
  // Signals are the loop's business: the new thread inherits a full mask.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread{[this] { work(); }};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

void Writer::add(std::unique_ptr<Change> change) {
  const bool urgent = change->urgent();
  {
    const std::lock_guard lock{queue_->mutex};
    queue_->changes.push_back(std::move(change));
    if (!queue_->oldest) queue_->oldest = Steady::now();
    if (urgent) ++queue_->urgent;
    if (!urgent && !queue_->lazy_deadline) queue_->lazy_deadline = Steady::now() + lazy_delay;
  }
  if (!urgent) {
    queue_->changed.notify_one();  // It sleeps until the deadline from now on.
    return;
  }
  if (std::exchange(queue_->wake_posted, true)) return;
  // Two turns of the loop: one for who is resumed by now, one for what those spawn.
  boost::asio::post(loop_, [queue = queue_] { boost::asio::post(queue->loop, [queue] { wake(*queue); }); });
}

std::optional<Steady::time_point> Writer::waiting_since() const {
  const std::lock_guard lock{queue_->mutex};
  return queue_->oldest;
}

void Writer::wake(Queue& queue) {
  queue.wake_posted = false;
  {
    const std::lock_guard lock{queue.mutex};
    queue.wake = queue.urgent > 0;
  }
  queue.changed.notify_one();
}

void Writer::work() {
  for (;;) {
    Batch batch;
    {
      std::unique_lock lock{queue_->mutex};
      const auto ready = [&] { return queue_->stopping || (queue_->wake && queue_->urgent > 0); };
      if (queue_->lazy_deadline) {
        const auto deadline = *queue_->lazy_deadline;
        queue_->changed.wait_until(lock, deadline, ready);
      } else {
        queue_->changed.wait(lock, [&] { return ready() || queue_->lazy_deadline; });
      }
      const bool late = queue_->lazy_deadline && Steady::now() >= *queue_->lazy_deadline;
      if (!ready() && !late) continue;
      if (queue_->stopping && queue_->changes.empty()) break;
      std::move(queue_->changes.begin(), queue_->changes.end(), std::back_inserter(batch));
      queue_->changes.clear();
      queue_->urgent = 0;
      queue_->wake = false;
      queue_->lazy_deadline.reset();
      queue_->oldest.reset();
    }
    write(std::move(batch));
    move_log();
  }
}

void Writer::move_log() {
  const int pages = database_ ? database_->log_pages() : 0;
  if (pages <= checkpoint_pages) return;
  {
    const std::lock_guard lock{queue_->mutex};
    if (queue_->urgent > 0 && pages <= forced_checkpoint_pages) return;
  }
  database_->checkpoint();
}

void Writer::write(Batch batch) {
  if (batch.empty()) return;
  Outcomes outcomes(batch.size());
  try {
    write_together(batch);
  } catch (const SqlError& error) {
    roll_back();
    saw_damage_ = saw_damage_ || error.damaged();
    if (batch.size() == 1)
      outcomes.front() = error.error();
    else
      for (std::size_t index = 0; index < batch.size(); ++index) outcomes[index] = write_alone(*batch[index]);
  }
  for (std::size_t index = 0; index < batch.size(); ++index)
    if (!outcomes[index]) last_event_ = std::max(last_event_.load(), batch[index]->last_event());
  committed_(last_event_);
  hand_back(std::move(batch), std::move(outcomes));
}

void Writer::write_together(const Batch& batch) {
  begin();
  for (const auto& change : batch) change->apply(*database_);
  database_->prepared("COMMIT").bind_all().run();
}

std::optional<Error> Writer::write_alone(Change& change) {
  try {
    begin();
    change.apply(*database_);
    database_->prepared("COMMIT").bind_all().run();
    return std::nullopt;
  } catch (const SqlError& error) {
    roll_back();
    saw_damage_ = saw_damage_ || error.damaged();
    return error.error();
  }
}

void Writer::begin() {
  if (!database_) {
    auto database = std::make_unique<Database>(path_, Database::Mode::read_write);
    make_durable(*database);
    database_ = std::move(database);
  }
  database_->prepared("BEGIN IMMEDIATE").bind_all().run();
  database_->keep_log_ahead();
}

void Writer::roll_back() {
  if (!database_) return;
  try {
    if (database_->in_transaction()) database_->prepared("ROLLBACK").bind_all().run();
  } catch (const SqlError&) {
    database_.reset();  // It cannot even forget: start over with a new connection.
  }
}

void Writer::hand_back(Batch batch, Outcomes outcomes) {
  Batch failed_lazily;
  for (std::size_t index = 0; index < batch.size(); ++index)
    if (outcomes[index] && !batch[index]->urgent()) failed_lazily.push_back(std::move(batch[index]));
  if (!failed_lazily.empty()) {
    const std::lock_guard lock{queue_->mutex};
    if (!queue_->stopping) {
      queue_->changes.insert(queue_->changes.begin(), std::make_move_iterator(failed_lazily.begin()),
                             std::make_move_iterator(failed_lazily.end()));
      queue_->lazy_deadline = Steady::now() + lazy_retry;
      if (!queue_->oldest) queue_->oldest = queue_->lazy_deadline;
    }
  }
  boost::asio::post(loop_, [batch = std::move(batch), outcomes = std::move(outcomes)]() mutable {
    for (std::size_t index = 0; index < batch.size(); ++index)
      if (batch[index]) batch[index]->complete(std::move(outcomes[index]));
  });
}

}  // namespace outpost::journal::sqlite
