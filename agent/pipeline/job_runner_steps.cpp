// The steps of JobRunner: one attempt from its start to its end.

#include "agent/base/background.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
namespace event = job::event;
using job::Stage;
using job::StepEnding;

namespace {

constexpr std::string_view download_hook = "download";
constexpr std::chrono::seconds between_stalls{5};  ///< Of a download, as the agent is told of them.
constexpr int closing_attempts = 3;  ///< Of a hook that takes the agent with it each time.
constexpr std::chrono::milliseconds farewell_grace = std::chrono::seconds{1};  ///< They have had their time.

}  // namespace

/// "install.acme-storage", "install.acme-storage.10-operator", "acquire.acme-storage.try2": readable, stable, a file name.
std::string JobRunner::step_id_of(const Step& step, int attempt) {
  std::string id = std::string{to_string(step.stage)} + "." + step.plugin;
  if (const auto slash = step.hook.find('/'); slash != std::string::npos) id += "." + step.hook.substr(slash + 1);
  if (step.plugin == own_plugin) id += "." + step.hook;
  if (attempt > 1) id += ".try" + std::to_string(attempt);
  for (char& c : id)
    if (c == '/' || c == '\0') c = '-';
  return id;
}

/// Whether a step that ended so is to be run again: 75 asks for that itself, other statuses as often as its plugin says.
bool JobRunner::wants_again(const Step& step, const StepEnding& ending, int attempt) const {
  if (ending.kind != StepEnding::Kind::exited) return false;
  const auto& listed = step.rules.retry_on;
  if (std::find(listed.begin(), listed.end(), ending.code) != listed.end()) return attempt - reboots_before(step, attempt) <= static_cast<int>(step.rules.retries);
  return job::classify_exit(ending.code) == job::StepClass::retry_later;
}

asio::awaitable<void> JobRunner::run_step(const Step& step) {
  int attempt = 1;
  std::string rebooting;
  for (const auto& record : record_.story().steps) {
    if (record.stage != step.stage || record.plugin != step.plugin || record.hook != step.hook) continue;
    rebooting = record.rebooting;
    attempt = record.attempt + 1;
    if (!rebooting.empty()) continue;
    const bool asks_again = wants_again(step, record.ending, record.attempt);
    // A release or cleanup that died with the agent may have left the lab half taken down: it has to be able to run again.
    const bool cut_short = (step.stage == Stage::release || step.stage == Stage::cleanup) &&
                           record.ending.kind == StepEnding::Kind::lost && record.attempt < closing_attempts;
    if (!cut_short && (!asks_again || always_runs(step.stage))) co_return;  // It ended before the agent was restarted.
  }
  // What it has asked for has not come yet: the agent was restarted, and not the machine.
  if (!rebooting.empty() && rebooting == options_.boot_id) co_return co_await restart_if_asked(step, attempt - 1);
  const auto give_up = ports_.clock.since_boot() + options_.retry_deadline;
  for (auto wait = options_.retry_interval;; wait *= 2, ++attempt) {
    const auto again = co_await run_attempt(step, attempt);
    if (!again) co_return co_await restart_if_asked(step, attempt);
    const auto rest = wished_pause(step_id_of(step, attempt)).value_or(wait);
    if (ports_.clock.since_boot() + rest > give_up || always_runs(step.stage)) {
      const StepEnding ending{StepEnding::Kind::exited, *again, {}};
      if (always_runs(step.stage)) warn(step.stage, step.plugin + "/" + step.hook + " " + describe(ending));
      else fail(step, *judge(step.stage, step.plugin, step.hook, ending));
      co_return;
    }
    if (!co_await pause(rest)) co_return;
  }
}

