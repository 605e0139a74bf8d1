#pragma once

#include "agent/job/story.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

/// The jobs that wait, and who holds what: slots and lab resources. One exclusive holder per resource; jobs that want
/// the same resource get it in the order in which they were queued. A resource is free again when its job has ended.
class Queue {
 public:
  explicit Queue(unsigned slots) : slots_{slots} {}

  /// Behind all that were queued before it; one that was taken out and comes back gets its old place.
  void add(job::Story story);
  /// Takes a waiting job out of the queue without starting it.
  std::optional<job::Story> remove(const std::string& job_id);

  /// The next job that may start now; it holds its slot and resources from here on. `may_claim` says what else a job
  /// waits for, such as its window; one that may not be claimed keeps nobody else from its resources.
  std::optional<job::Story> next(const std::function<bool(const job::Story&)>& may_claim);

  /// Marks what a job holds that runs already (it was resumed after a restart), whether or not there is a slot left. It
  /// keeps the slot that it had: its files and processes are of that slot's user.
  void hold(const job::Story& story);
  /// The number of the slot that a running job holds: from 1, and above slots() only for jobs from before a restart with
  /// fewer slots.
  [[nodiscard]] unsigned slot_of(const std::string& job_id) const { return running_.at(job_id); }
  /// Keeps others from the resources of a job that does not run but may have left something there; it needs no slot.
  void reserve(const job::Story& story);
  void release(const std::string& job_id);

  [[nodiscard]] const std::vector<job::Story>& waiting() const { return waiting_; }
  /// With fewer than are busy, nothing starts until enough jobs have ended.
  void set_slots(unsigned slots) { slots_ = slots; }
  [[nodiscard]] unsigned slots() const { return slots_; }
  [[nodiscard]] unsigned busy() const { return static_cast<unsigned>(running_.size()); }
  /// Resource to the job that holds it.
  [[nodiscard]] const std::map<std::string, std::string>& holders() const { return holders_; }

 private:
  [[nodiscard]] bool is_taken(unsigned slot) const;

  unsigned slots_;
  std::vector<job::Story> waiting_;
  std::map<std::string, unsigned> running_;  ///< Job to its slot.
  std::map<std::string, std::string> holders_;
};

}  // namespace outpost::daemon
