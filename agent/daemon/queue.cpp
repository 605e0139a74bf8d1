#include "agent/daemon/queue.hpp"

#include <algorithm>
#include <set>

namespace outpost::daemon {

void Queue::add(job::Story story) {
  const auto later = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& other) { return other.queued_at > story.queued_at; });
  waiting_.insert(later, std::move(story));
}

std::optional<job::Story> Queue::remove(const std::string& job_id) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& story) { return story.job.id == job_id; });
  if (found == waiting_.end()) return std::nullopt;
  job::Story story = std::move(*found);
  waiting_.erase(found);
  return story;
}

std::optional<job::Story> Queue::next(const std::function<bool(const job::Story&)>& may_claim) {
  if (running_.size() >= slots_) return std::nullopt;
  std::set<std::string> spoken_for;  // By a job that came earlier and waits for one of its other resources.
  for (auto& story : waiting_) {
    if (!may_claim(story)) continue;
    const auto& wanted = story.job.definition.resources;
    const bool free = std::none_of(wanted.begin(), wanted.end(),
                                   [&](const auto& name) { return holders_.contains(name) || spoken_for.contains(name); });
    if (free) {
      story.slot = 0;  // Of a claim that was postponed.
      hold(story);
      return remove(std::string{story.job.id});
    }
    spoken_for.insert(wanted.begin(), wanted.end());
  }
  return std::nullopt;
}

void Queue::hold(const job::Story& story) {
  unsigned slot = story.slot;
  if (slot == 0 || is_taken(slot))
    for (slot = 1; is_taken(slot);) ++slot;
  running_.emplace(story.job.id, slot);
  reserve(story);
}

bool Queue::is_taken(unsigned slot) const {
  return std::any_of(running_.begin(), running_.end(), [slot](const auto& running) { return running.second == slot; });
}

void Queue::reserve(const job::Story& story) {
  for (const auto& name : story.job.definition.resources) holders_.emplace(name, story.job.id);
}

void Queue::release(const std::string& job_id) {
  running_.erase(job_id);
  std::erase_if(holders_, [&](const auto& holder) { return holder.second == job_id; });
}

}  // namespace outpost::daemon
