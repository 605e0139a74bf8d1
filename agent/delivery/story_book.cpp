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
  if (event.job_id.empty() || others_.contains(event.job_id)) co_return none;
  if (const auto known = stories_.find(event.job_id); known != stories_.end()) co_return &known->second;
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
  if (bound) co_return &stories_.emplace(event.job_id, std::move(story)).first->second;
  others_.insert(event.job_id);
  co_return none;
}

void StoryBook::apply(const job::Event& event) {
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
