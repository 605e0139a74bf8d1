// What status, job list and job page show: the read side of Agent.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/story_view.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>
#include <unistd.h>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;

namespace {

json::object configuration_status(const ConfigurationState& state) {
  return {{"file", state.file}, {"since", moment(state.since)}, {"last_good", state.last_good}, {"problem", printable(state.problem)}};
}

/// Hooks that a job does not run: far more than any lab has plugins.
constexpr std::size_t most_skipped = 1000;

/// The events that a summary is made of; a job has many more.
std::vector<std::string> types_of_summary() {
  std::vector<std::string> types;
  for (const auto type : {event::job_queued, event::job_withdrawn, event::claim_requested, event::claim_postponed, event::claim_granted, event::stage_started, event::stage_ended,
                          event::result_found, event::verdict_reached, event::job_ended})
    types.emplace_back(type);
  return types;
}

}  // namespace

json::object Agent::status() {
  json::array sources, reporters, running, waiting;
  for (const auto& each : integrations_) {
    sources.push_back(json::object{{"name", each->settings.name}, {"type", each->settings.type}, {"url", each->settings.url}, {"leaving", each->leaving},
                                   {"last_poll", moment(each->last_poll)}, {"last_error", printable(trouble_of(*each))}});
    const auto delivery = each->dispatcher->status();
    reporters.push_back(json::object{{"name", each->settings.name}, {"waiting", delivery.waiting}, {"parked", delivery.parked},
                                     {"delivered", delivery.delivered}, {"last_contact", moment(delivery.last_contact.value_or(Timestamp{}))},
                                     {"last_error", printable(delivery.last_error)}, {"credentials_refused", delivery.credentials_refused},
                                     {"retried", {{"later", delivery.retried.later}, {"credentials", delivery.retried.credentials}, {"reread", delivery.retried.reread}}}});
  }
  for (const auto& [id, runner] : running_) {
    json::object object = summary_of(runner->story());
    for (const auto& note : bulletin_.of_job(id))
      if (note.kind == "workspace") object["workspace_bytes"] = note.data.at("bytes");
    object["shows"] = shown_by(runner->story());
    if (const auto open = open_claims_.find(id); open != open_claims_.end()) object["claim_error"] = open->second.problem;
    running.push_back(std::move(object));
  }
  for (const auto& story : queue_.waiting()) {
    json::object object = summary_of(story);
    object["waits_for"] = why_it_waits(story);
    waiting.push_back(std::move(object));
  }
  json::object resources;
  for (const auto& [name, resource] : settings_.resources) {
    const auto holder = queue_.holders().find(name);
    resources[name] = json::object{{"held_by", holder == queue_.holders().end() ? json::value(nullptr) : json::value(holder->second)}};
  }
  // A parked item is an alarm, but the agent works; degraded is when it cannot do what it is there for.
  const Alarm* worst = nullptr;
  for (const auto& [key, alarm] : ports_.alarms.active())
    if (alarm.kind == "degraded" || alarm.kind == "credentials") worst = &alarm;
  json::object claiming = claims(), telemetry = options_.telemetry();
  const std::string state = stopping_ ? "stopping" : worst ? "degraded" : claiming.at("state") != "open" ? job::text_at(claiming, "state") : running_.empty() ? "idle" : "busy";
  return {{"version", OUTPOST_VERSION},
          {"state", state},
          {"state_reason", stopping_ ? stop_reason_ : worst ? worst->message : job::text_at(claiming, "reason")},
          {"since", moment(started_at_)},
          {"pid", ::getpid()},
          {"runner", options_.runner_name},
          {"slots", {{"total", queue_.slots()}, {"busy", queue_.busy()}}},
          {"sources", std::move(sources)},
          {"configuration", configuration_status(options_.configuration())},
          {"claims", std::move(claiming)},
          {"jobs", {{"running", std::move(running)}, {"waiting", std::move(waiting)}}},
          {"reporters", std::move(reporters)},
          {"resources", std::move(resources)},
          {"promotions", options_.promotions()},
          {"telemetry", telemetry.empty() ? json::value(nullptr) : json::value(std::move(telemetry))},
          {"page_actions", settings_.dashboard.actions},
          {"disk", disk_status()},
          {"alarms", ports_.alarms.to_json()}};
}

