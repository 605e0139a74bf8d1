#pragma once

#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <set>

namespace outpost::delivery {

/// The stories of the open jobs of one reporter instance. A job is bound to its reporters when it is queued; the others
/// cost nothing but their name.
class StoryBook {
 public:
  StoryBook(journal::Journal& journal, std::string reporter) : journal_{journal}, reporter_{std::move(reporter)} {}

  /// The story of the event's job just before it, read from the journal when the job is new here; null when the event
  /// is none of this reporter's business.
  boost::asio::awaitable<Result<const job::Story*>> before(const job::Event& event);
  /// Takes the event into account. Events of a job must come in order.
  void apply(const job::Event& event);
  void clear() {
    stories_.clear();
    others_.clear();
  }

 private:
  [[nodiscard]] bool binds(const job::Event& event) const;

  journal::Journal& journal_;
  std::string reporter_;
  std::map<std::string, job::Story> stories_;
  std::set<std::string> others_;  ///< Open jobs of other reporters.
};

}  // namespace outpost::delivery
