#include "agent/pipeline/job_runner.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <utility>

namespace outpost::pipeline {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
namespace json = boost::json;
namespace event = job::event;
using job::Stage;

namespace {

Result<void> write_json(const std::filesystem::path& path, const json::value& value) {
  std::ofstream file{path};
  file << json::serialize(value) << "\n" << std::flush;
  if (!file) return Error{Fault::retry_later, "cannot write " + path.string() + ": is the disk full?"};
  return {};
}

bool says_something(const json::value& value) { return !value.is_null() && !(value.is_string() && value.get_string().empty()); }

/// What the server said of a component; from the job only what it did not say.
json::object described(const job::Component& component, const json::object& document) {
  json::object result = to_json(component);
  const auto* list = document.if_contains("components");
  if (!list || !list->is_array()) return result;
  for (const auto& said : list->get_array())
    if (said.is_object() && job::text_at(said.get_object(), "id") == component.id)
      for (const auto& item : said.get_object())
        if (says_something(item.value()) || !result.contains(item.key())) result[item.key()] = item.value();
  return result;
}

/// Hooks are promised a topic with a name.
void name_topic(json::object& document, const std::string& name) {
  auto& topic = document["topic"];
  if (!topic.is_object()) topic = json::object{};
  if (job::text_at(topic.get_object(), "name").empty()) topic.get_object()["name"] = name;
}

/// One of everything, and one of each component beside its directory.
Result<void> write_all_documents(const job::Job& job, json::object document, const JobDirectory& directory) {
  const auto names = job::directory_names(job.components);
  json::array components;
  for (std::size_t index = 0; index < job.components.size(); ++index) {
    components.push_back(described(job.components[index], document));
    if (auto written = write_json(directory.components() / (names[index] + ".json"), components.back()); !written) return written;
  }
  document["components"] = std::move(components);
  document["local_job_id"] = job.id;
  name_topic(document, job.definition.topic);
  return write_json(directory.job_document(), document);
}

}  // namespace

JobRunner::JobRunner(JobPorts ports, JobOptions options, job::Story story)
    : ports_{ports},
      options_{std::move(options)},
      record_{ports.journal, std::move(story), options_.degraded},
      directory_{options_.jobs_directory / record_.story().job.id} {
  for (const auto& secret : options_.secrets) add_secret(secret);
  cancel_wanted_ = cancel_noted_ = record_.story().cancel_requested;
  cancel_by_ = record_.story().cancel_by;
  cancel_reason_ = record_.story().cancel_reason;
  verdict_ = record_.story().failing;
  keeps_going_ = verdict_.has_value();
  if (record_.story().plugins) plugins_ = *record_.story().plugins;
  for (const auto& step : record_.story().steps)
    if (step.stage == Stage::release && step.ended) note_release({step.stage, step.plugin, step.hook, {}, {}}, step.ending);
  if (options_.locks)
    for (const auto& name : record_.story().locks) options_.locks->restore(name, record_.story().job.id);
}

asio::awaitable<void> JobRunner::run() {
  if (record_.story().claim.external_ref.empty() && !co_await claim()) co_return;
  const auto since_claim = ports_.clock.now() - record_.story().claimed_at;
  started_ = ports_.clock.since_boot() - std::max(since_claim, Timestamp::duration::zero());
  if (!options_.locks) options_.locks = std::make_shared<Locks>(co_await asio::this_coro::executor);

  co_await settle_interrupted_steps();
  co_await (take_plugins() && write_documents());
  if (!record_.story().judgement) {
    co_await forward_stages();
    if (left_) co_return;
    co_await decide();
  }
  co_await closing_stages();
}

void JobRunner::cancel(std::string by, std::string reason) {
  if (by == "agent" && awaits_restart_ && !cancel_wanted_) {
    left_ = true;
    return stop_.emit(asio::cancellation_type::terminal);
  }
  // While it is not known whether there is a job at the server, an agent that stops leaves even a cancelled one.
  const bool leaves = by == "agent" && claiming_ && !agent_stops_;
  agent_stops_ = agent_stops_ || by == "agent";
  if (!cancel_wanted_) {
    cancel_wanted_ = true;
    cancel_by_ = std::move(by);
    cancel_reason_ = std::move(reason);
  } else if (!leaves) {
    return;
  }
  if (stopping_allowed_) stop_.emit(asio::cancellation_type::terminal);
}

void JobRunner::hurry_claim() {
  if (!claim_waits_) return;
  claim_hurries_ = true;
  stop_.emit(asio::cancellation_type::terminal);  // Nothing but the pause is under way.
}

// ---- claim ---------------------------------------------------------------------------------------------------------

/// False when there is no job to run: the claim was refused, the job was cancelled before there was one, its window has
/// closed meanwhile, or the agent stops before it is known (its next start asks find()).
asio::awaitable<bool> JobRunner::claim() {
  claiming_ = true;
  const bool is_claimed = co_await try_to_claim();
  claiming_ = false;
  co_return is_claimed;
}

asio::awaitable<bool> JobRunner::try_to_claim() {
  ClaimRequest request{record_.story().claim_id, record_.story().job};
  bool may_exist = !request.claim_id.empty();  // A postponed claim too: its last request may have been on its way.
  // What was asked for once may exist, so nobody can say no to it any more.
  if (!may_exist && !cancel_wanted_ && !co_await is_admitted()) co_return false;
  if (!cancel_wanted_ && !record_.story().claiming) {
    if (request.claim_id.empty()) request.claim_id = new_id(ports_.clock.now());
    record_.note(event::claim_requested, {{"claim_id", request.claim_id}, {"slot", options_.slot}, {"plugin_config", request.job.definition.plugin_config}});
    co_await record_.commit();
    options_.checkpoint("claim.requested");
  }
  for (auto wait = options_.claim_pause;;) {
    std::optional<Error> failed;
    if (may_exist) {
      auto search = ports_.source.find(request);
      auto found = co_await stoppable(std::move(search), stop_);
      if (found && *found) {
        co_await claimed(**found);
        co_return true;
      }
      if (!found) failed = found.error();
      may_exist = !found;
    }
    if (agent_stops_) co_return false;
    if (!may_exist && (cancel_wanted_ || record_.story().history_lost)) {
      co_await withdraw();
      co_return false;
    }
    if (!may_exist && !options_.may_claim()) {
      co_await postpone();
      co_return false;
    }
    if (!may_exist) {
      auto asked = ports_.source.claim(request);
      auto answer = co_await stoppable(std::move(asked), stop_);
      if (answer) {
        options_.checkpoint("claim.answered");
        co_await claimed(*answer);
        co_return true;
      }
      failed = answer.error();
      if (failed->fault == Fault::refused || failed->fault == Fault::malformed) {
        co_await claim_refused(failed->message);
        co_return false;
      }
      may_exist = true;
    }
    if (agent_stops_) co_return false;
    if (cancel_wanted_ && !cancel_noted_) {
      note_cancel();
      co_await record_.commit();
      continue;  // Somebody wants to see it end: look at once.
    }
    const bool refused = failed && failed->fault == Fault::credentials;
    if (refused) options_.credentials_refused(*failed);
    else if (failed) options_.claim_failed(*failed);
    claim_waits_ = true;
    co_await pause(refused ? options_.credentials_pause : wait);
    claim_waits_ = false;
    // The link is back: a failure after that is a new one.
    const bool hurries = std::exchange(claim_hurries_, false);
    wait = hurries ? options_.claim_pause : std::min<std::chrono::milliseconds>(wait * 2, std::chrono::minutes{5});
  }
}

asio::awaitable<void> JobRunner::claimed(const Claimed& claimed) {
  auto& granted = record_.note(event::claim_granted, {{"claim_id", record_.story().claim_id}, {"url", claimed.url}, {"document", claimed.document}});
  granted.claim = claimed.claim;
  co_await record_.commit();
  options_.checkpoint("claim.granted");
  options_.claim_decided({});
}

asio::awaitable<void> JobRunner::claim_refused(std::string message) {
  message = printable(message);
  record_.note(event::claim_refused, {{"claim_id", record_.story().claim_id}, {"message", message}});
  record_.note(event::verdict_reached, to_json(job::Judgement{.verdict = job::Verdict::error, .reason = "claim-refused", .message = message}));
  record_.note(event::job_ended, {{"verdict", "error"}, {"duration_ms", 0}});
  co_await record_.commit();
  options_.claim_decided(message);
}

/// Cancelled, or not to be trusted any more, and the server has no such job: nobody needs to hear of it.
asio::awaitable<void> JobRunner::withdraw() {
  note_cancel();
  record_.note(event::job_withdrawn, {{"reason", cancel_wanted_ ? "cancelled by the " + cancel_by_ + " before it was claimed: " + cancel_reason_
                                                                : std::string{history_lost_reason}}});
  co_await record_.commit();
}

/// Nothing is at the server, and now is no time to begin: the lab belongs to others until the window opens again.
asio::awaitable<void> JobRunner::postpone() {
  record_.note(event::claim_postponed, {{"claim_id", record_.story().claim_id}, {"reason", "nothing may be claimed now (its window, a pause or a drain), and the source has not granted it yet"}});
  co_await record_.commit();
}

// ---- the way of a job ----------------------------------------------------------------------------------------------

/// Whatever happens to the folders of the plugins from here on, this job runs what they hold now.
asio::awaitable<void> JobRunner::take_plugins() {
  if (record_.story().plugins || record_.story().judgement || failed()) co_return;
  auto taking = [&steps = ports_.steps, definition = record_.story().job.definition, directory = directory_] { return steps.take(definition, directory); };
  auto taken = co_await ports_.workers.run(std::move(taking));
  if (!taken) {
    untaken_ = taken.error();
    co_return;
  }
  plugins_ = std::move(*taken);
  json::array plugins;
  for (const auto& plugin : plugins_) plugins.push_back(to_json(plugin));
  record_.note(event::plugins_taken, {{"plugins", std::move(plugins)}});
}

/// What hooks may read about the job.
asio::awaitable<void> JobRunner::write_documents() {
  if (record_.story().judgement) co_return;
  auto writing = [job = record_.story().job, document = record_.story().document, directory = directory_] { return write_all_documents(job, document, directory); };
  const auto written = co_await ports_.workers.run(std::move(writing));
  if (!written && !verdict_) verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = written.error().message};
}

