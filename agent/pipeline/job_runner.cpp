#include "agent/pipeline/job_runner.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <fstream>

namespace outpost::pipeline {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
namespace json = boost::json;
namespace event = job::event;
using job::Stage;
using job::StepEnding;

namespace {

constexpr std::string_view own_plugin = "outpost";  ///< The agent's own steps are shown like those of a plugin.
constexpr std::string_view download_hook = "download";

/// "install.acme-storage", "install.acme-storage.10-operator", "acquire.acme-storage.try2": readable, stable, a file name.
std::string step_id_of(const Step& step, int attempt) {
  std::string id = std::string{to_string(step.stage)} + "." + step.plugin;
  if (const auto slash = step.hook.find('/'); slash != std::string::npos) id += "." + step.hook.substr(slash + 1);
  if (step.plugin == own_plugin) id += "." + step.hook;
  if (attempt > 1) id += ".try" + std::to_string(attempt);
  for (char& c : id)
    if (c == '/' || c == '\0') c = '-';
  return id;
}

}  // namespace

/// One execution of one step.
struct JobRunner::Attempt {
  Step step;
  std::string id;
  int number = 1;
  std::chrono::milliseconds timeout{};
  std::chrono::nanoseconds started{};
};

JobRunner::JobRunner(JobPorts ports, JobOptions options, job::Story story)
    : ports_{ports},
      options_{std::move(options)},
      record_{ports.journal, std::move(story), options_.degraded},
      directory_{options_.jobs_directory / record_.story().job.id} {
  cancel_wanted_ = cancel_noted_ = record_.story().cancel_requested;
  cancel_by_ = record_.story().cancel_by;
  cancel_reason_ = record_.story().cancel_reason;
}

asio::awaitable<void> JobRunner::run() {
  if (record_.story().claim.external_ref.empty() && !co_await claim()) co_return;
  const auto since_claim = ports_.clock.now() - record_.story().claimed_at;
  started_ = ports_.clock.since_boot() - std::max(since_claim, Timestamp::duration::zero());

  co_await settle_interrupted_steps();
  if (!record_.story().judgement) {
    co_await forward_stages();
    co_await decide();
  }
  co_await closing_stages();
}

void JobRunner::cancel(std::string by, std::string reason) {
  if (cancel_wanted_) return;
  cancel_wanted_ = true;
  cancel_by_ = std::move(by);
  cancel_reason_ = std::move(reason);
  if (stopping_allowed_) stop_.emit(asio::cancellation_type::terminal);
}

// ---- claim ---------------------------------------------------------------------------------------------------------

asio::awaitable<bool> JobRunner::claim() {
  ClaimRequest request{record_.story().claim_id, record_.story().job};
  bool may_exist = !request.claim_id.empty();
  if (!may_exist) {
    request.claim_id = new_id(ports_.clock.now());
    record_.note(event::claim_requested, {{"claim_id", request.claim_id}});
    co_await record_.commit();
    options_.checkpoint("claim.requested");
  }
  for (auto wait = options_.claim_pause;; wait = std::min<std::chrono::milliseconds>(wait * 2, std::chrono::minutes{5})) {
    if (may_exist) {
      auto search = ports_.source.find(request);
      auto found = co_await stoppable(std::move(search));
      if (found && *found) {
        co_await claimed(**found);
        co_return true;
      }
      may_exist = !found;
    }
    if (!may_exist) {
      auto asked = ports_.source.claim(request);
      auto answer = co_await stoppable(std::move(asked));
      if (answer) {
        options_.checkpoint("claim.answered");
        co_await claimed(*answer);
        co_return true;
      }
      if (answer.error().fault == Fault::refused || answer.error().fault == Fault::malformed) {
        record_.note(event::claim_refused, {{"claim_id", request.claim_id}, {"message", answer.error().message}});
        record_.note(event::verdict_reached, to_json(job::Judgement{.verdict = job::Verdict::error, .reason = "claim-refused",
                                                                    .message = answer.error().message}));
        record_.note(event::job_ended, {{"verdict", "error"}, {"duration_ms", 0}});
        co_await record_.commit();
        co_return false;
      }
      may_exist = true;
    }
    // Whoever stops the agent now leaves the question to its next start: find() will answer it.
    if (cancel_wanted_ && cancel_by_ == "agent") co_return false;
    co_await pause(wait);
  }
}

asio::awaitable<void> JobRunner::claimed(const Claimed& claimed) {
  auto& granted = record_.note(event::claim_granted, {{"claim_id", record_.story().claim_id}, {"url", claimed.url}, {"document", claimed.document}});
  granted.claim = claimed.claim;
  co_await record_.commit();
  options_.checkpoint("claim.granted");
}

// ---- the way of a job ----------------------------------------------------------------------------------------------

asio::awaitable<void> JobRunner::settle_interrupted_steps() {
  if (auto made = directory_.create(); !made && !record_.story().judgement)
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = made.error().message};
  const auto steps = record_.story().steps;
  for (const auto& interrupted : steps) {
    if (interrupted.ended) continue;
    Attempt attempt;
    attempt.step = {interrupted.stage, interrupted.plugin, interrupted.hook, {}, {}};
    attempt.id = interrupted.id;
    attempt.number = interrupted.attempt;
    attempt.started = ports_.clock.since_boot();
    auto recovering = [place = log_place(interrupted.id), redactor = redactor(), cut = interrupted.cut_bytes]() mutable {
      return log::Capture::recover(std::move(place), std::move(redactor), cut);
    };
    auto capture = co_await ports_.workers.run(std::move(recovering));
    if (!capture) {
      warn(interrupted.stage, capture.error().message);
      record_.note(event::step_ended, {{"stage", to_string(interrupted.stage)}, {"plugin", interrupted.plugin}, {"hook", interrupted.hook},
                                       {"ending", "lost"}, {"detail", "agent restarted"}}).step_id = interrupted.id;
    } else {
      StepLog log{record_, ports_.workers, {interrupted.stage, interrupted.id, interrupted.plugin, interrupted.hook}, std::move(*capture), options_.cuts};
      StepOutcome lost{{StepEnding::Kind::lost, 0, "agent restarted"}, 0};
      co_await finish(attempt, log, std::move(lost));
    }
    // What the agent itself was doing (a download) can be done again; a hook is never silently run twice.
    if (interrupted.plugin == own_plugin || always_runs(interrupted.stage)) continue;
    if (!cancel_wanted_)
      verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "agent-restarted",
                                .message = "agent restarted while " + interrupted.id + " was running", .stage = interrupted.stage,
                                .plugin = interrupted.plugin};
    record_.note(event::stage_ended, {{"stage", to_string(interrupted.stage)}, {"outcome", cancel_wanted_ ? "cancelled" : "failed"}, {"duration_ms", 0}});
  }
  co_await record_.commit();
}

