// What Agent reads from the journal when it starts.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace event = job::event;

Result<void> Agent::restore() {
  if (auto seen = restore_seen(); !seen) return seen;
  if (auto jobs = restore_jobs(); !jobs) return jobs;
  clear_stale_alarms();
  return {};
}

Result<void> Agent::restore_seen() {
  journal::Query query{.types = {std::string{event::component_seen}}};
  for (;;) {
    auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) return {};
    for (const auto& seen : *events) {
      query.after = seen.seq;
      const auto* component = seen.data.if_contains("component");
      if (!component || !component->is_object()) continue;
      for (auto& definition : definitions_) {
        if (definition.value.name != job::text_at(seen.data, "definition")) continue;
        definition.seen.insert(job::text_at(component->get_object(), "id"));
        definition.last_new = std::max(definition.last_new, seen.occurred_at);
      }
    }
  }
}

Result<void> Agent::restore_jobs() {
  auto rows = ports_.journal.jobs(true, 10'000);
  if (!rows) return rows.error();
  std::reverse(rows->begin(), rows->end());  // Oldest first: the order of the queue.
  for (const auto& row : *rows) {
    auto story = load(row.job_id);
    if (!story) return story.error();
    if (!integration(story->job.definition.source)) {
      keep_orphan(std::move(*story));
    } else if (story->claim_id.empty()) {
      queue_.add(std::move(*story));
    } else {
      ports_.logger.notice("job " + row.job_id + " (" + story->job.definition.name + ") was " + story->describe() + ": going on with it");
      queue_.hold(*story);
      unfinished_.push_back(std::move(*story));
    }
  }
  return {};
}

/// Nobody knows what its server thinks of it, so it neither goes on nor ends by itself. What it had of the lab may still
/// be in use.
void Agent::keep_orphan(job::Story story) {
  const std::string id = story.job.id;
  const auto& definition = story.job.definition;
  ports_.alarms.raise("orphan:" + id, "degraded",
                      "job " + id + " (" + definition.name + ", " + story.describe() + ") cannot go on: its source \"" + definition.source +
                          "\" is no longer configured; configure it again and restart, or cancel the job");
  if (!story.claim_id.empty()) queue_.reserve(story);
  orphans_.emplace(id, std::move(story));
}

/// Takes back what the restart has settled, and what is about things that are no longer configured: nobody else would.
void Agent::clear_stale_alarms() {
  const auto is_stale = [this](const std::string& key) {
    const auto about = [&key](std::string_view prefix) -> std::optional<std::string> {
      if (!key.starts_with(prefix)) return std::nullopt;
      return key.substr(prefix.size());
    };
    if (about("bug:")) return true;
    if (const auto job = about("orphan:")) return !orphans_.contains(*job);
    if (const auto source = about("credentials:")) return !integration(*source);
    if (const auto source = about("poll:")) return !integration(*source);
    if (const auto name = about("no-component:")) return !settings_.alarms.no_component_after || !definition(*name);
    if (key.ends_with("/credentials")) return !integration(key.substr(0, key.size() - std::string_view{"/credentials"}.size()));
    return false;
  };
  const auto active = ports_.alarms.active();
  for (const auto& [key, alarm] : active)
    if (is_stale(key)) ports_.alarms.clear(key);
}

Result<job::Story> Agent::load(const std::string& job_id, std::vector<std::string> types) {
  job::Story story;
  journal::Query query{.job_id = job_id, .types = std::move(types)};
  for (;;) {
    auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) break;
    for (const auto& each : *events) story.apply(each);
    query.after = events->back().seq;
  }
  if (story.job.id.empty()) return Error{Fault::unavailable, "there is no job " + printable(job_id, 80)};
  return story;
}

}  // namespace outpost::daemon
