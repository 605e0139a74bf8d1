#include "agent/delivery/event_feed.hpp"

#include <iterator>

namespace outpost::delivery {
namespace {

constexpr std::size_t most_fresh = 256;  ///< What is kept in memory for a slow reader.
constexpr std::size_t page = 100;        ///< Events read at once: a few milliseconds.

}  // namespace

EventFeed::EventFeed(journal::Journal& journal, std::function<void()> arrived)
    : journal_{journal}, arrived_{std::move(arrived)} {
  subscription_ = journal_.subscribe([this](const job::Event& event) { hear(event); });
}

void EventFeed::start_after(job::Seq position) {
  position_ = position;
  behind_ = true;
  fresh_.clear();
}

void EventFeed::hear(const job::Event& event) {
  const job::Seq expected = position_ + fresh_.size() + 1;
  if (!behind_ && event.seq >= expected) {
    if (event.seq == expected && fresh_.size() < most_fresh) {
      fresh_.push_back(event);
    } else {
      fresh_.clear();
      behind_ = true;
    }
  }
  arrived_();
}

Result<std::vector<job::Event>> EventFeed::next() {
  if (!behind_) {
    std::vector<job::Event> events{std::make_move_iterator(fresh_.begin()), std::make_move_iterator(fresh_.end())};
    fresh_.clear();
    if (!events.empty()) position_ = events.back().seq;
    return events;
  }
  journal::Query query;
  query.after = position_;
  query.limit = page;
  auto events = journal_.read(query);
  if (!events) return events;
  if (events->size() < page) behind_ = false;
  if (!events->empty()) position_ = events->back().seq;
  return events;
}

}  // namespace outpost::delivery