asio::awaitable<void> JobRunner::forward_stages() {
  write_documents();
  for (const Stage stage : job::all_stages) {
    if (always_runs(stage) || failed()) break;
    co_await run_stage(stage);
  }
}

asio::awaitable<void> JobRunner::decide() {
  note_cancel();
  if (!verdict_ && cancel_wanted_)
    verdict_ = job::Judgement{.verdict = job::Verdict::killed, .reason = "cancelled",
                              .message = "cancelled by the " + cancel_by_ + ": " + cancel_reason_};
  if (!verdict_) verdict_ = job::Judgement{.message = "all stages went well"};
  record_.note(event::verdict_reached, to_json(*verdict_));
  if (!verdict_->reason.empty()) record_.note(event::job_tagged, {{"tag", "reason:" + verdict_->reason}});
  co_await record_.commit();
  options_.checkpoint("job.verdict");
}

asio::awaitable<void> JobRunner::closing_stages() {
  stopping_allowed_ = false;
  for (const Stage stage : {Stage::collect, Stage::release, Stage::cleanup}) co_await run_stage(stage);
  const JobDirectory directory = directory_;
  auto removal = [directory] { return directory.remove_workspace(); };
  if (const auto removed = co_await ports_.workers.run(removal); !removed) warn(Stage::cleanup, removed.error().message);
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started_);
  record_.note(event::job_ended, {{"verdict", to_string(record_.story().judgement->verdict)}, {"duration_ms", elapsed.count()}});
  co_await record_.commit();
  options_.checkpoint("job.ended");
}

