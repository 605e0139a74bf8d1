// Whether jobs are claimed: pause, resume, drain, and why a job waits.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;

namespace {

constexpr std::size_t longest_reason = 500;

json::object event_data(const control::Scope& scope) {
  json::object data;
  if (!scope.source.empty()) data["source"] = scope.source;
  if (!scope.resource.empty()) data["resource"] = scope.resource;
  return data;
}

std::string after_colon(const std::string& reason) { return reason.empty() ? "" : ": " + reason; }

}  // namespace

Result<void> Agent::restore_claims() {
  journal::Query query{.types = ClaimGate::event_types()};
  for (;;) {
    const auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) break;
    for (const auto& each : *events) gate_.apply(each);
    query.after = events->back().seq;
  }
  for (const auto& [scope, hold] : gate_.pauses())
    ports_.logger.notice(describe(scope) + " is paused since " + to_rfc3339(hold.since) + after_colon(hold.reason) + "; end it with outpost resume");
  claims_changed();
  return {};
}

void Agent::claims_changed() {
  Timestamp oldest = Timestamp::max();
  for (const auto& [scope, hold] : gate_.pauses()) oldest = std::min(oldest, hold.since);
  retention_.keep_since(oldest);
  schedule_wakeup_.notify();
}

/// The job itself writes the pauses down, with its end.
void Agent::not_released(const job::Definition& definition, const std::string& why) {
  for (const auto& resource : definition.resources) {
    gate_.pause(scope_of("", resource), {why, ports_.clock.now()});
    ports_.alarms.raise("release:" + resource, "release", "resource " + resource + " is paused: " + why +
                                                              "; look at the lab, then: outpost resume --resource " + resource);
  }
  if (definition.resources.empty()) ports_.alarms.raise("release:job " + definition.name, "release", why + "; look at the lab");
  claims_changed();
}

asio::awaitable<Result<void>> Agent::note(std::string_view type, json::object data) {
  std::vector<job::Event> events;
  events.push_back(make_event(type, {}, std::move(data)));
  const auto written = co_await append(std::move(events));
  if (!written) co_return written.error();
  co_return Result<void>{};
}

Result<void> Agent::check_scope(const control::Scope& scope) const {
  if (!scope.source.empty() && !scope.resource.empty())
    return Error{Fault::malformed, "either a source or a resource, not both"};
  if (!scope.source.empty() && !settings_.sources.contains(scope.source))
    return Error{Fault::unavailable, "there is no source " + printable(scope.source, 80)};
  if (!scope.resource.empty() && !settings_.resources.contains(scope.resource))
    return Error{Fault::unavailable, "there is no resource " + printable(scope.resource, 80)};
  return {};
}

/// It holds before it is written: claiming less is never wrong.
asio::awaitable<Result<json::object>> Agent::pause(control::Scope scope, std::string reason) {
  if (const auto checked = check_scope(scope); !checked) co_return checked.error();
  const std::string why = printable(reason, longest_reason);
  const auto what = scope_of(scope.source, scope.resource);
  gate_.pause(what, {why, ports_.clock.now()});
  claims_changed();
  json::object data = event_data(scope);
  data["reason"] = why;
  const auto written = co_await note(event::claims_paused, std::move(data));
  if (!written) co_return written.error();
  ports_.logger.notice("paused " + describe(what) + after_colon(why));
  co_return claims();
}

asio::awaitable<Result<json::object>> Agent::resume(control::Scope scope, bool all) {
  std::vector<ClaimGate::Scope> ending;
  for (const auto& [paused, hold] : gate_.pauses())
    if (all || paused == scope_of(scope.source, scope.resource)) ending.push_back(paused);
  const bool everything = all || (scope.source.empty() && scope.resource.empty());
  const bool drained = everything && gate_.drain();
  if (ending.empty() && !drained) {
    const auto checked = check_scope(scope);
    co_return checked ? Error{Fault::refused, everything ? "nothing is paused as a whole and nothing is drained" : describe(scope_of(scope.source, scope.resource)) + " is not paused"}
                      : checked.error();
  }
  std::vector<job::Event> events;
  for (const auto& paused : ending) {
    const auto colon = paused.find(':');
    json::object data;
    if (colon != std::string::npos) data[paused.substr(0, colon)] = paused.substr(colon + 1);
    events.push_back(make_event(event::claims_resumed, {}, std::move(data)));
  }
  if (drained) events.push_back(make_event(event::drain_ended, {}, {}));
  const auto written = co_await append(std::move(events));
  if (!written) co_return written.error();
  for (const auto& paused : ending) {
    gate_.resume(paused);
    if (const auto colon = paused.find(':'); paused.starts_with("resource:")) ports_.alarms.clear("release:" + paused.substr(colon + 1));
    ports_.logger.notice("resumed " + describe(paused));
  }
  if (drained) {
    gate_.end_drain();
    ports_.logger.notice("the drain is over: jobs are claimed again");
  }
  claims_changed();
  co_return claims();
}

asio::awaitable<Result<json::object>> Agent::drain(std::string reason) {
  const std::string why = printable(reason, longest_reason);
  if (gate_.drain()) co_return claims();
  gate_.drain(ClaimGate::Hold{why, ports_.clock.now()});
  claims_changed();
  json::object data{{"reason", why}};
  const auto written = co_await note(event::drain_started, std::move(data));
  if (!written) co_return written.error();
  ports_.logger.notice("draining" + after_colon(why) + "; " + std::to_string(running_.size()) + " jobs go on to their end, nothing more is claimed");
  look_if_drained();
  co_return claims();
}

void Agent::look_if_drained() {
  if (!gate_.drain() || !running_.empty() || stopping_) return;
  ports_.logger.notice("drained: no job runs, nothing more is claimed");
  std::vector<job::Event> events;
  events.push_back(make_event(event::drain_finished, {}, {}));
  spawn(append_only(std::move(events)), "noting the end of the drain");
}

/// For people; "" when it is its turn.
std::string Agent::why_it_waits(const job::Story& story) const {
  const auto& definition = story.job.definition;
  if (const auto held = held_.find(story.job.id); held != held_.end()) return "held" + after_colon(held->second);
  if (!restart_wishes_->empty()) return "job " + restart_wishes_->begin()->first + " waits for a restart of the machine";
  if (std::string refused = gate_.refusal(definition); !refused.empty()) return refused;
  const auto from = integration(definition.source);
  if (from && from->polled && !from->answers) return "source " + definition.source + " does not answer";
  const auto known = this->definition(definition.name);
  if (known && !known->history->refusal.empty()) return known->history->refusal;
  if (known && !window_is_open(definition.name))
    return "its window opens at " + to_rfc3339(config::next_opening(known->settings.windows, ports_.clock.now()));
  for (const auto& name : definition.resources)
    if (const auto holder = queue_.holders().find(name); holder != queue_.holders().end())
      return "resource " + name + " is held by job " + holder->second;
  if (queue_.busy() >= queue_.slots()) return "no slot is free";
  if (ports_.alarms.active().contains("disk")) return "the disk has too little room";
  return {};
}

}  // namespace outpost::daemon