/// What the running steps of a job show just now: {step_id, kind: progress | status, text, done, of}.
json::array Agent::shown_by(const job::Story& story) const {
  json::array shown;
  for (const auto& note : bulletin_.of_job(story.job.id)) {
    const auto* step = story.step(note.step_id);
    if ((note.kind != "progress" && note.kind != "status") || !step || step->ended) continue;
    if (note.kind == "status" && job::text_at(note.data, "text").empty()) continue;  // It was taken back.
    json::object object = note.data;
    object["step_id"] = note.step_id;
    object["kind"] = note.kind;
    shown.push_back(std::move(object));
  }
  return shown;
}

json::object Agent::disk_status() const {
  json::object object{{"path", settings_.state_directory.string()}, {"total", disk_.total()}, {"free", disk_.free()},
                      {"keep_free", settings_.disk.keep_free}, {"reserve", settings_.disk.reserve}, {"reserve_there", disk_.reserve_there()},
                      {"failure", printable(disk_.failure())}};
  object["spool"] = spool_status();
  object["history"] = retention_.bytes();
  object["journal"] = options_.journal_size();
  return object;
}

json::object Agent::spool_status() const {
  const std::uint64_t tenth = disk_.total() / 10;
  const auto& waiting = spool_.waiting();
  return {{"waiting", waiting.logs}, {"limit", std::min(settings_.spool.limit, tenth)}, {"artifacts_waiting", waiting.artifacts},
          {"artifacts_limit", std::min(settings_.spool.artifacts, tenth)}, {"given_up", waiting.given_up}};
}

/// When what waits longest for a reporter came to be; nothing waits: no time.
Result<Timestamp> Agent::oldest_waiting(const std::string& reporter) {
  const auto oldest = ports_.deliveries.open(reporter, {.after = 0, .limit = 1});
  if (!oldest) return oldest.error();
  if (oldest->empty()) return Timestamp{};
  const auto made_of = ports_.journal.read({.after = oldest->front().seq - 1, .limit = 1});
  if (!made_of) return made_of.error();
  return made_of->empty() ? Timestamp{} : made_of->front().occurred_at;
}

Result<json::object> Agent::spool() {
  auto known = reporters();
  if (!known) return known.error();
  for (auto& each : *known) {
    auto& object = each.as_object();
    const std::string name = job::text_at(object, "name");
    const auto oldest = oldest_waiting(name);
    if (!oldest) return oldest.error();
    object["oldest"] = moment(*oldest);
    const auto to = integration(name);
    const auto delivery = to ? to->dispatcher->status() : delivery::Status{};
    object["url"] = to ? to->settings.url : "";
    object["last_contact"] = moment(delivery.last_contact.value_or(Timestamp{}));
    object["last_error"] = printable(delivery.last_error);
    object["next_attempt"] = moment(delivery.next_attempt.value_or(Timestamp{}));
    object["link_down"] = delivery.link_down;
    object["credentials_refused"] = delivery.credentials_refused;
  }
  json::object spool = spool_status();
  spool["reporters"] = std::move(*known);
  return spool;
}

Result<json::array> Agent::parked(const std::string& reporter) {
  if (!integration(reporter)) return Error{Fault::unavailable, "there is no reporter " + printable(reporter, 80)};
  const auto rows = ports_.deliveries.parked(reporter);
  if (!rows) return rows.error();
  json::array items;
  for (const auto& row : *rows)
    items.push_back(json::object{{"key", row.item.key}, {"job_id", row.item.job_id}, {"kind", row.item.kind}, {"reason", row.reason},
                                 {"attempts", row.attempts}, {"bytes", row.item.blob ? row.item.blob->size : 0}});
  return items;
}

