#pragma once

#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <optional>
#include <set>

namespace outpost::delivery {

/// The stories of the open jobs of one reporter instance, and of the one that was last heard of after its end, as when its
/// logs go to make room. A job is bound to its reporters when it is queued; the others cost nothing but their name.
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
    ended_.clear();
    others_.clear();
    other_ended_.clear();
  }
  /// How many jobs it has something in memory of.
  [[nodiscard]] std::size_t size() const { return stories_.size() + ended_.size() + others_.size() + (other_ended_.empty() ? 0 : 1); }

 private:
  [[nodiscard]] bool binds(const job::Event& event) const;
  /// Whether the event's job had ended before.
  Result<bool> had_ended(const job::Event& event);

  journal::Journal& journal_;
  std::string reporter_;
  /// Reads the story of the event's job up to it; nothing: the job is not bound to the reporter.
  boost::asio::awaitable<Result<std::optional<job::Story>>> read(const job::Event& event);

  std::map<std::string, job::Story> stories_, ended_;  ///< By job; of `ended_` one at most.
  std::set<std::string> others_;  ///< Open jobs of other reporters.
  std::string other_ended_;       ///< The job of others that was last heard of after its end.
};

}  // namespace outpost::delivery