asio::awaitable<void> JobRunner::forward_stages() {
  for (const Stage stage : job::all_stages) {
    if (always_runs(stage) || failed() || left_) break;
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
  const Stage outcome = record_.story().judgement->verdict == job::Verdict::success ? Stage::success : Stage::failure;
  for (const Stage stage : {Stage::collect, outcome, Stage::release, Stage::cleanup}) co_await run_stage(stage);
  const JobDirectory directory = directory_;
  const auto segments = segments_of_steps();
  auto tidying = [directory, segments] { return std::pair{directory.remove_workspace(), log::has_left_over(segments)}; };
  auto [removed, left_over] = co_await ports_.workers.run(tidying);
  if (!removed) {
    co_await record_.commit();  // The end of a step, before the next command of its slot.
    co_await ports_.steps.open_up(directory, options_.slot);
    auto again = [directory] { return directory.remove_workspace(); };
    removed = co_await ports_.workers.run(std::move(again));
  }
  if (!removed) warn(Stage::cleanup, removed.error().message);
  if (left_over) co_await pack_segments();
  quarantine();
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started_);
  record_.note(event::job_ended, {{"verdict", to_string(record_.story().judgement->verdict)}, {"duration_ms", elapsed.count()}});
  co_await record_.commit();
  options_.checkpoint("job.ended");
}

