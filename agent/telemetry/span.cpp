#include "agent/telemetry/span.hpp"

#include "agent/job/event_types.hpp"
#include "agent/job/trace.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace outpost::telemetry {
namespace {

namespace json = boost::json;
namespace event = job::event;
using job::number_at;
using job::text_at;

std::vector<job::Event> read(journal::Journal& journal, const std::string& job_id, std::initializer_list<std::string_view> types) {
  journal::Query query{.job_id = job_id, .types = {types.begin(), types.end()}};
  auto events = journal.read(query);
  return events ? std::move(*events) : std::vector<job::Event>{};
}

/// When the last of the events that fit happened; by the duration that the ending tells, when there is none.
template <class Fits>
Timestamp begun(const std::vector<job::Event>& events, const job::Event& ending, Fits fits) {
  Timestamp moment = ending.occurred_at - std::chrono::milliseconds{number_at(ending.data, "duration_ms")};
  for (const auto& each : events)
    if (fits(each)) moment = each.occurred_at;
  return std::min(moment, ending.occurred_at);  // Somebody may have set the clock meanwhile.
}

void put_text(json::object& attributes, std::string_view key, std::string value) {
  if (!value.empty()) attributes[key] = std::move(value);
}

std::string result_of_job(std::string_view verdict, std::string_view reason) {
  if (reason == "timeout") return "timeout";
  return verdict == "killed" ? "cancellation" : std::string{verdict};
}

std::string result_of_step(std::string_view ending, std::string_view step_class) {
  if (ending == "timed-out") return "timeout";
  if (ending == "cancelled") return "cancellation";
  if (step_class == "ok") return "success";
  if (step_class == "skip") return "skip";
  return step_class == "fail" ? "failure" : "error";
}

bool is_bad(const std::string& result) { return result != "success" && result != "skip"; }

/// What was known when it was queued and claimed.
void put_facts(json::object& attributes, const job::Event& known) {
  if (known.type == event::claim_granted) {
    put_text(attributes, "cicd.pipeline.run.url.full", text_at(known.data, "url"));
    if (known.claim) put_text(attributes, "outpost.remote_id", known.claim->external_ref);
  }
  if (known.type != event::job_queued) return;
  if (const auto* definition = known.data.if_contains("definition"); definition && definition->is_object()) {
    const auto& of = definition->get_object();
    put_text(attributes, "cicd.pipeline.name", text_at(of, "name"));
    put_text(attributes, "outpost.source", text_at(of, "source"));
    put_text(attributes, "outpost.topic", text_at(of, "topic"));
  }
  const auto* components = known.data.if_contains("components");
  if (!components || !components->is_array()) return;
  json::array names;
  for (const auto& each : components->get_array())
    if (each.is_object()) names.emplace_back(text_at(each.get_object(), "name"));
  attributes["outpost.components"] = std::move(names);
}

Span span_of_job(const job::Event& ending, journal::Journal& journal) {
  const auto known = read(journal, ending.job_id, {event::job_queued, event::claim_requested, event::claim_granted, event::verdict_reached});
  Span span{.span_id = job::span_id_of_job(ending.job_id)};
  span.begin = begun(known, ending, [](const auto& each) { return each.type == event::claim_requested; });
  std::string reason;
  for (const auto& each : known) {
    put_facts(span.attributes, each);
    if (each.type != event::verdict_reached) continue;
    reason = text_at(each.data, "reason");
    span.message = text_at(each.data, "message");
  }
  const std::string result = result_of_job(text_at(ending.data, "verdict"), reason);
  span.name = "RUN " + text_at(span.attributes, "cicd.pipeline.name");
  span.attributes["cicd.pipeline.action.name"] = "RUN";
  span.attributes["cicd.pipeline.result"] = result;
  span.failed = is_bad(result);
  if (span.failed) put_text(span.attributes, "error.type", reason);
  return span;
}

std::optional<Span> span_of_stage(const job::Event& ending, journal::Journal& journal) {
  const std::string stage = text_at(ending.data, "stage"), outcome = text_at(ending.data, "outcome");
  if (outcome == "empty") return std::nullopt;
  Span span{.span_id = job::span_id_of_stage(ending.job_id, stage), .parent_id = job::span_id_of_job(ending.job_id), .name = stage};
  const auto known = read(journal, ending.job_id, {event::stage_started});
  span.begin = begun(known, ending, [&](const auto& each) { return text_at(each.data, "stage") == stage; });
  const std::string result = outcome == "ok" ? "success" : outcome == "cancelled" ? "cancellation" : "failure";
  span.attributes["cicd.pipeline.task.name"] = stage;
  span.attributes["cicd.pipeline.task.run.result"] = result;
  span.failed = is_bad(result);
  return span;
}

Span span_of_step(const job::Event& ending, journal::Journal& journal) {
  const std::string stage = text_at(ending.data, "stage"), hook = text_at(ending.data, "hook");
  Span span{.span_id = job::span_id_of_step(ending.job_id, ending.step_id), .parent_id = job::span_id_of_stage(ending.job_id, stage)};
  const auto known = read(journal, ending.job_id, {event::step_started});
  span.begin = begun(known, ending, [&](const auto& each) { return each.step_id == ending.step_id; });
  span.name = text_at(ending.data, "plugin") + (hook == stage ? "" : "/" + hook);
  const std::string how = text_at(ending.data, "ending"), step_class = text_at(ending.data, "class");
  const std::string result = result_of_step(how, step_class);
  auto& attributes = span.attributes;
  attributes["cicd.pipeline.task.name"] = ending.step_id;
  attributes["cicd.pipeline.task.run.id"] = ending.job_id + "/" + ending.step_id;
  attributes["cicd.pipeline.task.run.result"] = result;
  put_text(attributes, "outpost.plugin", text_at(ending.data, "plugin"));
  put_text(attributes, "outpost.hook", hook);
  attributes["outpost.attempt"] = ending.attempt;
  if (how == "exited") attributes["process.exit.code"] = number_at(ending.data, "code");
  if (const auto* figures = ending.data.if_contains("figures"); figures && figures->is_object())
    for (const char* name : {"cpu_us", "memory_peak", "read_bytes", "written_bytes"})
      if (figures->get_object().contains(name)) attributes[std::string{"outpost."} + name] = number_at(figures->get_object(), name);
  span.failed = is_bad(result);
  if (!span.failed) return span;
  attributes["error.type"] = how == "exited" ? step_class : how;
  span.message = text_at(ending.data, "detail");
  if (span.message.empty()) span.message = how == "exited" ? "exit status " + std::to_string(number_at(ending.data, "code")) : how;
  return span;
}

}  // namespace

std::optional<Span> span_ended_by(const job::Event& event, journal::Journal& journal) {
  std::optional<Span> span;
  if (event.type == event::job_ended) span = span_of_job(event, journal);
  else if (event.type == event::stage_ended) span = span_of_stage(event, journal);
  else if (event.type == event::step_ended) span = span_of_step(event, journal);
  if (!span) return span;
  span->trace_id = job::trace_id_of(event.job_id);
  span->end = event.occurred_at;
  span->attributes["cicd.pipeline.run.id"] = event.job_id;
  return span;
}

}  // namespace outpost::telemetry
