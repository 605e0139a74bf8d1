#include "agent/delivery/story_book.hpp"

#include "agent/job/event_types.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace outpost::delivery {
namespace {

constexpr std::size_t page = 200;  ///< Events read before others of the loop get their turn.

}  // namespace

boost::asio::awaitable<Result<const job::Story*>> StoryBook::before(const job::Event& event) {
  const job::Story* none = nullptr;
  if (event.job_id.empty() || others_.contains(event.job_id) || event.job_id == other_ended_) co_return none;
  for (const auto* kept : {&stories_, &ended_})
    if (const auto known = kept->find(event.job_id); known != kept->end()) co_return &known->second;
  auto reading = read(event);
  auto story = co_await std::move(reading);
  if (!story) co_return story.error();
  if (!*story) {
    const auto is_late = had_ended(event);
    if (!is_late) co_return is_late.error();
    if (*is_late)
      other_ended_ = event.job_id;
    else
      others_.insert(event.job_id);
    co_return none;
  }
  const bool ended = (*story)->ended;
  if (ended) ended_.clear();
  co_return &(ended ? ended_ : stories_).emplace(event.job_id, std::move(**story)).first->second;
}

boost::asio::awaitable<Result<std::optional<job::Story>>> StoryBook::read(const job::Event& event) {
  const auto executor = co_await boost::asio::this_coro::executor;
  job::Story story;
  bool bound = binds(event);
  journal::Query query;
  query.job_id = event.job_id;
  query.limit = page;
  bool reached = event.type == job::event::job_queued;  // The first event of a job: nothing is before it.
  while (!reached) {
    auto events = journal_.read(query);
    if (!events) co_return events.error();
    for (const auto& earlier : *events) {
      reached = reached || earlier.seq >= event.seq;
      if (reached) break;
      bound = bound || binds(earlier);
      story.apply(earlier);
    }
    reached = reached || events->size() < page || !bound;
    if (!events->empty()) query.after = events->back().seq;
    if (!reached) co_await boost::asio::post(executor, boost::asio::use_awaitable);
  }
  if (!bound) co_return std::optional<job::Story>{};
  co_return std::optional{std::move(story)};
}

Result<bool> StoryBook::had_ended(const job::Event& event) {
  if (event.type == job::event::job_queued) return false;
  const auto ends = journal_.read({.job_id = event.job_id, .types = {std::string{job::event::job_ended}, std::string{job::event::job_withdrawn}}, .limit = 1});
  if (!ends) return ends.error();
  return !ends->empty() && ends->front().seq < event.seq;
}

void StoryBook::apply(const job::Event& event) {
  if (const auto late = ended_.find(event.job_id); late != ended_.end()) late->second.apply(event);
  const auto known = stories_.find(event.job_id);
  if (known != stories_.end()) known->second.apply(event);
  if (event.type != job::event::job_ended && event.type != job::event::job_withdrawn) return;
  if (known != stories_.end()) stories_.erase(known);
  others_.erase(event.job_id);
}

bool StoryBook::binds(const job::Event& event) const {
  if (event.type != job::event::job_queued) return false;
  const auto reporters = job::texts_at(event.data, "reporters");
  return std::find(reporters.begin(), reporters.end(), reporter_) != reporters.end();
}

}  // namespace outpost::delivery
