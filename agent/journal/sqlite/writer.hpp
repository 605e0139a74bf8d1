#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"
#include "agent/journal/sqlite/database.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace outpost::journal::sqlite {

/// One change of the journal, on its way to the disk.
class Change {
 public:
  virtual ~Change() = default;

  /// On the writer's thread, inside a transaction; throws SqlError. Called again when the transaction failed because of
  /// another change in it.
  virtual void apply(Database& database) = 0;
  /// On the loop, in the order of the changes, once it is durable (no error) or known not to be written.
  virtual void complete(std::optional<Error> error) = 0;
  /// Whether somebody waits for it. The others go along with the next transaction, or with one of their own soon.
  [[nodiscard]] virtual bool urgent() const { return true; }
  /// The number of the last event it wrote; 0 when it wrote none.
  [[nodiscard]] virtual job::Seq last_event() const { return 0; }
};

/// The one thread that writes. All changes that are queued when it looks go into one transaction and one sync; when
/// that fails, each is tried alone, so that an error is told to whom it concerns. Not urgent changes that fail stay
/// queued.
///
/// add() is for the loop's thread. It wakes the writer only after the handlers that the loop has ready, so that what
/// several coroutines write in one turn of the loop shares a sync.
class Writer {
 public:
  /// `committed` is told on the writer's thread which event is durable now, before anybody hears of it.
  Writer(std::filesystem::path path, std::unique_ptr<Database> database, boost::asio::any_io_executor loop,
         std::function<void(job::Seq)> committed);
  /// Writes what is queued, then ends the thread. The loop must still be there.
  ~Writer();

  void add(std::unique_ptr<Change> change);
  [[nodiscard]] job::Seq last_event() const { return last_event_.load(); }
  /// Since when a change waits that no transaction has taken up, or may take up by now.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> waiting_since() const;
  /// Something in the file turned out to be damaged.
  [[nodiscard]] bool saw_damage() const { return saw_damage_.load(); }

 private:
  struct Queue;
  using Batch = std::vector<std::unique_ptr<Change>>;
  using Outcomes = std::vector<std::optional<Error>>;

  static void wake(Queue& queue);
  std::thread start();
  void work();
  void move_log();
  void begin();
  void write(Batch batch);
  void write_together(const Batch& batch);
  std::optional<Error> write_alone(Change& change);
  void roll_back();
  void hand_back(Batch batch, Outcomes outcomes);

  std::filesystem::path path_;
  std::unique_ptr<Database> database_;
  boost::asio::any_io_executor loop_;
  std::shared_ptr<Queue> queue_;
  std::atomic<job::Seq> last_event_;
  std::atomic<bool> saw_damage_ = false;
  std::function<void(job::Seq)> committed_;
  std::thread thread_;  ///< Last: it uses all the others.
};

/// The settings of a writing connection.
void make_durable(Database& database);

}  // namespace outpost::journal::sqlite
