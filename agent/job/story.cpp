#include "agent/job/story.hpp"

#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::job {
namespace {

void apply_queue(Story& story, const Event& event) {
  if (event.type == event::job_queued) {
    story.job.id = event.job_id;
    if (const auto* definition = event.data.if_contains("definition"); definition && definition->is_object())
      story.job.definition = definition_from_json(definition->get_object());
    if (const auto* components = event.data.if_contains("components"); components && components->is_array())
      for (const auto& component : components->get_array())
        if (component.is_object()) story.job.components.push_back(component_from_json(component.get_object()));
    story.backlog = flag_at(event.data, "backlog");
    story.reporters = texts_at(event.data, "reporters");
    story.queued_at = event.occurred_at;
  } else if (event.type == event::claim_requested) {
    if (const auto* config = event.data.if_contains("plugin_config"); config && config->is_object())
      story.job.definition.plugin_config = config->get_object();
    story.claim_id = text_at(event.data, "claim_id");
    story.slot = static_cast<unsigned>(number_at(event.data, "slot"));
    story.claiming = true;
  } else if (event.type == event::claim_postponed) {
    story.claiming = false;
  } else if (event.type == event::claim_granted) {
    if (event.claim) story.claim = *event.claim;
    story.claiming = false;
    story.remote_url = text_at(event.data, "url");
    story.claimed_at = event.occurred_at;
    if (const auto* document = event.data.if_contains("document"); document && document->is_object())
      story.document = document->get_object();
  } else if (event.type == event::plugins_taken) {
    story.plugins.emplace();
    if (const auto* plugins = event.data.if_contains("plugins"); plugins && plugins->is_array())
      for (const auto& plugin : plugins->get_array())
        if (plugin.is_object()) story.plugins->push_back(taken_plugin_from_json(plugin.get_object()));
  } else if (event.type == event::job_held) {
    story.held = text_at(event.data, "reason");
  } else if (event.type == event::job_released) {
    story.held.reset();
  } else if (event.type == event::job_ended || event.type == event::job_withdrawn) {
    story.ended = true;
    story.ended_at = event.occurred_at;
    if (event.type == event::job_withdrawn) story.withdrawn = text_at(event.data, "reason");
    story.locks.clear();
  }
}

void apply_stage(Story& story, const Event& event) {
  const auto stage = parse_stage(text_at(event.data, "stage"));
  if (!stage) return;
  if (event.type == event::stage_started && !story.started(*stage)) {
    story.stages.push_back({*stage, false, {}, event.occurred_at, {}});
  } else if (event.type == event::stage_ended) {
    for (auto& record : story.stages) {
      if (record.stage != *stage) continue;
      record.ended = true;
      record.outcome = text_at(event.data, "outcome");
      record.ended_at = event.occurred_at;
    }
  }
}

void apply_segment(StepRecord& step, const Event& event) {
  LogSegment segment;
  segment.begin = static_cast<std::uint64_t>(number_at(event.data, "begin"));
  segment.size = static_cast<std::uint64_t>(number_at(event.data, "size"));
  segment.redacted = static_cast<std::uint64_t>(number_at(event.data, "redacted"));
  if (const auto* redactor = event.data.if_contains("redactor"); redactor && redactor->is_object()) segment.redactor = redactor->get_object();
  segment.blob = event.blobs.front();
  const auto place = std::lower_bound(step.segments.begin(), step.segments.end(), segment.begin,
                                      [](const auto& other, std::uint64_t begin) { return other.begin < begin; });
  if (place != step.segments.end() && place->begin == segment.begin) *place = std::move(segment);
  else step.segments.insert(place, std::move(segment));
}

void apply_freed(StepRecord& step, const Event& event) {
  for (const auto& blob : event.blobs)
    for (auto& segment : step.segments)
      if (blob.path == segment.blob.path) segment.freed = true;
}

void apply_task(StepRecord& step, const Event& event) {
  const auto number = static_cast<unsigned>(number_at(event.data, "task"));
  step.tasks_started = std::max(step.tasks_started, number + 1);
  if (event.type != event::task_ended) return;
  step.tasks = number + 1;
  step.task_stream = static_cast<std::uint64_t>(number_at(event.data, "stream"));
  if (!event.blobs.empty()) {
    const auto& blob = event.blobs.front();
    step.task_output = (blob.range ? blob.range->offset : 0) + blob.size;
  }
  ++step.tasks_alike[task_likeness(event)];
}

/// What a step says that is about more than itself.
void apply_told(Story& story, StepRecord& step, const Event& event) {
  const auto verb = text_at(event.data, "verb");
  if (verb == "env") {
    const auto* set = event.data.if_contains("set");
    if (!set || !set->is_object()) return;
    for (const auto& [name, value] : set->get_object()) {
      if (value.is_string()) story.environment[name] = value.get_string();
      else story.environment.erase(name);
    }
  } else if (verb == "lock") {
    story.locks.insert(text_at(event.data, "name"));
  } else if (verb == "unlock") {
    story.locks.erase(text_at(event.data, "name"));
  } else if (verb == "abort" && !always_runs(step.stage) && !is_farewell(step.stage)) {
    story.aborted = text_at(event.data, "why");
  } else if (verb == "timeout") {
    step.timeout = std::chrono::milliseconds{number_at(event.data, "timeout_ms")};
  }
}

void apply_step(Story& story, const Event& event) {
  if (event.type == event::step_started) {
    StepRecord record;
    record.id = event.step_id;
    record.stage = parse_stage(text_at(event.data, "stage")).value_or(Stage::acquire);
    record.plugin = text_at(event.data, "plugin");
    record.hook = text_at(event.data, "hook");
    record.attempt = event.attempt;
    record.started_at = event.occurred_at;
    record.boot_id = event.boot_id;
    record.started_since_boot = std::chrono::nanoseconds{event.monotonic_ns};
    record.timeout = std::chrono::milliseconds{number_at(event.data, "timeout_ms")};
    story.steps.push_back(std::move(record));
    return;
  }
  StepRecord* step = story.step(event.step_id);
  if (!step) return;
  if (event.type == event::log_cut && !event.blobs.empty()) {
    const auto& blob = event.blobs.front();
    step->cut_bytes = (blob.range ? blob.range->offset : 0) + blob.size;
    ++step->cuts;
    step->last_cut = step->last_cut || flag_at(event.data, "last");
  } else if (event.type == event::task_started || event.type == event::task_ended) {
    apply_task(*step, event);
  } else if (event.type == event::log_segment && !event.blobs.empty()) {
    apply_segment(*step, event);
  } else if (event.type == event::log_freed) {
    apply_freed(*step, event);
  } else if (event.type == event::step_told) {
    step->told.apply(event);
    apply_told(story, *step, event);
  } else if (event.type == event::result_found || event.type == event::artifact_found) {
    step->told.apply_found(event);
  } else if (event.type == event::reboot_requested) {
    step->rebooting = event.boot_id;
    ++story.reboots;
  } else if (event.type == event::step_ended) {
    step->ended = true;
    step->told.forget_details();
    step->workspace_peak = number_at(event.data, "workspace_peak_bytes");
    step->ended_at = event.occurred_at;
    step->ending = {parse_ending(text_at(event.data, "ending")).value_or(StepEnding::Kind::lost),
                    static_cast<int>(number_at(event.data, "code")), text_at(event.data, "detail")};
  }
}

void apply_outcome(Story& story, const Event& event) {
  if (event.type == event::result_found) {
    story.result_names.push_back(text_at(event.data, "name"));
    story.totals.total += number_at(event.data, "total");
    story.totals.success += number_at(event.data, "success");
    story.totals.failures += number_at(event.data, "failures");
    story.totals.errors += number_at(event.data, "errors");
    story.totals.skips += number_at(event.data, "skips");
    story.totals.flaky += number_at(event.data, "flaky");
  } else if (event.type == event::artifact_found) {
    story.artifact_names.push_back(text_at(event.data, "name"));
  } else if (event.type == event::cancel_requested) {
    story.cancel_requested = true;
    story.cancel_by = text_at(event.data, "by");
    story.cancel_reason = text_at(event.data, "reason");
  } else if (event.type == event::job_failing) {
    story.failing = judgement_from_json(event.data);
  } else if (event.type == event::verdict_reached) {
    story.judgement = judgement_from_json(event.data);
  } else if (event.type == event::job_warning) {
    story.warnings.push_back(text_at(event.data, "message"));
  } else if (event.type == event::job_history_lost) {
    story.history_lost = true;
  } else if (event.type == event::job_tagged) {
    story.tags.push_back(text_at(event.data, "tag"));
  }
}

}  // namespace

