#include "agent/daemon/log_room.hpp"

#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"
#include "agent/log/place.hpp"
#include "agent/log/reclaim.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace event = job::event;

namespace {

/// How far pieces reach from the beginning without a hole.
std::uint64_t end_of(const std::map<std::uint64_t, std::uint64_t>& pieces) {
  std::uint64_t end = 0;
  for (const auto& [offset, size] : pieces) {
    if (offset > end) break;
    end = std::max(end, offset + size);
  }
  return end;
}

}  // namespace

asio::awaitable<std::uint64_t> LogRoom::make(std::uint64_t bytes) {
  if (const auto others = making_) {
    co_await others->ended.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return others->freed;
  }
  making_ = std::make_shared<Making>(co_await asio::this_coro::executor);
  const auto end = [](LogRoom* room) {
    room->making_->ended.cancel();
    room->making_.reset();
  };
  const std::unique_ptr<LogRoom, decltype(end)> until_the_end{this, end};
  const auto rows = ports_.journal.jobs(false, std::numeric_limits<std::int32_t>::max());
  std::uint64_t freed = 0;
  if (rows) {
    for (auto row = rows->rbegin(); row != rows->rend() && freed < bytes; ++row) {
      if (row->ended && !std::filesystem::exists(jobs_directory_ / row->job_id)) continue;
      std::string job_id = row->job_id;
      freed += co_await make_of(std::move(job_id), bytes - freed);
    }
  } else {
    ports_.logger.warning("logs: " + rows.error().message);
  }
  if (freed > 0) ports_.logger.notice("logs: " + format_size(freed) + " that the servers have were freed, because the disk is nearly full");
  making_->freed = freed;
  co_return freed;
}

asio::awaitable<std::uint64_t> LogRoom::make_of(std::string job_id, std::uint64_t bytes) {
  const auto story = story_of(job_id);
  const auto known = story ? delivered(*story) : Result<std::map<std::string, std::uint64_t>>{story.error()};
  if (!known) {
    ports_.logger.warning("logs: " + known.error().message);
    co_return 0;
  }
  if (known->empty()) co_return 0;
  const auto directory = jobs_directory_ / job_id;
  auto looking = [directory, story = *story, known = *known] { return log::freeable(directory, story, known); };
  auto going = co_await ports_.workers.run(std::move(looking));
  std::uint64_t sum = 0;
  const auto enough = std::find_if(going.begin(), going.end(), [&](const auto& one) { return std::exchange(sum, sum + one.bytes) >= bytes; });
  going.erase(enough, going.end());
  if (going.empty()) co_return 0;

  std::vector<job::Event> drafts;
  for (const auto& one : going) {
    job::Event& draft = drafts.emplace_back();
    draft.type = event::log_freed;
    draft.job_id = job_id;
    draft.step_id = one.step_id;
    draft.blobs = {one.blob};
  }
  const auto written = co_await ports_.journal.append(std::move(drafts));
  if (!written) {
    ports_.logger.warning("logs: " + written.error().message);
    co_return 0;
  }
  auto freeing = [directory, going = std::move(going)] {
    std::uint64_t freed = 0;
    for (const auto& one : going)
      if (const auto got = log::free(directory, one)) freed += *got;
    return freed;
  };
  co_return co_await ports_.workers.run(std::move(freeing));
}

Result<job::Story> LogRoom::story_of(const std::string& job_id) {
  journal::Query query{.job_id = job_id};
  for (const auto type : {event::job_queued, event::step_started, event::step_ended, event::log_cut, event::log_segment, event::log_freed})
    query.types.emplace_back(type);
  job::Story story;
  for (;;) {
    const auto events = ports_.journal.read(query);
    if (!events) return events.error();
    for (const auto& event : *events) story.apply(event);
    if (events->size() < query.limit) return story;
    query.after = events->back().seq;
  }
}

/// By step, how much of its redacted log every reporter of the job has brought to its server.
Result<std::map<std::string, std::uint64_t>> LogRoom::delivered(const job::Story& story) {
  std::map<std::string, std::uint64_t> everywhere;
  bool first = true;
  for (const auto& reporter : story.reporters) {
    const auto here = delivered_to(reporter, story);
    if (!here) return here.error();
    if (std::exchange(first, false)) everywhere = *here;
    for (auto& [step, bytes] : everywhere) {
      const auto found = here->find(step);
      bytes = std::min(bytes, found == here->end() ? 0 : found->second);
    }
  }
  std::erase_if(everywhere, [](const auto& entry) { return entry.second == 0; });
  return everywhere;
}

Result<std::map<std::string, std::uint64_t>> LogRoom::delivered_to(const std::string& reporter, const job::Story& story) {
  const auto items = ports_.deliveries.of_job(reporter, story.job.id);
  if (!items) return items.error();
  std::map<std::string, std::map<std::uint64_t, std::uint64_t>> pieces;  // By path, offset to size.
  for (const auto& delivery : *items)
    if (const auto& blob = delivery.item.blob; blob && blob->range && delivery.state == journal::DeliveryState::delivered)
      pieces[blob->path][blob->range->offset] = blob->size;
  std::map<std::string, std::uint64_t> ends;
  for (const auto& step : story.steps)
    ends[step.id] = end_of(pieces[log::Place{.job_directory = {}, .folder = "logs", .step = step.id}.log_name()]);
  return ends;
}

}  // namespace outpost::daemon
