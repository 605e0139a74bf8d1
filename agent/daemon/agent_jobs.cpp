// The working half of Agent: from jobs that wait to jobs that have ended.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>
#include <exception>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds look_again = 60s;    ///< A full disk gets free without telling anybody.

/// Of the alarm that one job is not claimed: others of its definition may be no better off.
std::string claiming_key(const job::Definition& definition, const std::string& id) { return "claiming:" + definition.name + "/" + id; }

}  // namespace

asio::awaitable<void> Agent::schedule_loop() {
  while (!stopping_) {
    end_closed_claims();
    claims_held_ = !disk_.may_claim();
    if (!claims_held_) start_jobs();
    co_await schedule_wakeup_.wait(until_next_look());
  }
}

/// A claim that waits for its next try while its window closes must not hold the lab until then.
void Agent::end_closed_claims() {
  for (const auto& [id, runner] : running_)
    if (runner->story().claiming && !claiming_is_allowed(runner->story().job.definition)) runner->hurry_claim();
}

void Agent::start_jobs() {
  while (auto story = queue_.next([this](const job::Story& waiting) { return may_claim(waiting); })) start_job(std::move(*story));
}

Agent::Running Agent::make_runner(job::Story story) {
  const auto find = [this](const std::string& name) -> std::shared_ptr<pipeline::Source> {
    const auto found = integration(name);
    return found ? std::shared_ptr<pipeline::Source>{found, found->source.get()} : nullptr;
  };
  Running made{std::make_unique<SourceByName>(story.job.definition.source, find), ports_.steps, nullptr};
  const pipeline::JobPorts job_ports{ports_.journal, *made.source, *made.steps, ports_.collector, ports_.workers, ports_.clock};
  pipeline::JobOptions options = job_options_;
  options.slot = queue_.slot_of(story.job.id);
  options.locks = locks_;
  if (options_.restart_machine) options.restart_machine = [this](std::string job_id, std::string why) { return restart_machine(std::move(job_id), std::move(why)); };
  if (const auto from = integration(story.job.definition.source)) options.credentials_pause = from->settings.credentials_retry;
  options.credentials_refused = [this, name = story.job.definition.source, id = story.job.id](const Error& error) {
    ports_.alarms.raise("credentials:" + name, "credentials", name + ": job " + id + " waits to be claimed: " + error.message);
  };
  options.claim_failed = [this, definition = story.job.definition, id = story.job.id](const Error& error) { claim_failed(definition, id, error.message); };
  options.claim_decided = [this, definition = story.job.definition, id = story.job.id](const std::string& refusal) {
    claim_decided(definition, id, refusal);
  };
  options.not_released = [this](const job::Definition& definition, const std::string& why) { not_released(definition, why); };
  options.may_claim = [this, definition = story.job.definition] { return claiming_is_allowed(definition); };
  made.runner = std::make_unique<pipeline::JobRunner>(job_ports, std::move(options), std::move(story));
  if (stopping_) made->cancel("agent", "agent stopped (" + stop_reason_ + ")");
  return made;
}

/// It holds slot and resources meanwhile, so somebody has to be told.
void Agent::claim_failed(const job::Definition& definition, const std::string& id, const std::string& why) {
  constexpr auto patience = std::chrono::minutes{15};
  auto& open = open_claims_[id];
  if (open.problem.empty()) {
    open.since = ports_.clock.now();
    ports_.logger.warning("job " + id + " (" + definition.name + ") is not claimed yet: " + why + "; tried again, ever more seldom, at least every 5 min");
  }
  open.problem = printable(why);
  if (ports_.clock.now() - open.since >= patience)
    ports_.alarms.raise(claiming_key(definition, id), "claim", definition.name + ": job " + id + " is not claimed since " + to_rfc3339(open.since) + ": " + why +
                                                                    "; it is tried again, at least every 5 min, and holds its slot and resources; outpost job cancel " + id +
                                                                    " gives it up as soon as the server says whether it has the job");
}

void Agent::claim_ended(const job::Definition& definition, const std::string& id) {
  if (open_claims_.erase(id) > 0) ports_.alarms.clear(claiming_key(definition, id));
}

/// Nobody looks at a job that the server never had: its component would be lost without a word.
void Agent::claim_decided(const job::Definition& definition, const std::string& id, const std::string& refusal) {
  if (const auto from = integration(definition.source)) from->watch_wakeup->notify();
  claim_ended(definition, id);
  const std::string key = "claim:" + definition.name;
  if (refusal.empty()) return ports_.alarms.clear(key);
  ports_.alarms.raise(key, "claim", definition.name + ": the claim of job " + id + " was refused, it did not run: " + refusal + "; once the reason is gone: outpost job retry " + id);
}

/// A job that holds what it needs; with a reason it is only closed.
void Agent::start_job(job::Story story, const std::string& cancel_reason) {
  const std::string id = story.job.id;
  if (story.claim_id.empty()) story.job.definition.plugin_config = plugin_config_of(story.job.definition);
  auto& runner = *running_.insert_or_assign(id, make_runner(std::move(story))).first->second.runner;
  if (!cancel_reason.empty()) runner.cancel("operator", cancel_reason);
  if (const auto from = integration(runner.story().job.definition.source)) from->watch_wakeup->notify();
  spawn(work_on(id), "job " + id);
}

