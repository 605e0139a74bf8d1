#pragma once

#include "agent/delivery/timing.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace outpost::delivery {

/// Which of the items that wait may go next: order, prerequisites and times. Knows keys only, so that a long backlog
/// costs little memory; does nothing itself.
class Outbox {
 public:
  struct Entry {
    std::string key;
    std::string job_id;
    std::uint64_t order = 0;
    bool uncertain = false;  ///< An earlier attempt may have arrived: ask before sending.
    bool travelling = false;  ///< It may arrive in another way too, so that no refusal makes it certain again.
    unsigned failures = 0;
    unsigned pulls = 0;              ///< It failed so often although others got through.
    std::uint64_t answers_seen = 0;  ///< How many answers there had been when it last failed.
    Moment earliest{};               ///< What the server asked for (Retry-After).

   private:
    friend class Outbox;
    enum class Place { blocked, ready, delayed, taken };
    Place place = Place::blocked;
    std::size_t blockers = 0;
    Moment due{};
  };

  /// What an item waits for: keys that are in the outbox, or will be.
  struct Blockers {
    std::vector<std::string> needs, follows;
  };

  /// A known key stays as it is.
  void add(std::string key, std::string job_id, bool uncertain, const Blockers& blockers);
  [[nodiscard]] bool contains(const std::string& key) const { return entries_.contains(key); }
  [[nodiscard]] Entry* find(const std::string& key);

  /// Takes out of the queue what may go now: the item that failed least, of these the oldest. Null when none may.
  Entry* take(Moment now);
  /// Back into the queue, not before `due`.
  void put_back(Entry& entry, Moment due);
  /// Gives every delayed item that failed before the time that `due_of` says, if that is earlier.
  void hasten(const std::function<Moment(const Entry&)>& due_of);

  struct Doomed {
    std::string key;
    std::string because;  ///< The key that it needs.
  };
  /// Removes an item. When it was delivered, what waited for it may go; when it was parked, what only followed it may
  /// go, and what needed it is removed too and returned.
  std::vector<Doomed> settle(const std::string& key, bool delivered);

  /// When take() will have something: Moment::min() for now, Moment::max() for not by time alone.
  [[nodiscard]] Moment next() const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t of_job(const std::string& job_id) const;
  void clear();

 private:
  struct ByTurn {
    bool operator()(const Entry* left, const Entry* right) const;
  };
  struct ByTime {
    bool operator()(const Entry* left, const Entry* right) const;
  };
  struct Edge {
    std::string dependent;
    bool need;
    std::uint64_t order;  ///< The dependent's: one that was removed and added again waits anew.
  };

  void unblock(Entry& entry);
  void forget(Entry& entry);

  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, std::vector<Edge>> waiting_for_;
  std::set<Entry*, ByTurn> ready_;
  std::set<Entry*, ByTime> delayed_;
  std::map<std::string, std::size_t> per_job_;
  std::uint64_t next_order_ = 0;
};

}  // namespace outpost::delivery