asio::awaitable<void> JobRunner::run_stage(Stage stage) {
  const job::StageRecord* before = record_.story().stage(stage);
  if (before && before->ended) co_return;
  std::vector<Step> steps;
  if (tells_outcome(stage)) {
    steps = steps_of(stage);
    if (steps.empty()) co_return;
  }
  if (!before) record_.note(event::stage_started, {{"stage", to_string(stage)}});
  const auto started = ports_.clock.since_boot();
  const bool was_failed = verdict_ || cancel_wanted_;
  const unsigned warnings = warnings_;

  if (stage == Stage::pre_run && !record_.story().job.components.empty()) co_await download();
  if (!tells_outcome(stage)) steps = steps_of(stage);
  for (const auto& step : steps) {
    if (!always_runs(stage) && failed()) break;
    if (step.skipped.empty()) co_await run_step(step);
    else record_.note(event::step_skipped, {{"stage", to_string(stage)}, {"plugin", step.plugin}, {"hook", step.hook}, {"reason", step.skipped}});
    if (left_) co_return;
  }
  std::string outcome = steps.empty() && stage != Stage::pre_run ? "empty" : "ok";
  if (!always_runs(stage) && (verdict_ || cancel_wanted_) && !was_failed) outcome = cancel_wanted_ && !verdict_ ? "cancelled" : "failed";
  if (always_runs(stage) && warnings_ > warnings) outcome = "failed";
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - started);
  record_.note(event::stage_ended, {{"stage", to_string(stage)}, {"outcome", outcome}, {"duration_ms", duration.count()}});
}

