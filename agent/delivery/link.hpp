#pragma once

#include "agent/delivery/timing.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace outpost::delivery {

/// Whether a server can be reached at all, judged by how attempts end. When several different items fail in a row and
/// none gets an answer, it is not the items: then one of them at a time is tried, ever more rarely, instead of all that
/// wait. One bad item alone never makes the link look down.
class Link {
 public:
  struct Limits {
    std::size_t items;  ///< So many different items make an outage.
    Milliseconds base, cap;
  };
  explicit Link(Limits limits) : limits_{limits} {}

  void failed(const std::string& key, Moment now, double random) {
    items_.insert(key);
    if (!down()) return;
    ++failures_;
    probe_at_ = now + backoff(failures_, limits_.base, limits_.cap, random);
  }

  /// Returns whether attempts had failed since the last answer: what waits may be tried again.
  bool answered() {
    const bool is_back = !items_.empty();
    items_.clear();
    failures_ = 0;
    probe_at_ = Moment{};
    return is_back;
  }

  /// Tries earlier than it would, once.
  void try_at(Moment moment) { probe_at_ = std::min(probe_at_, moment); }

  [[nodiscard]] bool down() const { return items_.size() >= limits_.items; }
  /// When down: the next attempt is not made before.
  [[nodiscard]] Moment probe_at() const { return probe_at_; }

 private:
  Limits limits_;
  std::set<std::string> items_;  ///< That failed since the last answer.
  unsigned failures_ = 0;
  Moment probe_at_{};
};

}  // namespace outpost::delivery
