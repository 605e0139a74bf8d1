#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::journal {

using job::Event;
using job::Seq;

/// Which events to read; empty means any.
struct Query {
  Seq after = 0;  ///< Only events with a larger number.
  std::string job_id;
  std::vector<std::string> types;
  std::size_t limit = 1000;
};

/// What leaves the journal.
struct Removal {
  std::vector<std::string> jobs;  ///< Their events and delivery rows. An open job stays.
  /// Of these types, the agent's own events (without a job) that are older than `before`.
  std::vector<std::string> types;
  Timestamp before{};
};

struct JobRow {
  std::string job_id;
  Seq first = 0, last = 0;
  bool ended = false;
};

/// The journal: facts in the order in which they were written. What append() returned survives a crash of the program
/// and of the machine.
class Journal {
 public:
  virtual ~Journal() = default;

  /// Writes the drafts as one durable transaction and returns them with seq, ids and times filled in. On an error none
  /// was written. Calls made while another is being synced share the next sync; their order is kept.
  /// Not cancellable: a caller that is cancelled meanwhile still finds its events written.
  virtual boost::asio::awaitable<Result<std::vector<Event>>> append(std::vector<Event> drafts) = 0;

  /// Events in order. Blocks for a few index look-ups.
  virtual Result<std::vector<Event>> read(const Query& query) = 0;

  /// Jobs, newest first; with `open_only` those without job.ended or job.withdrawn.
  virtual Result<std::vector<JobRow>> jobs(bool open_only, std::size_t limit) = 0;

  /// Removes what is old and writes `tombstone`, in one durable transaction; the space goes back to the disk bit by bit
  /// afterwards. Returns the tombstone as it was written. Not cancellable, like append().
  virtual boost::asio::awaitable<Result<Event>> remove(Removal removal, Event tombstone) = 0;

  [[nodiscard]] virtual Seq last() const = 0;
  /// Since when something waits for its turn to be written; nothing when nothing does. What is being written has had it.
  [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point> waiting_since() const { return {}; }
  [[nodiscard]] virtual std::string journal_id() const = 0;

  /// Calls `listener` on the loop for each event after it became durable, until the returned token dies.
  using Listener = std::function<void(const Event&)>;
  [[nodiscard]] virtual std::shared_ptr<void> subscribe(Listener listener) = 0;
};

}  // namespace outpost::journal
