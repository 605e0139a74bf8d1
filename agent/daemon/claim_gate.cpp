#include "agent/daemon/claim_gate.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <boost/json/array.hpp>

namespace outpost::daemon {

namespace json = boost::json;
namespace event = job::event;

namespace {

constexpr std::string_view source_prefix = "source:", resource_prefix = "resource:";

std::string with_reason(std::string text, const std::string& reason) {
  return reason.empty() ? text : text + ": " + reason;
}

json::object described(const ClaimGate::Scope& scope, const ClaimGate::Hold& hold) {
  json::object object{{"reason", hold.reason}, {"since", to_rfc3339(hold.since)}};
  if (scope.starts_with(source_prefix)) object["source"] = scope.substr(source_prefix.size());
  if (scope.starts_with(resource_prefix)) object["resource"] = scope.substr(resource_prefix.size());
  return object;
}

}  // namespace

ClaimGate::Scope scope_of(const std::string& source, const std::string& resource) {
  if (!source.empty()) return std::string{source_prefix} + source;
  return resource.empty() ? "" : std::string{resource_prefix} + resource;
}

std::string describe(const ClaimGate::Scope& scope) {
  if (scope.empty()) return "everything";
  return replace_all(scope, ":", " ");
}

std::vector<std::string> ClaimGate::event_types() {
  return {std::string{event::claims_paused}, std::string{event::claims_resumed}};
}

void ClaimGate::apply(const job::Event& told) {
  const Scope scope = scope_of(job::text_at(told.data, "source"), job::text_at(told.data, "resource"));
  if (told.type == event::claims_paused) pause(scope, {job::text_at(told.data, "reason"), told.occurred_at});
  if (told.type == event::claims_resumed) resume(scope);
}

std::string ClaimGate::refusal(const job::Definition& definition) const {
  if (stop_) return stop_->reason;
  if (!closed_.empty()) return closed_;
  if (drain_) return with_reason("draining", drain_->reason);
  if (!failing_.empty()) return "unhealthy: " + failing_.begin()->first + ": " + failing_.begin()->second;
  const auto paused = [this](const Scope& scope) -> std::string {
    const auto found = pauses_.find(scope);
    if (found == pauses_.end()) return {};
    return with_reason(scope.empty() ? "paused" : describe(scope) + " is paused", found->second.reason);
  };
  if (auto all = paused(""); !all.empty()) return all;
  if (auto source = paused(scope_of(definition.source, "")); !source.empty()) return source;
  for (const auto& name : definition.resources)
    if (auto resource = paused(scope_of("", name)); !resource.empty()) return resource;
  return {};
}

json::object ClaimGate::to_json(std::size_t running) const {
  const auto all = pauses_.find("");
  json::object object{{"state", "open"}, {"since", nullptr}, {"reason", ""}, {"running", running}};
  const auto say = [&object](const char* state, const Hold& hold) {
    object["state"] = state;
    object["since"] = to_rfc3339(hold.since);
    object["reason"] = hold.reason;
  };
  if (all != pauses_.end()) say("paused", all->second);
  if (!failing_.empty()) object["state"] = "unhealthy", object["reason"] = failing_.begin()->first + ": " + failing_.begin()->second;
  if (drain_) say(running > 0 ? "draining" : "drained", *drain_);
  if (!closed_.empty()) object["state"] = "closed", object["reason"] = closed_;
  if (stop_) say(running > 0 ? "draining" : "drained", *stop_);
  json::array paused;
  for (const auto& [scope, hold] : pauses_) paused.push_back(described(scope, hold));
  object["paused"] = std::move(paused);
  return object;
}

}  // namespace outpost::daemon