void Story::apply(const Event& event) {
  if (!job.id.empty() && event.job_id != job.id) return;
  apply_queue(*this, event);
  apply_stage(*this, event);
  apply_step(*this, event);
  apply_outcome(*this, event);
  last_seq = std::max(last_seq, event.seq);
}

const StageRecord* Story::stage(Stage wanted) const {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const auto& record) { return record.stage == wanted; });
  return found == stages.end() ? nullptr : &*found;
}

StepRecord* Story::step(std::string_view id) {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& record) { return record.id == id; });
  return found == steps.end() ? nullptr : &*found;
}

const StepRecord* Story::step(std::string_view id) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& record) { return record.id == id; });
  return found == steps.end() ? nullptr : &*found;
}

std::string describe(const ResultTotals& totals) {
  const auto flaky = totals.flaky > 0 ? " (" + std::to_string(totals.flaky) + " flaky)" : "";
  return std::to_string(totals.total) + " tests: " + std::to_string(totals.success) + " passed" + flaky + ", " + std::to_string(totals.failures) +
         " failed, " + std::to_string(totals.errors) + " errors, " + std::to_string(totals.skips) + " skipped";
}

std::string Story::describe() const {
  if (ended) return judgement ? std::string{to_string(judgement->verdict)} : "withdrawn";
  if (!stages.empty()) return "running: " + std::string{to_string(stages.back().stage)};
  if (!claim.external_ref.empty()) return "claimed";
  return claiming ? "claiming" : "waiting";
}

std::string task_likeness(const Event& task_ended) {
  const auto size = task_ended.blobs.empty() ? 0 : task_ended.blobs.front().size;
  return text_at(task_ended.data, "result") + " " + std::to_string(size) + " " + text_at(task_ended.data, "name");
}

Story replay(const std::vector<Event>& events) {
  Story story;
  for (const auto& event : events) story.apply(event);
  return story;
}

}  // namespace outpost::job
