// What a step of a JobRunner left, and what that means for the job.

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/handed_over.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "agent/pipeline/previous_job.hpp"
#include "agent/pipeline/redaction.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/array.hpp>

#include <algorithm>
#include <tuple>

namespace outpost::pipeline {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
namespace json = boost::json;
namespace event = job::event;
using job::StepEnding;

namespace {

/// What was measured.
json::object to_json(const process::Figures& figures) {
  json::object object;
  const auto put = [&object](std::string_view name, const std::optional<std::uint64_t>& value) {
    if (value) object[name] = *value;
  };
  put("cpu_us", figures.cpu_us);
  put("memory_peak", figures.memory_peak);
  put("read_bytes", figures.read_bytes);
  put("written_bytes", figures.written_bytes);
  put("tasks_peak", figures.tasks_peak);
  put("oom_kills", figures.oom_kills);
  return object;
}

json::array to_json(const std::vector<std::string>& names) { return json::array(names.begin(), names.end()); }

json::object to_json(const ResultComparison& comparison) {
  return {{"job", comparison.job_id},
          {"regressions", comparison.regressions},
          {"fixes", comparison.fixes},
          {"added", comparison.added},
          {"removed", comparison.removed},
          {"changed", comparison.changed},
          {"time_ms_before", comparison.time_ms_before},
          {"regressed", to_json(comparison.regressed)},
          {"fixed", to_json(comparison.fixed)},
          {"added_names", to_json(comparison.added_names)},
          {"removed_names", to_json(comparison.removed_names)},
          {"changed_names", to_json(comparison.changed_names)}};
}

}  // namespace

json::object to_json(const FoundResult& result) {
  json::object data{{"name", result.name},         {"well_formed", result.well_formed}, {"total", result.total}, {"success", result.success},
                    {"failures", result.failures}, {"errors", result.errors},           {"skips", result.skips}, {"time_ms", result.time_ms},
                    {"failed", to_json(result.failed)}};
  if (!result.well_formed) data["problem"] = result.problem;
  if (result.flaky > 0) {
    data["flaky"] = result.flaky;
    data["flaky_names"] = to_json(result.flaky_names);
  }
  if (result.comparison) data["comparison"] = to_json(*result.comparison);
  return data;
}

/// Notes everything that a step left, in one transaction with its end: either all of it is known, or the step is lost.
asio::awaitable<void> JobRunner::finish(const Attempt& attempt, StepLog& log, StepOutcome outcome, WorkspaceWatch* watch) {
  co_await log.cut_last();
  if (attempt.tasks) co_await attempt.tasks->finish();
  note_cancel();
  Result<Collected> collected = Collected{};
  log::Redactor hiding = redactor();
  std::optional<WorkspaceSizes> workspace;
  if (attempt.step.plugin != own_plugin) {
    Step step = attempt.step;
    std::string step_id = attempt.id;
    JobDirectory directory = directory_;
    log::Redactor secrets = hiding;
    auto collecting = ports_.collector.collect(std::move(step), std::move(step_id), std::move(directory), std::move(secrets));
    if (watch) {
      auto looking = watch->finish();
      std::tie(collected, workspace) = co_await (std::move(collecting) && std::move(looking));
    } else {
      collected = co_await std::move(collecting);
    }
  }
  if (!collected) warn(attempt.step.stage, attempt.id + ": results were not collected: " + hide_secrets(collected.error().message, hiding));
  Collected found = collected ? std::move(*collected) : Collected{};
  co_await add_reported(attempt, found);
  co_await complete_results(attempt, found.results);
  for (auto& result : found.results) hide_secrets(result, hiding);
  for (auto& warning : found.warnings) warning = hide_secrets(warning, hiding);
  note_results(attempt, found);
  add_handed_over(attempt, found);

  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - attempt.started);
  const bool exited = outcome.ending.kind == StepEnding::Kind::exited;
  auto& ended = record_.note(event::step_ended,
                             {{"stage", to_string(attempt.step.stage)},
                              {"plugin", attempt.step.plugin},
                              {"hook", attempt.step.hook},
                              {"ending", to_string(outcome.ending.kind)},
                              {"code", outcome.ending.code},
                              {"detail", outcome.ending.detail},
                              {"class", exited ? to_string(job::classify_exit(outcome.ending.code)) : "none"},
                              {"duration_ms", duration.count()},
                              {"leftovers", outcome.leftovers},
                              {"output_bytes", log.bytes()},
                              {"figures", to_json(outcome.figures)}});
  ended.step_id = attempt.id;
  ended.attempt = attempt.number;
  if (workspace) {
    ended.data["workspace_bytes"] = workspace->last.bytes;
    ended.data["workspace_peak_bytes"] = workspace->peak.bytes;
    if (!workspace->peak.complete) ended.data["workspace_complete"] = false;
  }
  if (outcome.leftovers > 0)
    warn(attempt.step.stage, attempt.id + " left " + std::to_string(outcome.leftovers) + " processes running; they were killed");
  if (outcome.output_lost) warn(attempt.step.stage, attempt.id + ": the last of its output may be missing: it ended while the agent was away and nobody kept it");
  consider(attempt, outcome, found);
  note_reboot(attempt, outcome.ending);
}

