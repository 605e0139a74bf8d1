#pragma once

#include "agent/journal/journal.hpp"

#include <deque>
#include <functional>

namespace outpost::delivery {

/// The events after a position, in order and each once: those that are appended now as they are told, older ones (and
/// when more come than are taken) from the journal.
class EventFeed {
 public:
  /// `arrived` is called for every event that is told; it may come a little before next() has it.
  EventFeed(journal::Journal& journal, std::function<void()> arrived);

  /// Goes on after this position.
  void start_after(job::Seq position);
  /// Some events, none when there are no more for now.
  Result<std::vector<job::Event>> next();
  /// The number of the last event that next() returned.
  [[nodiscard]] job::Seq position() const { return position_; }

 private:
  void hear(const job::Event& event);

  journal::Journal& journal_;
  std::function<void()> arrived_;
  job::Seq position_ = 0;
  bool behind_ = true;            ///< Something must be read from the journal.
  std::deque<job::Event> fresh_;  ///< What follows position_ without a gap, unless behind_.
  std::shared_ptr<void> subscription_;
};

}  // namespace outpost::delivery
