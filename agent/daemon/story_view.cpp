#include "agent/daemon/story_view.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace json = boost::json;

namespace {

/// What a step has said of itself.
json::object in_full(const job::Told& told) {
  json::object outcomes, metrics;
  json::array notes;
  for (const auto& [outcome, count] : told.outcomes)
    if (count > 0) outcomes[outcome] = count;
  for (const auto& [name, value] : told.metrics) metrics[name] = value;
  for (const auto& each : told.annotations) notes.push_back(json::object{{"level", each.level}, {"text", each.text}, {"file", each.file}});
  return {{"reported", std::move(outcomes)}, {"metrics", std::move(metrics)}, {"notes", std::move(notes)}};
}

}  // namespace

json::value moment(Timestamp at) { return at == Timestamp{} ? json::value(nullptr) : json::value(to_rfc3339(at)); }

json::object summary_of(const job::Story& story) {
  json::array components;
  for (const auto& component : story.job.components) components.push_back(json::object{{"type", component.type}, {"name", component.name}});
  json::object object{{"job_id", story.job.id},
                      {"name", story.job.definition.name},
                      {"topic", story.job.definition.topic},
                      {"components", std::move(components)},
                      {"state", story.describe()},
                      {"queued_at", moment(story.queued_at)},
                      {"claimed_at", moment(story.claimed_at)},
                      {"ended_at", moment(story.ended_at)},
                      {"external_ref", story.claim.external_ref},
                      {"url", story.remote_url},
                      {"tests", {{"total", story.totals.total}, {"success", story.totals.success}, {"failures", story.totals.failures},
                                 {"errors", story.totals.errors}, {"skips", story.totals.skips}, {"flaky", story.totals.flaky}}}};
  json::array stages;
  for (const auto& stage : story.stages)
    stages.push_back(json::object{{"stage", to_string(stage.stage)}, {"outcome", stage.ended ? stage.outcome : "running"},
                                  {"started_at", moment(stage.started_at)}, {"ended_at", moment(stage.ended_at)}});
  object["stages"] = std::move(stages);
  object["resources"] = json::array(story.job.definition.resources.begin(), story.job.definition.resources.end());
  if (!story.withdrawn.empty()) object["withdrawn"] = story.withdrawn;
  if (story.judgement) object["judgement"] = to_json(*story.judgement);
  return object;
}

json::object in_full(const job::Story& story) {
  json::object object = summary_of(story);
  json::array steps;
  for (const auto& step : story.steps) {
    steps.push_back(json::object{{"step_id", step.id}, {"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                 {"attempt", step.attempt}, {"state", step.ended ? describe(step.ending) : "running"}, {"log_bytes", step.cut_bytes}, {"workspace_peak_bytes", step.workspace_peak},
                                 {"started_at", moment(step.started_at)}, {"ended_at", moment(step.ended_at)}});
    for (auto& [key, value] : in_full(step.told)) steps.back().get_object()[key] = std::move(value);
  }
  object["locks"] = json::array(story.locks.begin(), story.locks.end());
  object["steps"] = std::move(steps);
  object["results"] = json::array(story.result_names.begin(), story.result_names.end());
  object["artifacts"] = json::array(story.artifact_names.begin(), story.artifact_names.end());
  object["warnings"] = json::array(story.warnings.begin(), story.warnings.end());
  return object;
}

json::array skipped_steps(const std::vector<job::Event>& skipped) {
  json::array steps;
  for (const auto& event : skipped) {
    json::object step;
    for (const char* key : {"stage", "plugin", "hook", "reason"}) step[key] = job::text_at(event.data, key);
    // A stage that a restart has interrupted passes over the same hook once more.
    const auto is_same = [&](const json::value& other) {
      return other.at("stage") == step["stage"] && other.at("plugin") == step["plugin"] && other.at("hook") == step["hook"];
    };
    const auto known = std::find_if(steps.begin(), steps.end(), is_same);
    if (known == steps.end()) steps.push_back(std::move(step));
    else *known = std::move(step);
  }
  return steps;
}

json::object test_result(const job::Event& found) {
  json::object result{{"step_id", found.step_id}};
  for (const auto& [key, value] : found.data)
    if (key != "stage" && key != "plugin" && key != "hook" && key != "call") result[key] = value;
  return result;
}

}  // namespace outpost::daemon
