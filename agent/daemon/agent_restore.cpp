// What Agent reads from the journal when it starts.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace event = job::event;

Result<void> Agent::restore() {
  if (auto claims = restore_claims(); !claims) return claims;
  if (auto seen = restore_seen(definitions_); !seen) return seen;
  if (auto jobs = restore_jobs(); !jobs) return jobs;
  clear_alarms_of_before();
  clear_stale_alarms();
  return {};
}

Result<void> Agent::restore_seen(const Definitions& definitions) {
  // A job has seen its components, too: a damaged journal may have lost the one event and kept the other.
  journal::Query query{.types = {std::string{event::component_seen}, std::string{event::job_queued}, std::string{event::history_looked_at}}};
  for (;;) {
    auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) return {};
    for (const auto& told : *events) {
      query.after = told.seq;
      note_seen(definitions, told);
    }
  }
}

void Agent::note_seen(const Definitions& definitions, const job::Event& told) {
  std::string name = job::text_at(told.data, "definition");
  std::vector<std::string> ids;
  if (told.type == event::job_queued) {
    const job::Story story = job::replay({told});
    name = story.job.definition.name;
    for (const auto& component : story.job.components) ids.push_back(component.id);
  } else if (const auto* component = told.data.if_contains("component"); component && component->is_object()) {
    ids.push_back(job::text_at(component->get_object(), "id"));
  }
  for (const auto& definition : definitions) {
    if (definition->value.name != name) continue;
    History& history = *definition->history;
    history.seen.insert(ids.begin(), ids.end());
    if (told.type == event::history_looked_at) {
      history.looked_at = true;
      continue;
    }
    history.last_new = std::max(history.last_new, told.occurred_at);
  }
}

Result<void> Agent::restore_jobs() {
  auto rows = ports_.journal.jobs(true, 10'000);
  if (!rows) return rows.error();
  std::reverse(rows->begin(), rows->end());  // Oldest first: the order of the queue.
  for (const auto& row : *rows) {
    auto story = load(row.job_id);
    if (!story) return story.error();
    if (story->held) held_.emplace(row.job_id, *story->held);
    if (!is_configured(story->job.definition.source)) {
      keep_orphan(std::move(*story));
    } else if (story->claim_id.empty() && story->history_lost) {
      // Its claim may be what was lost.
      withdraw(row.job_id, "the journal was damaged: it is not known whether this job was claimed");
    } else if (!story->claiming && story->claim.external_ref.empty()) {
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
                          "\" is no longer configured; configure it again (outpost reload), or cancel the job");
  if (story.claiming || !story.claim.external_ref.empty()) queue_.reserve(story);
  orphans_.emplace(id, std::move(story));
}

/// What the restart has settled.
void Agent::clear_alarms_of_before() {
  const auto active = ports_.alarms.active();
  for (const auto& [key, alarm] : active)
    if (key.starts_with("bug:") || key.starts_with("claiming:")) ports_.alarms.clear(key);
  // A reporter begins anew to count how long an item fails, and ends only an alarm that it has raised itself.
  for (const auto& each : integrations_) ports_.alarms.clear(each->settings.name + "/stuck");
}

/// Takes back what is about things that are no longer there: nobody else would.
void Agent::clear_stale_alarms() {
  const auto waits = [this](const std::string& name) {
    const auto& waiting = queue_.waiting();
    return std::any_of(waiting.begin(), waiting.end(), [&](const auto& story) { return story.job.definition.name == name; });
  };
  const auto is_stale = [this, waits](const std::string& key) {
    const auto about = [&key](std::string_view prefix) -> std::optional<std::string> {
      if (!key.starts_with(prefix)) return std::nullopt;
      return key.substr(prefix.size());
    };
    if (const auto job = about("orphan:")) return !orphans_.contains(*job);
    if (const auto source = about("credentials:")) return !integration(*source);
    if (const auto source = about("poll:")) return !integration(*source);
    if (const auto name = about("claim:")) return !definition(*name);
    if (const auto name = about("topic:")) return !definition(*name);
    if (const auto name = about("plugins:")) return !waits(*name);
    if (const auto name = about("no-component:")) return !settings_.alarms.no_component_after || !definition(*name);
    for (const std::string_view matter : {"/credentials", "/stuck"})
      if (key.ends_with(matter)) return !integration(key.substr(0, key.size() - matter.size()));
    if (const auto slash = key.find('/'); slash != std::string::npos && key.substr(slash).starts_with("/expand/"))
      return !integration(key.substr(0, slash));
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