asio::awaitable<void> JobRunner::run_stage(Stage stage) {
  const job::StageRecord* before = record_.story().stage(stage);
  if (before && before->ended) co_return;
  if (!before) record_.note(event::stage_started, {{"stage", to_string(stage)}});
  const auto started = ports_.clock.since_boot();
  const bool was_failed = failed();
  const unsigned warnings = warnings_;

  if (stage == Stage::pre_run && !record_.story().job.components.empty()) co_await download();
  auto steps = ports_.steps.steps(record_.story().job.definition, stage);
  if (!steps) {
    if (always_runs(stage)) warn(stage, steps.error().message);
    else if (!verdict_)
      verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "plugin-missing", .message = steps.error().message, .stage = stage};
  } else {
    for (const auto& step : *steps) {
      if (!always_runs(stage) && failed()) break;
      co_await run_step(step);
    }
  }
  std::string outcome = steps && steps->empty() && stage != Stage::pre_run ? "empty" : "ok";
  if (!always_runs(stage) && failed() && !was_failed) outcome = cancel_wanted_ && !verdict_ ? "cancelled" : "failed";
  if (always_runs(stage) && warnings_ > warnings) outcome = "failed";
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started);
  record_.note(event::stage_ended, {{"stage", to_string(stage)}, {"outcome", outcome}, {"duration_ms", duration.count()}});
}

// ---- steps ---------------------------------------------------------------------------------------------------------

asio::awaitable<void> JobRunner::run_step(const Step& step) {
  int attempt = 1;
  for (const auto& record : record_.story().steps) {
    if (record.stage != step.stage || record.plugin != step.plugin || record.hook != step.hook) continue;
    const bool wants_again = record.ending.kind == StepEnding::Kind::exited && job::classify_exit(record.ending.code) == job::StepClass::retry_later;
    if (!wants_again) co_return;  // It ended before the agent was restarted.
    attempt = record.attempt + 1;
  }
  const auto give_up = ports_.clock.since_boot() + options_.retry_deadline;
  for (auto wait = options_.retry_interval;; wait *= 2, ++attempt) {
    const bool again = co_await run_attempt(step, attempt);
    if (!again) co_return;
    if (ports_.clock.since_boot() + wait > give_up || always_runs(step.stage)) {
      const StepEnding ending{StepEnding::Kind::exited, 75, {}};
      if (always_runs(step.stage)) warn(step.stage, step.plugin + "/" + step.hook + " " + describe(ending));
      else if (!verdict_) verdict_ = judge(step.stage, step.plugin, step.hook, ending);
      co_return;
    }
    if (!co_await pause(wait)) co_return;
  }
}

