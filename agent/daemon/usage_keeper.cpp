#include "agent/daemon/usage_keeper.hpp"

#include "agent/job/event_types.hpp"

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace event = job::event;

UsageKeeper::UsageKeeper(Ports ports, fs::path jobs_directory, Find find, Workspace workspace, pipeline::UsageWatch::Options times)
    : ports_{std::move(ports)}, jobs_directory_{std::move(jobs_directory)}, find_{std::move(find)}, workspace_{std::move(workspace)}, times_{std::move(times)},
      subscription_{ports_.journal.subscribe([this](const job::Event& happened) { hear(happened); })} {}

void UsageKeeper::hear(const job::Event& happened) {
  if (happened.type == event::step_started || happened.type == event::step_adopted) return begin(happened);
  if (happened.type == event::step_ended) running_.erase({happened.job_id, happened.step_id});
  if (happened.type != event::job_ended) return;
  std::erase_if(running_, [&](const auto& each) { return each.first.first == happened.job_id; });
  stories_.erase(happened.job_id);
}

void UsageKeeper::begin(const job::Event& happened) {
  if (job::text_at(happened.data, "plugin") == "outpost") return;  // The agent's own: what that takes is not the job's.
  const job::Story* story = story_of(happened.job_id);
  if (!story) return;
  auto watch = times_;
  watch.file = jobs_directory_ / happened.job_id / "usage" / (happened.step_id + ".txt");
  auto find = [this, story = *story, step = happened.step_id] { return find_(story, step); };
  auto workspace = [this, job = happened.job_id] { return workspace_(job); };
  running_[{happened.job_id, happened.step_id}] =
      std::make_unique<pipeline::UsageWatch>(ports_.executor, ports_.workers, ports_.clock, std::move(watch), std::move(find), std::move(workspace));
}

/// What tells one job's steps from another's for whoever measures: the definition, and the slot. Both are written before
/// the first step. Null when they cannot be read.
const job::Story* UsageKeeper::story_of(const std::string& job_id) {
  if (const auto known = stories_.find(job_id); known != stories_.end()) return &known->second;
  const auto events = ports_.journal.read({.job_id = job_id, .types = {std::string{event::job_queued}, std::string{event::claim_requested}}, .limit = 1000});
  if (!events) return nullptr;
  job::Story story;
  for (const auto& each : *events) story.apply(each);
  return &stories_.emplace(job_id, std::move(story)).first->second;
}

}  // namespace outpost::daemon