Result<json::array> Agent::jobs(std::size_t limit) {
  const auto rows = ports_.journal.jobs(false, limit);
  if (!rows) return rows.error();
  json::array list;
  for (const auto& row : *rows) {
    const auto story = load(row.job_id, types_of_summary());
    if (!story && story.error().fault == Fault::unavailable) continue;  // A damaged journal has lost its beginning.
    if (!story) return story.error();
    list.push_back(summary_of(*story));
  }
  return list;
}

Result<json::object> Agent::job(const std::string& job_id) {
  const auto story = load(job_id);
  if (!story) return story.error();
  const auto found = ports_.journal.read({.job_id = job_id, .types = {std::string{event::result_found}}, .limit = story->result_names.size() + 1});
  if (!found) return found.error();
  const auto skipped = ports_.journal.read({.job_id = job_id, .types = {std::string{event::step_skipped}}, .limit = most_skipped});
  if (!skipped) return skipped.error();
  json::object object = in_full(*story);
  object["skipped"] = skipped_steps(*skipped);
  json::array results;
  for (const auto& each : *found) results.push_back(test_result(each));
  object["test_results"] = std::move(results);
  object["shows"] = shown_by(*story);
  return object;
}

Result<json::array> Agent::reporters() {
  const auto known = ports_.deliveries.reporters();
  if (!known) return known.error();
  std::map<std::string, std::optional<job::Seq>> all;
  for (const auto& each : integrations_) all[each->settings.name];
  for (const auto& reporter : *known) all[reporter.name] = reporter.cursor;
  json::array list;
  for (const auto& [name, cursor] : all) {
    const auto backlog = ports_.deliveries.backlog(name);
    if (!backlog) return backlog.error();
    list.push_back(json::object{{"name", name},
                                {"configured", is_configured(name)},
                                {"waiting", backlog->waiting},
                                {"waiting_bytes", backlog->waiting_bytes},
                                {"parked", backlog->parked},
                                {"delivered", backlog->delivered},
                                {"events_behind", cursor ? json::value(ports_.journal.last() - std::min(ports_.journal.last(), *cursor)) : json::value(nullptr)}});
  }
  return list;
}

asio::awaitable<Result<json::object>> Agent::forget_reporter(std::string name, bool drop_waiting) {
  const std::string shown = printable(name, 80);
  if (integration(name))
    co_return Error{Fault::refused, "reporter " + shown + " is in use: take the source out of the configuration and reload it, then wait until it has left"};
  const auto cursor = ports_.deliveries.cursor(name);
  if (!cursor) co_return cursor.error();
  if (!*cursor) co_return Error{Fault::unavailable, "nobody knows a reporter " + shown};
  const auto backlog = ports_.deliveries.backlog(name);
  if (!backlog) co_return backlog.error();
  if (backlog->waiting > 0 && !drop_waiting)
    co_return Error{Fault::refused, std::to_string(backlog->waiting) + " items (" + format_size(backlog->waiting_bytes) +
                                        " of files) still wait for reporter " + shown + " and would be dropped"};
  const json::object told{{"reporter", name}, {"dropped", backlog->waiting}, {"dropped_bytes", backlog->waiting_bytes}, {"parked", backlog->parked}};
  job::Event tombstone = make_event(event::reporter_forgotten, {}, told);
  const auto forgotten = co_await ports_.deliveries.forget_reporter(name, std::move(tombstone));
  if (!forgotten) co_return forgotten.error();
  ports_.logger.notice("reporter " + shown + " is forgotten: " + std::to_string(backlog->waiting) + " items that waited and " +
                       std::to_string(backlog->parked) + " that were parked are dropped");
  for (const auto& [key, alarm] : std::map{ports_.alarms.active()})
    if (key.starts_with(name + "/")) ports_.alarms.clear(key);
  retention_wakeup_.notify();
  co_return told;
}

}  // namespace outpost::daemon