/// What is installed for a stage. A plugin that is missing ends the job; in a closing stage it is a warning, because what
/// the other plugins have set up must be taken down all the same.
std::vector<Step> JobRunner::steps_of(Stage stage) {
  auto steps = untaken_ && !always_runs(stage) ? Result<std::vector<Step>>{*untaken_} : ports_.steps.steps(record_.story(), plugins_, stage);
  if (steps) return std::move(*steps);
  if (!always_runs(stage)) {
    if (!verdict_)
      verdict_ = job::Judgement{.verdict = job::Verdict::error,
                                .reason = steps.error().fault == Fault::unavailable ? "plugin-missing" : "plugin-refused",
                                .message = steps.error().message, .stage = stage};
    keeps_going_ = false;
    return {};
  }
  warn(stage, steps.error().message);
  std::vector<Step> found;
  job::Story single = record_.story();
  const auto all = single.job.definition.plugins;
  for (auto plugin = all.rbegin(); plugin != all.rend(); ++plugin) {
    single.job.definition.plugins = {*plugin};
    const auto those = ports_.steps.steps(single, plugins_, stage);
    if (those) found.insert(found.end(), those->begin(), those->end());
  }
  return found;
}

// ---- small things --------------------------------------------------------------------------------------------------

void JobRunner::note_cancel() {
  if (!cancel_wanted_ || cancel_noted_) return;
  record_.note(event::cancel_requested, {{"by", cancel_by_}, {"reason", cancel_reason_}});
  cancel_noted_ = true;
}

void JobRunner::warn(Stage stage, std::string message) {
  record_.note(event::job_warning, {{"stage", to_string(stage)}, {"message", printable(message)}});
  ++warnings_;
}

/// Waits; false when the job was cancelled meanwhile.
asio::awaitable<bool> JobRunner::pause(std::chrono::milliseconds duration) {
  auto sleeping = sleep(duration);
  const auto slept = co_await stoppable(std::move(sleeping), stop_);
  co_return slept && !cancel_wanted_;
}

asio::awaitable<Result<void>> JobRunner::sleep(std::chrono::milliseconds duration) {
  asio::steady_timer timer{co_await asio::this_coro::executor, duration};
  co_await timer.async_wait(asio::use_awaitable);
  co_return Result<void>{};
}

}  // namespace outpost::pipeline