/// Runs a step once. Returns whether it asked to be run again later.
asio::awaitable<bool> JobRunner::run_attempt(const Step& step, int number) {
  Attempt attempt{step, step_id_of(step, number), number, time_left(step.stage), ports_.clock.since_boot()};
  auto& started = record_.note(event::step_started, {{"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                                     {"timeout_ms", attempt.timeout.count()}});
  started.step_id = attempt.id;
  started.attempt = number;
  co_await record_.commit();
  options_.checkpoint("step.started");

  auto capture = log::Capture::open(log_place(attempt.id), redactor(), options_.log_cap);
  if (!capture) {
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = capture.error().message, .stage = step.stage};
    record_.note(event::step_ended, {{"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                     {"ending", "not-started"}, {"detail", capture.error().message}}).step_id = attempt.id;
    co_return false;
  }
  StepLog log{record_, ports_.workers, {step.stage, attempt.id, step.plugin, step.hook}, std::move(*capture), options_.cuts};
  StepOutcome outcome = co_await execute(attempt, log);
  options_.checkpoint("step.exited");
  const bool again = outcome.ending.kind == StepEnding::Kind::exited && job::classify_exit(outcome.ending.code) == job::StepClass::retry_later;
  co_await finish(attempt, log, std::move(outcome));
  if (again || step.plugin == own_plugin) co_await record_.commit();
  co_return again && !failed();
}

asio::awaitable<void> JobRunner::download() {
  Step step{Stage::pre_run, std::string{own_plugin}, std::string{download_hook}, {}, {}};
  int attempt = 1;
  for (const auto& record : record_.story().steps) {
    if (record.plugin != own_plugin || record.hook != download_hook) continue;
    if (record.ending.kind == StepEnding::Kind::exited && record.ending.code == 0) co_return;
    attempt = record.attempt + 1;
  }
  co_await run_attempt(step, attempt);
}

/// Runs the step, with its log being cut beside it.
asio::awaitable<StepOutcome> JobRunner::execute(const Attempt& attempt, StepLog& log) {
  if (!always_runs(attempt.step.stage) && failed()) co_return StepOutcome{{StepEnding::Kind::cancelled, 0, {}}, 0};
  asio::steady_timer timer{co_await asio::this_coro::executor};
  StepOutcome outcome;
  co_await (execute_alone(attempt, log, timer, outcome) && log.cut_regularly(timer));
  co_return outcome;
}

asio::awaitable<void> JobRunner::execute_alone(const Attempt& attempt, StepLog& log, asio::steady_timer& cutting, StepOutcome& outcome) {
  if (attempt.step.plugin == own_plugin) {
    outcome = co_await fetch_components(log);
  } else {
    StepRequest request{.step = attempt.step,
                        .step_id = attempt.id,
                        .attempt = attempt.number,
                        .reason = reason_to_run(attempt),
                        .story = record_.story(),
                        .directory = directory_,
                        .component_paths = component_paths(),
                        .timeout = attempt.timeout,
                        .grace = record_.story().job.definition.grace};
    process::OutputSink sink = [&log](std::string_view output) { log.write(output); };
    auto running = run_for_result(std::move(request), std::move(sink));
    auto ran = co_await stoppable(std::move(running));
    if (ran) outcome = std::move(*ran);
    else outcome.ending = {StepEnding::Kind::cancelled, 0, {}};
  }
  log.stop(cutting);
}

asio::awaitable<Result<StepOutcome>> JobRunner::run_for_result(StepRequest request, process::OutputSink sink) {
  co_return co_await ports_.steps.run(std::move(request), std::move(sink));
}

/// The agent's own step of pre-run: it has a log like any other, so that an engineer sees why a download failed.
asio::awaitable<StepOutcome> JobRunner::fetch_components(StepLog& log) {
  FetchRequest request{record_.story().job, record_.story().claim, component_paths()};
  Report report = [&log](std::string_view line) { log.write(std::string{line} + "\n"); };
  auto fetching = ports_.source.fetch(request, std::move(report));
  const auto fetched = co_await stoppable(std::move(fetching));
  if (fetched) co_return StepOutcome{};
  if (cancel_wanted_) co_return StepOutcome{{StepEnding::Kind::cancelled, 0, {}}, 0};
  log.write("download failed: " + printable(fetched.error().message) + "\n");
  co_return StepOutcome{{StepEnding::Kind::exited, 77, printable(fetched.error().message)}, 0};
}

/// Notes everything that a step left, in one transaction with its end: either all of it is known, or the step is lost.
asio::awaitable<void> JobRunner::finish(const Attempt& attempt, StepLog& log, StepOutcome outcome) {
  co_await log.cut_last();
  note_cancel();
  Result<Collected> collected = Collected{};
  if (attempt.step.plugin != own_plugin) {
    Step step = attempt.step;
    std::string step_id = attempt.id;
    JobDirectory directory = directory_;
    collected = co_await ports_.collector.collect(std::move(step), std::move(step_id), std::move(directory));
  }
  if (!collected) warn(attempt.step.stage, attempt.id + ": results were not collected: " + collected.error().message);
  else note_results(attempt, *collected);

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
                              {"output_bytes", log.bytes()}});
  ended.step_id = attempt.id;
  ended.attempt = attempt.number;
  if (outcome.leftovers > 0)
    warn(attempt.step.stage, attempt.id + " left " + std::to_string(outcome.leftovers) + " processes running; they were killed");
  consider(attempt, outcome, collected ? *collected : Collected{});
}

void JobRunner::note_results(const Attempt& attempt, const Collected& collected) {
  const json::object common{{"stage", to_string(attempt.step.stage)}, {"plugin", attempt.step.plugin}, {"hook", attempt.step.hook}};
  for (const auto& result : collected.results) {
    json::object data = common;
    // Names are unique at the server, or the comparison with the next job breaks there.
    const auto& known = record_.story().result_names;
    const bool taken = std::find(known.begin(), known.end(), result.name) != known.end();
    data["name"] = taken ? result.name + ".try" + std::to_string(attempt.number) : result.name;
    data["well_formed"] = result.well_formed;
    if (!result.well_formed) data["problem"] = result.problem;
    data["total"] = result.total;
    data["success"] = result.success;
    data["failures"] = result.failures;
    data["errors"] = result.errors;
    data["skips"] = result.skips;
    data["time_ms"] = result.time_ms;
    data["failed"] = json::array(result.failed.begin(), result.failed.end());
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
  const bool asks_again = outcome.ending.kind == StepEnding::Kind::exited &&
                          job::classify_exit(outcome.ending.code) == job::StepClass::retry_later;
  auto judgement = asks_again ? std::nullopt : judge(step.stage, step.plugin, step.hook, outcome.ending);
  if (judgement && judgement->verdict == job::Verdict::killed) judgement.reset();  // decide() words a cancel.
  if (judgement && step.plugin == own_plugin)
    judgement->message = std::string{to_string(step.stage)} + ": the components could not be downloaded: " + outcome.ending.detail;

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
  if (!judgement) return;
  if (always_runs(step.stage)) warn(step.stage, judgement->message);
  else if (!verdict_ && !record_.story().judgement && outcome.ending.kind != StepEnding::Kind::lost) verdict_ = std::move(judgement);
}

// ---- small things --------------------------------------------------------------------------------------------------

void JobRunner::note_cancel() {
  if (!cancel_wanted_ || cancel_noted_) return;
  record_.note(event::cancel_requested, {{"by", cancel_by_}, {"reason", cancel_reason_}});
  cancel_noted_ = true;
}

/// What hooks may read about the job: one document of everything, and one of each component beside its directory.
void JobRunner::write_documents() const {
  const auto& job = record_.story().job;
  const auto names = job::directory_names(job.components);
  json::array components;
  for (std::size_t index = 0; index < job.components.size(); ++index) {
    components.push_back(to_json(job.components[index]));
    std::ofstream{directory_.components() / (names[index] + ".json")} << json::serialize(components.back()) << "\n";
  }
  json::object document = record_.story().document;
  document["components"] = std::move(components);
  document["local_job_id"] = job.id;
  document["topic"] = job.definition.topic;
  std::ofstream{directory_.job_document()} << json::serialize(document) << "\n";
}

log::Place JobRunner::log_place(const std::string& step_id) const { return {directory_.root, "logs", step_id}; }

log::Redactor JobRunner::redactor() const {
  log::Redactor redactor;
  for (const auto& secret : options_.secrets) redactor.add(secret);
  return redactor;
}

void JobRunner::warn(Stage stage, std::string message) {
  record_.note(event::job_warning, {{"stage", to_string(stage)}, {"message", printable(message)}});
  ++warnings_;
}

std::string JobRunner::reason_to_run(const Attempt& attempt) const {
  if (attempt.number > 1) return "retry";
  if (!always_runs(attempt.step.stage)) return "normal";
  if (!record_.story().judgement || record_.story().judgement->verdict == job::Verdict::success) return "normal";
  if (record_.story().judgement->verdict == job::Verdict::killed) return cancel_by_ == "agent" ? "agent-stop" : "cancel";
  return record_.story().judgement->reason == "timeout" ? "timeout" : "prior-failure";
}

std::chrono::milliseconds JobRunner::time_left(Stage stage) const {
  const auto own = job::default_timeout(stage);
  if (always_runs(stage)) return own;
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started_);
  return std::clamp(record_.story().job.definition.timeout - used, std::chrono::milliseconds{1}, own);
}

std::map<std::string, std::filesystem::path> JobRunner::component_paths() const {
  std::map<std::string, std::filesystem::path> paths;
  const auto& components = record_.story().job.components;
  const auto names = job::directory_names(components);
  for (std::size_t index = 0; index < components.size(); ++index) paths[components[index].id] = directory_.components() / names[index];
  return paths;
}

/// Waits; false when the job was cancelled meanwhile.
asio::awaitable<bool> JobRunner::pause(std::chrono::milliseconds duration) {
  auto sleeping = sleep(duration);
  const auto slept = co_await stoppable(std::move(sleeping));
  co_return slept && !cancel_wanted_;
}

asio::awaitable<Result<void>> JobRunner::sleep(std::chrono::milliseconds duration) {
  asio::steady_timer timer{co_await asio::this_coro::executor, duration};
  co_await timer.async_wait(asio::use_awaitable);
  co_return Result<void>{};
}

/// Work that cancel() may end early. The story itself is never cancelled: it has to be told to its end.
template <class T>
asio::awaitable<Result<T>> JobRunner::stoppable(asio::awaitable<Result<T>> work) {
  const Error cancelled{Fault::cancelled, "cancelled"};
  try {
    auto token = asio::bind_cancellation_slot(stop_.slot(), asio::use_awaitable);
    co_return co_await asio::co_spawn(co_await asio::this_coro::executor, std::move(work), token);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() != asio::error::operation_aborted) throw;
  }
  co_return cancelled;
}

}  // namespace outpost::pipeline