/// The cases that the step has reported while it ran are a result like those that it left.
asio::awaitable<void> JobRunner::add_reported(const Attempt& attempt, Collected& found) {
  const auto* known = record_.story().step(attempt.id);
  if (!known || known->told.cases.empty()) co_return;
  std::string name = std::string{to_string(attempt.step.stage)} + "/" + attempt.step.plugin + "/";
  if (attempt.step.hook != to_string(attempt.step.stage)) name += attempt.step.hook + "/";
  auto writing = [cases = known->told.cases, suite = attempt.step.plugin, directory = directory_, id = attempt.id, name = name + "reported"] {
    return write_reported(cases, suite, directory, id, name);
  };
  auto written = co_await ports_.workers.run(std::move(writing));
  if (written) found.results.push_back(std::move(*written));
  else warn(attempt.step.stage, attempt.id + ": what it has reported could not be written: " + written.error().message);
}

/// Results that it has handed over are journaled already; they count all the same.
void JobRunner::add_handed_over(const Attempt& attempt, Collected& found) const {
  const auto* known = record_.story().step(attempt.id);
  if (!known || known->told.handed.bad == 0) return;
  const auto& handed = known->told.handed;
  FoundResult result;
  result.total = handed.total;
  result.failures = handed.bad;
  if (!handed.first_bad.empty()) result.failed = {handed.first_bad};
  found.results.push_back(std::move(result));
}

/// Gives results the names that they have at the server, where each is unique or the comparison with the next job breaks,
/// and compares them with those of the job before.
asio::awaitable<void> JobRunner::complete_results(const Attempt& attempt, std::vector<FoundResult>& results) {
  if (results.empty()) co_return;
  const auto& known = record_.story().result_names;
  for (auto& result : results)
    if (std::find(known.begin(), known.end(), result.name) != known.end()) result.name += ".try" + std::to_string(attempt.number);
  auto comparing = compared(std::move(results));
  results = co_await std::move(comparing);
}

/// The results with their comparisons to those of the job before, if there is one.
asio::awaitable<std::vector<FoundResult>> JobRunner::compared(std::vector<FoundResult> results) {
  auto previous = find_previous_results(ports_.journal, record_.story(), options_.jobs_directory);
  if (!previous || !*previous) co_return results;
  JobDirectory directory = directory_;
  PreviousResults before = std::move(**previous);
  auto comparing = ports_.collector.compare(std::move(results), std::move(directory), std::move(before));
  co_return co_await std::move(comparing);
}

void JobRunner::note_results(const Attempt& attempt, const Collected& collected) {
  const json::object common{{"stage", to_string(attempt.step.stage)}, {"plugin", attempt.step.plugin}, {"hook", attempt.step.hook}};
  for (const auto& result : collected.results) {
    json::object data = to_json(result);
    for (const auto& [key, value] : common) data[key] = value;
    auto& noted = record_.note(event::result_found, std::move(data));
    noted.step_id = attempt.id;
    noted.blobs.push_back(result.blob);
  }
  for (const auto& artifact : collected.artifacts) {
    json::object data = common;
    data["name"] = artifact.name;
    data["mime"] = artifact.blob.mime;
    auto& noted = record_.note(event::artifact_found, std::move(data));
    noted.step_id = attempt.id;
    noted.blobs.push_back(artifact.blob);
  }
  for (const auto& warning : collected.warnings) warn(attempt.step.stage, attempt.id + ": " + warning);
}