/// Runs a step once. Returns its exit status when it is to be run again later.
asio::awaitable<std::optional<int>> JobRunner::run_attempt(const Step& step, int number) {
  Attempt attempt{step, step_id_of(step, number), number, step.plugin == own_plugin ? time_left() : time_left(step), ports_.clock.since_boot()};
  auto& started = record_.note(event::step_started, {{"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                                     {"timeout_ms", attempt.timeout.count()}});
  started.step_id = attempt.id;
  started.attempt = number;
  co_await record_.commit();
  options_.checkpoint("step.started");

  auto capture = log::Capture::open(log_place(attempt.id), redactor(), ports_.clock, capture_options(step));
  if (!capture) {
    cannot_capture(attempt, capture.error());
    co_return std::nullopt;
  }
  const auto ending = co_await carry_out(std::move(attempt), std::move(*capture), nullptr);
  if (!wants_again(step, ending, number)) co_return std::nullopt;
  // Otherwise the end of a step becomes durable with the start of the next: a sync saved each time.
  co_await record_.commit();
  if (!always_runs(step.stage) && failed()) co_return std::nullopt;
  co_return ending.code;
}

void JobRunner::cannot_capture(const Attempt& attempt, const Error& error) {
  const Step& step = attempt.step;
  if (always_runs(step.stage)) warn(step.stage, attempt.id + ": " + error.message);
  else if (!verdict_)
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = error.message, .stage = step.stage};
  record_.note(event::step_ended, {{"stage", to_string(step.stage)}, {"plugin", step.plugin}, {"hook", step.hook},
                                   {"ending", "not-started"}, {"detail", error.message}}).step_id = attempt.id;
}

/// A step from its start, or from where an earlier agent had to leave it, to what it left. `known` is the step as the
/// journal has it, nullptr: it begins.
asio::awaitable<StepEnding> JobRunner::carry_out(Attempt attempt, log::Capture capture, const job::StepRecord* known) {
  const Step& step = attempt.step;
  StepLog log{log_ports(co_await asio::this_coro::executor), {step.stage, attempt.id, step.plugin, step.hook}, std::move(capture), attempt.cuts};
  std::optional<WorkspaceWatch> watch;
  if (attempt.adopted && !always_runs(step.stage) && failed()) attempt.timeout = {};
  if (step.plugin != own_plugin) {
    auto seen = [this, id = attempt.id, limit = step.rules.disk_limit, over = attempt.over_limit, closing = always_runs(step.stage)](const WorkspaceSizes& sizes) {
      options_.workspace_seen(record_.story().job.id, id, sizes);
      if (!limit || closing || *over > 0 || sizes.last.bytes <= *limit) return;
      *over = sizes.last.bytes;
      stop_.emit(asio::cancellation_type::terminal);
    };
    const auto loop = co_await asio::this_coro::executor;
    attempt.tasks = task_log(attempt, loop, known);
    attempt.desk = desk_for(attempt, log);
    watch.emplace(loop, ports_.workers, directory_.workspace(), options_.workspace_interval, std::move(seen));
  }
  StepOutcome outcome = co_await execute(attempt, log);
  if (*attempt.over_limit > 0 && !cancel_wanted_)
    outcome.ending = {StepEnding::Kind::over_limit, 0, "the workspace had " + format_size(*attempt.over_limit) + ", its limit is " + format_size(*step.rules.disk_limit)};
  options_.checkpoint("step.exited");
  const StepEnding ending = outcome.ending;
  co_await finish(attempt, log, std::move(outcome), watch ? &*watch : nullptr);
  co_return ending;
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

/// Runs the step, with its log being looked after beside it.
asio::awaitable<StepOutcome> JobRunner::execute(const Attempt& attempt, StepLog& log) {
  const bool ends = !always_runs(attempt.step.stage) && failed();  // Cancelled meanwhile, or not to be trusted.
  if (ends && !attempt.adopted) co_return StepOutcome{{StepEnding::Kind::cancelled, 0, {}}};
  StepOutcome outcome;
  Grace grace{co_await asio::this_coro::executor};
  if (attempt.tasks) co_await (execute_alone(attempt, log, grace, outcome) && log.tend() && attempt.tasks->tend() && farewells(attempt, grace));
  else co_await (execute_alone(attempt, log, grace, outcome) && log.tend());
  if (ends && outcome.ending.kind == StepEnding::Kind::timed_out) outcome.ending = {StepEnding::Kind::cancelled, 0, {}};
  if (attempt.adopted && outcome.ending.kind == StepEnding::Kind::cancelled && !cancel_wanted_ && *attempt.over_limit == 0) {
    // The agent before us knew, and was killed before it had written it down.
    cancel_wanted_ = true;
    cancel_by_ = "operator";
    cancel_reason_ = "it was being cancelled when the agent was restarted";
  }
  co_return outcome;
}

asio::awaitable<void> JobRunner::execute_alone(const Attempt& attempt, StepLog& log, Grace& grace, StepOutcome& outcome) {
  if (attempt.step.plugin == own_plugin) {
    outcome = co_await fetch_components(attempt.id, log, attempt.timeout);
  } else {
    auto request = request_for(attempt);
    const auto length = request.grace;
    request.stopping = [this, &grace, &attempt, length](bool timed_out) {
      if (*attempt.over_limit > 0) return;
      grace.point = timed_out ? Stage::on_timeout : Stage::on_cancel;
      grace.end = ports_.clock.since_boot() + length;
      grace.changed.notify();
    };
    auto running = run_for_result(std::move(request), log, attempt.adopted);
    if (is_farewell(attempt.step.stage)) {  // It has its time, and the signal is the other step's.
      outcome = *co_await std::move(running);
    } else {
      auto ran = co_await stoppable(std::move(running), stop_);
      if (ran) outcome = std::move(*ran);
      else outcome.ending = {StepEnding::Kind::cancelled, 0, {}};
    }
  }
  if (outcome.output_lost) log.mark_unknown_gap("the step ended while the agent was away and nobody kept its output");
  log.stop();
  if (attempt.tasks) attempt.tasks->stop();
  grace.over = true;
  grace.changed.notify();
}

StepRequest JobRunner::request_for(const Attempt& attempt) const {
  return {.step = attempt.step,
          .step_id = attempt.id,
          .attempt = attempt.number - reboots_before(attempt.step, attempt.number),
          .reason = reason_to_run(attempt),
          .story = record_.story(),
          .directory = directory_,
          .component_paths = component_paths(),
          .timeout = attempt.timeout,
          .grace = is_farewell(attempt.step.stage) ? farewell_grace : attempt.step.rules.grace.value_or(record_.story().job.definition.grace),
          .slot = options_.slot,
          .reboots = static_cast<unsigned>(reboots_before(attempt.step, attempt.number)),
          .stopped = attempt.stopped,
          .calls = attempt.desk.get(),
          .deadline = attempt.desk ? attempt.desk->deadline() : nullptr};
}

/// Who answers what the step says. It is told of nothing once the step has ended, and `log` outlives that.
std::shared_ptr<StepDesk> JobRunner::desk_for(const Attempt& attempt, StepLog& log) {
  const Step& step = attempt.step;
  StepDesk::Ways ways;
  ways.hide = [this, &log, tasks = attempt.tasks](const std::string& secret) {
    add_secret(secret);
    log.add_secret(secret);
    tasks->add_secret(secret);
  };
  ways.abort = [this, step](const std::string& why) { abort_by_step(step, why); };
  ways.may_reboot = [this, step] { return may_reboot(step); };
  ways.compare = [this](std::vector<FoundResult> results) { return compared(std::move(results)); };
  ways.is_cancelled = [this] { return cancel_wanted_ || record_.story().cancel_requested; };
  ways.show = [this, id = attempt.id](std::string_view kind, boost::json::object what) {
    options_.step_shows(record_.story().job.id, id, kind, std::move(what));
  };
  const auto now = std::chrono::steady_clock::now();
  const auto whole = step.rules.timeout.value_or(job::default_timeout(step.stage));
  const StepDesk::Times times{.started = now - (ports_.clock.since_boot() - attempt.started),
                              .ends = now + attempt.timeout,
                              .whole = whole,
                              .most = step.rules.timeout_max.value_or(whole),
                              .latest = always_runs(step.stage) ? now + std::chrono::hours{24 * 365} : now + time_left()};
  return std::make_shared<StepDesk>(StepDesk::Ports{record_, ports_.workers, ports_.collector, *options_.locks}, std::move(ways), step, attempt.id,
                                    directory_, redactor(), times);
}

/// A step says that the job makes no sense. In a closing stage there is nothing to be ended but itself.
void JobRunner::abort_by_step(const Step& step, const std::string& why) {
  const std::string message = std::string{to_string(step.stage)} + ": " + step.plugin + "/" + step.hook + " has aborted the job: " + why;
  if (always_runs(step.stage) || is_farewell(step.stage)) return warn(step.stage, message);
  if (!verdict_ || keeps_going_)
    verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "aborted", .message = message, .stage = step.stage, .plugin = step.plugin};
  keeps_going_ = false;
  stop_.emit(asio::cancellation_type::terminal);
}

/// How long a step that is to run again has asked to be left alone.
std::optional<std::chrono::milliseconds> JobRunner::wished_pause(const std::string& step_id) const {
  const auto* known = record_.story().step(step_id);
  if (!known) return std::nullopt;
  return known->told.retry_after;
}

asio::awaitable<Result<StepOutcome>> JobRunner::run_for_result(StepRequest request, process::Output& output, bool adopted) {
  auto running = adopted ? ports_.steps.adopt(std::move(request), output) : ports_.steps.run(std::move(request), output);
  co_return co_await std::move(running);
}

/// The agent's own step of pre-run: it has a log like any other, so that an engineer sees why a download failed.
asio::awaitable<StepOutcome> JobRunner::fetch_components(const std::string& step_id, StepLog& log, std::chrono::milliseconds limit) {
  FetchRequest request{record_.story().job, record_.story().claim, component_paths()};
  Report report = [&log](std::string_view line) { log.write(std::string{line} + "\n"); };
  // Shared: a source may copy this for each component.
  auto told = std::make_shared<std::optional<std::chrono::nanoseconds>>();
  request.stalled = [this, &log, &step_id, told = std::move(told)](std::string_view why, bool is_new) {
    const std::string& job_id = record_.story().job.id;
    options_.step_shows(job_id, step_id, "status", {{"text", why}});
    if (why.empty() || !is_new) return;
    log.write(std::string{why} + "\n");
    // Of thousands of small files each may be tried several times: its own log has them all.
    const auto now = ports_.clock.since_boot();
    if (*told && now - **told < between_stalls) return;
    *told = now;
    options_.download_stalled(job_id, why);
  };
  auto fetching = fetch_within(std::move(request), std::move(report), limit);
  const auto fetched = co_await stoppable(std::move(fetching), stop_);
  if (fetched) co_return StepOutcome{};
  if (cancel_wanted_) co_return StepOutcome{{StepEnding::Kind::cancelled, 0, {}}};
  log.write("download failed: " + printable(fetched.error().message) + "\n");
  if (fetched.error().fault == Fault::cancelled) co_return StepOutcome{{StepEnding::Kind::timed_out, 0, fetched.error().message}};
  co_return StepOutcome{{StepEnding::Kind::exited, 77, printable(fetched.error().message)}};
}

/// `cancelled` when the time was up.
asio::awaitable<Result<void>> JobRunner::fetch_within(FetchRequest request, Report report, std::chrono::milliseconds limit) {
  asio::steady_timer timer{co_await asio::this_coro::executor, limit};
  auto fetching = ports_.source.fetch(request, std::move(report));
  auto ended = co_await (std::move(fetching) || timer.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (auto* fetched = std::get_if<0>(&ended)) co_return std::move(*fetched);
  co_return Error{Fault::cancelled, "the job's time was up"};
}

/// Where the steps' raw output lies.
std::vector<log::Segment> JobRunner::segments_of_steps() const {
  std::vector<log::Segment> segments;
  for (const auto& step : record_.story().steps)
    segments.push_back({.place = log_place(step.id), .begin = 0, .size = 0, .redacted = step.cut_bytes, .redactor = {}});
  return segments;
}

/// Compresses what the steps have left behind uncompressed, before the job ends.
asio::awaitable<void> JobRunner::pack_segments() {
  Workers* const packers = options_.logs.packers;
  auto packing = [steps = segments_of_steps(), alone = packers != nullptr] {
    if (alone) work_in_background();
    return log::pack_left_over(steps);
  };
  const auto packed = co_await (packers ? *packers : ports_.workers).run(std::move(packing));
  if (packed.empty()) co_return;
  for (const auto& [segment, blob] : packed) {
    auto& noted = record_.note(event::log_segment, {{"begin", segment.begin}, {"size", segment.size}, {"redacted", segment.redacted}});
    noted.step_id = segment.place.step;
    noted.blobs.push_back(blob);
  }
  co_await record_.commit();
  auto removal = [packed] {
    for (const auto& [segment, blob] : packed) segment.remove_plain();
    return true;
  };
  co_await ports_.workers.run(std::move(removal));
}

/// What is kept of a step's output: its plugin may ask for less than the agent does.
log::CaptureOptions JobRunner::capture_options(const Step& step) const {
  auto options = options_.logs.capture;
  if (step.rules.log_limit) options.limit = std::min(options.limit, *step.rules.log_limit);
  return options;
}

StepLog::Ports JobRunner::log_ports(asio::any_io_executor executor) {
  return {record_, ports_.workers, ports_.clock, options_.logs, std::move(executor)};
}

std::shared_ptr<TaskLog> JobRunner::task_log(const Attempt& attempt, asio::any_io_executor executor, const job::StepRecord* known) {
  StepNames names{attempt.step.stage, attempt.id, attempt.step.plugin, attempt.step.hook};
  return std::make_shared<TaskLog>(log_ports(std::move(executor)), std::move(names), directory_.tasks(attempt.id), log_place(attempt.id), redactor(), known);
}

log::Place JobRunner::log_place(const std::string& step_id) const { return {directory_.root, "logs", step_id}; }

std::string JobRunner::reason_to_run(const Attempt& attempt) const {
  if (attempt.step.stage == Stage::on_timeout) return "timeout";
  if (attempt.step.stage == Stage::on_cancel) return cancel_by_ == "agent" ? "agent-stop" : "cancel";
  const auto* before = attempt.number > 1 ? record_.story().step(step_id_of(attempt.step, attempt.number - 1)) : nullptr;
  if (before && !before->rebooting.empty()) return "resume";
  if (attempt.number > 1) return "retry";
  if (!always_runs(attempt.step.stage)) return "normal";
  if (!record_.story().judgement || record_.story().judgement->verdict == job::Verdict::success) return "normal";
  if (record_.story().judgement->verdict == job::Verdict::killed) return cancel_by_ == "agent" ? "agent-stop" : "cancel";
  return record_.story().judgement->reason == "timeout" ? "timeout" : "prior-failure";
}

std::chrono::milliseconds JobRunner::time_left(const Step& step) const {
  const auto own = step.rules.timeout.value_or(job::default_timeout(step.stage));
  if (always_runs(step.stage)) return own;
  return std::min(time_left(), own);
}

/// Of all forward stages together.
std::chrono::milliseconds JobRunner::time_left() const {
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started_);
  return std::max(record_.story().job.definition.timeout - used, std::chrono::milliseconds{1});
}

std::map<std::string, std::filesystem::path> JobRunner::component_paths() const {
  std::map<std::string, std::filesystem::path> paths;
  const auto& components = record_.story().job.components;
  const auto names = job::directory_names(components);
  for (std::size_t index = 0; index < components.size(); ++index) paths[components[index].id] = directory_.components() / names[index];
  return paths;
}

}  // namespace outpost::pipeline