asio::awaitable<void> Agent::work_on(std::string id) {
  std::string thrown = co_await run_guarded(*running_.at(id).runner);
  if (!thrown.empty()) {
    // As after a crash of the whole agent: what was running is lost, and the closing stages follow.
    report_bug("job " + id, thrown);
    auto story = load(id);
    if (story && !story->ended) {
      running_[id] = make_runner(std::move(*story));
      thrown = co_await run_guarded(*running_.at(id).runner);
    }
    if (!thrown.empty()) {
      report_bug("job " + id, thrown);
      co_await end_broken(id, thrown);
    }
  }
  job::Story story = running_.at(id)->story();
  ports_.logger.notice("job " + id + " (" + story.job.definition.name + ") " + story.describe() + (story.withdrawn.empty() ? "" : ": " + story.withdrawn) +
                       (story.judgement && !story.judgement->message.empty() ? ": " + story.judgement->message : ""));
  running_.erase(id);
  claim_ended(story.job.definition, id);
  bulletin_.withdraw(id);
  queue_.release(id);
  locks_->give_back_all(id);
  if (!story.ended && !stopping_ && !story.claiming && story.claim.external_ref.empty()) put_back(std::move(story));
  schedule_wakeup_.notify();
  retention_wakeup_.notify();
  stopped_wakeup_.notify();
  restart_wishes_changed();
  for (const auto& each : integrations_)
    if (each->leaving) each->life_wakeup->notify();
  look_if_drained();
}

/// A job whose window has closed before it was claimed waits for the next one, unless a newer one has come meanwhile.
void Agent::put_back(job::Story story) {
  if (!is_configured(story.job.definition.source)) return keep_orphan(std::move(story));
  const auto& waiting = queue_.waiting();
  const auto newer = std::find_if(waiting.begin(), waiting.end(), [&](const auto& other) {
    return other.job.definition.name == story.job.definition.name && !other.backlog;
  });
  if (story.backlog || newer == waiting.end()) return queue_.add(std::move(story));
  spawn(append_only(outdated(story, newer->job.id)), "withdrawing job " + story.job.id);
}

/// What it threw; empty when all went well.
asio::awaitable<std::string> Agent::run_guarded(pipeline::JobRunner& runner) {
  std::string thrown;
  try {
    co_await runner.run();
  } catch (const std::exception& failure) {
    thrown = failure.what();
    if (thrown.empty()) thrown = "an exception without words";
  }
  co_return thrown;
}

/// A job that cannot even be closed ends all the same: it must not hold its slot and the lab for ever.
asio::awaitable<void> Agent::end_broken(std::string id, std::string thrown) {
  const auto story = load(id);
  if (!story || story->ended) co_return;
  std::vector<job::Event> events;
  const job::Judgement bug{.verdict = job::Verdict::error, .reason = "agent-bug", .message = "a bug of the agent ended the job: " + printable(thrown)};
  if (!story->judgement) events.push_back(make_event(event::verdict_reached, id, to_json(bug)));
  const auto verdict = story->judgement ? story->judgement->verdict : job::Verdict::error;
  events.push_back(make_event(event::job_ended, id, {{"verdict", to_string(verdict)}, {"duration_ms", 0}}));
  static_cast<void>(co_await append(std::move(events)));
}

// ---- when a job may start ------------------------------------------------------------------------------------------

/// A job whose source does not answer, or refuses us or its topic, waits without holding anything.
bool Agent::may_claim(const job::Story& story) const {
  if (stopping_) return false;
  const auto from = integration(story.job.definition.source);
  if (const auto known = definition(story.job.definition.name); known && !known->history->refusal.empty()) return false;
  return from && !from->leaving && !held_.contains(story.job.id) && (from->answers || !from->polled) && claiming_is_allowed(story.job.definition) &&
         plugins_are_right(story.job.definition);
}

/// Neither has its window closed, nor does an operator want it to wait, nor is the machine to be restarted.
bool Agent::claiming_is_allowed(const job::Definition& definition) const {
  return restart_wishes_->empty() && window_is_open(definition.name) && gate_.refusal(definition).empty();
}

/// No job is taken from the server that could not run; it waits until its plugins are put right.
bool Agent::plugins_are_right(job::Definition of_job) const {
  of_job.plugin_config = plugin_config_of(of_job);
  const std::string key = "plugins:" + of_job.name;
  const auto checked = ports_.steps->check(of_job);
  if (checked) ports_.alarms.clear(key);
  else ports_.alarms.raise(key, "plugins", "jobs of " + of_job.name + " wait: " + checked.error().message);
  return checked.has_value();
}

/// As it is configured now: what was wrong when the job was queued may have been corrected.
json::object Agent::plugin_config_of(const job::Definition& of_job) const {
  const auto known = definition(of_job.name);
  return known ? known->value.plugin_config : of_job.plugin_config;
}

/// A job that is queued but no longer configured has no window.
bool Agent::window_is_open(const std::string& definition_name) const {
  const auto known = definition(definition_name);
  return !known || config::is_open(known->settings.windows, ports_.clock.now());
}

std::chrono::milliseconds Agent::until_next_look() const {
  const auto now = ports_.clock.now();
  const bool claims = std::any_of(running_.begin(), running_.end(), [](const auto& one) { return one.second->story().claiming; });
  if (queue_.waiting().empty() && !claims) return ports_.alarms.active().contains("disk") ? look_again : 24h;
  std::chrono::milliseconds wait = look_again;
  for (const auto& waiting : queue_.waiting()) {
    if (window_is_open(waiting.job.definition.name)) continue;
    const auto opening = config::next_opening(definition(waiting.job.definition.name)->settings.windows, now);
    wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(opening - now));
  }
  return std::max<std::chrono::milliseconds>(wait, 100ms);
}

}  // namespace outpost::daemon