/// What the step means for the verdict. The lab's fault outweighs failed tests; failed tests outweigh the exit status.
void JobRunner::consider(const Attempt& attempt, const StepOutcome& outcome, const Collected& collected) {
  const Step& step = attempt.step;
  const bool asks_again = wants_again(step, outcome.ending, attempt.number);
  StepEnding ending = outcome.ending;
  if (ending.kind == StepEnding::Kind::cancelled && !cancel_wanted_) ending = {StepEnding::Kind::lost, 0, "stopped although nobody had cancelled the job"};
  auto judgement = asks_again ? std::nullopt : judge(step.stage, step.plugin, step.hook, ending);
  if (judgement && judgement->verdict == job::Verdict::killed) judgement.reset();  // decide() words a cancel.
  if (judgement && step.plugin == own_plugin)
    judgement->message = std::string{to_string(step.stage)} + ": the components could not be downloaded: " + outcome.ending.detail;

  // Of what the hook itself has said went wrong, the last is the nearest to the end.
  const auto* known = record_.story().step(attempt.id);
  const std::string said = known ? known->told.last_error() : "";
  if (judgement && !said.empty() && outcome.ending.kind == StepEnding::Kind::exited) judgement->message += ": " + printable(said, 300);

  std::int64_t bad = 0, total = 0;
  std::string first;
  for (const auto& result : collected.results) {
    bad += result.failures + result.errors;
    total += result.total;
    if (first.empty() && !result.failed.empty()) first = result.failed.front();
  }
  if (bad > 0 && (!judgement || judgement->verdict == job::Verdict::failure)) {
    const bool product = judges_product(step.stage);
    judgement = job::Judgement{.verdict = product ? job::Verdict::failure : job::Verdict::error, .reason = "tests-failed",
                               .message = std::string{to_string(step.stage)} + ": " + std::to_string(bad) + " of " + std::to_string(total) +
                                          " cases failed in " + step.plugin + (first.empty() ? "" : ", first " + printable(first, 200)),
                               .stage = step.stage, .plugin = step.plugin};
    if (outcome.ending.kind == StepEnding::Kind::exited) judgement->exit_status = outcome.ending.code;
  }
  if (step.stage == job::Stage::release) note_release(step, ending);
  if (!judgement || is_farewell(step.stage)) return;
  if (always_runs(step.stage)) warn(step.stage, judgement->message);
  else if (!attempt.interrupted && !record_.story().judgement) fail(step, std::move(*judgement));
}

/// The first cause is the verdict. A step that lets the job go on does so for what failed before it, too.
void JobRunner::fail(const Step& step, job::Judgement judgement) {
  keeps_going_ = step.rules.keep_going && (!verdict_ || keeps_going_);
  if (verdict_) return;
  verdict_ = std::move(judgement);
  if (keeps_going_) record_.note(event::job_failing, to_json(*verdict_));
}

/// A hook of release may run again after the agent has died with it, so the last word counts.
void JobRunner::note_release(const Step& step, const StepEnding& ending) {
  const std::string name = step.plugin + "/" + step.hook;
  if (judge(step.stage, step.plugin, step.hook, ending)) unreleased_[name] = describe(ending);
  else unreleased_.erase(name);
}

/// What a job leaves in an unknown state no other job gets, until somebody has looked at it.
void JobRunner::quarantine() {
  if (unreleased_.empty()) return;
  const auto& [hook, how] = *unreleased_.begin();
  const std::string why = "release of job " + record_.story().job.id + " failed: " + hook + " " + how;
  const auto& definition = record_.story().job.definition;
  for (const auto& resource : definition.resources) record_.note(event::claims_paused, {{"resource", resource}, {"reason", printable(why)}});
  options_.not_released(definition, printable(why));
}

}  // namespace outpost::pipeline
