// The polling half of Agent: from what the sources offer to jobs that wait.

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/intake.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using namespace std::chrono_literals;

namespace {

/// What a message says apart from its numbers: times and sizes in it differ from poll to poll.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

constexpr std::size_t poll_depth = 20;       ///< Older components beyond this are not even named as superseded.
constexpr std::size_t history_depth = 1000;  ///< Of a backlog that is to run completely.
constexpr std::chrono::milliseconds longest_pause = 300s;          ///< Between polls that are not answered...
constexpr std::chrono::milliseconds longest_pause_refused = 20min;  ///< ... or refused.
constexpr std::chrono::milliseconds longest_unwatched = 30s;       ///< A running job.
constexpr std::chrono::milliseconds look_for_credentials = 5s;     ///< So often, while they are refused.
constexpr auto silence = 15min;                                    ///< Without an answer it takes so long to become an alarm.

Backlog backlog_of(config::Backlog backlog) {
  switch (backlog) {
    case config::Backlog::none: return Backlog::none;
    case config::Backlog::all: return Backlog::all;
    default: return Backlog::newest;
  }
}

json::array ids_of(const std::vector<job::Component>& components) {
  json::array ids;
  for (const auto& component : components) ids.emplace_back(component.id);
  return ids;
}

/// What was seen, and what of it will not run.
std::vector<job::Event> events_of(const Intake& plan, const job::Definition& definition) {
  std::vector<job::Event> events;
  for (const auto& seen : plan.seen)
    events.push_back(make_event(event::component_seen, {}, {{"source", definition.source}, {"definition", definition.name}, {"selection", seen.selection},
                                                            {"component", {{"id", seen.component.id}, {"name", seen.component.name}}}}));
  for (const auto& superseded : plan.superseded)
    events.push_back(make_event(event::component_superseded, {}, {{"definition", definition.name}, {"components", json::array{superseded.component_id}},
                                                                  {"reason", superseded.reason}, {"by", superseded.by}}));
  return events;
}

}  // namespace

job::Event queued(std::string id, const job::Definition& definition, const std::vector<job::Component>& set, bool backlog) {
  json::array components;
  for (const auto& component : set) components.push_back(to_json(component));
  const auto& reporters = definition.reporters;  // The source's own, unless the configuration says otherwise.
  return make_event(event::job_queued, std::move(id), {{"definition", to_json(definition)}, {"components", std::move(components)},
                                                       {"backlog", backlog}, {"reporters", json::array(reporters.begin(), reporters.end())}});
}

asio::awaitable<void> Agent::poll_loop(std::shared_ptr<Integration> integration) {
  const auto goes_on = [&] { return !stopping_ && !integration->retired; };
  while (goes_on()) {
    co_await poll_all(*integration);
    if (goes_on()) co_await wait_for_poll(*integration);
  }
}

/// While our credentials are refused the source is asked now and then whether that may have changed: somebody who has
/// replaced them should not have to wait for the next regular try.
asio::awaitable<void> Agent::wait_for_poll(Integration& integration) {
  Wakeup& wakeup = *integration.poll_wakeup;
  auto left = pause_before_poll(integration);
  while (!stopping_ && left > 0ms) {
    const auto part = integration.credentials_refused ? std::min(left, look_for_credentials) : left;
    integration.poll_due = std::chrono::steady_clock::now() + part;
    const bool woken = co_await wakeup.wait(part);
    integration.poll_due.reset();
    if (woken) co_return;
    left -= part;
    if (integration.credentials_refused && co_await integration.source->is_worth_asking()) co_return;
  }
}

/// With jitter, so that the agents of many labs don't knock at the same time; failures wait longer and longer.
std::chrono::milliseconds Agent::pause_before_poll(const Integration& integration) {
  const auto regular = integration.settings.poll;
  // Three an hour, by default; not earlier than the pause of the source itself.
  if (integration.credentials_refused) return integration.settings.credentials_retry;
  const auto longest = std::max(integration.refused ? longest_pause_refused : longest_pause, regular);
  const auto pause = std::min(regular * (std::int64_t{1} << std::min(integration.failures, 12U)), longest);
  const auto spread = std::uniform_real_distribution<double>{0.75, 1.25}(random_);
  return std::chrono::milliseconds{static_cast<std::int64_t>(static_cast<double>(pause.count()) * spread)};
}

/// Asks for every definition of one source. Each is refused for itself, and alone asked more seldom then.
asio::awaitable<void> Agent::poll_all(Integration& integration) {
  PollOutcome outcome;
  Definitions refused;
  const Definitions known = definitions_;  // They may be others when a server has answered.
  for (const auto& definition : known) {
    if (definition->value.source != integration.settings.name || stopping_ || integration.retired) continue;
    History& history = *definition->history;
    if (history.polls_left_out > 0) {
      --history.polls_left_out;
      continue;
    }
    outcome.asked = true;
    const bool all = !history.is_known() && definition->settings.backlog == config::Backlog::all;
    auto candidates = co_await integration.source->poll(definition->value, all ? history_depth : poll_depth);
    if (this->definition(definition->value.name) != definition) continue;
    if (candidates) {
      outcome.answered = outcome.offered = outcome.accepted = true;
      note_offer(*definition, *candidates);
      co_await take_in(definition, std::move(*candidates));
      continue;
    }
    Error failure = std::move(candidates.error()).in("jobs." + definition->value.name);
    if (failure.fault == Fault::refused) {
      outcome.answered = outcome.accepted = true;
      note_refusal(*definition, std::move(failure.message));
      refused.push_back(definition);
    } else {
      const bool unreadable = failure.fault == Fault::malformed;
      outcome.answered = outcome.answered || unreadable;
      outcome.offered = outcome.offered || unreadable;
      outcome.failure = std::move(failure);
    }
  }
  // When all are refused, or none is answered, it is the source that is asked more seldom, and then for each: what is
  // left out of polls is counted in regular ones.
  const bool is_regular = outcome.offered && !(outcome.failure && outcome.failure->fault == Fault::credentials);
  if (is_regular)
    for (const auto& definition : refused) leave_out(*definition->history, integration.settings.poll);
  else
    for (const auto& definition : known)
      if (definition->value.source == integration.settings.name) definition->history->polls_left_out = 0;
  if (outcome.asked && !stopping_ && !integration.retired) report_poll(integration, outcome);
}

/// What a job asks for is there; a part of it may be something that its server will never have.
void Agent::note_offer(const Definition& definition, const std::vector<pipeline::Candidates>& candidates) {
  History& history = *definition.history;
  history.refusals = 0;
  if (!std::exchange(history.refusal, "").empty()) schedule_wakeup_.notify();
  std::string problems;
  for (const auto& each : candidates)
    if (!each.problem.empty()) problems += (problems.empty() ? "" : "; ") + each.problem;
  const std::string& name = definition.value.name;
  if (problems.empty()) ports_.alarms.clear("topic:" + name);
  else ports_.alarms.raise("topic:" + name, "topic", "jobs." + name + ": " + problems);
}

void Agent::note_refusal(const Definition& definition, std::string why) {
  History& history = *definition.history;
  ++history.refusals;
  ports_.alarms.raise("topic:" + definition.value.name, "topic", why + "; correct the job or have its topic opened to you, then: outpost reload");
  history.refusal = std::move(why);
}

/// One that is refused is left out of the next polls, of ever more of them.
void Agent::leave_out(History& history, std::chrono::milliseconds poll) {
  const auto most = static_cast<std::uint64_t>(std::max<std::int64_t>(longest_pause_refused / poll, 1));
  history.polls_left_out = static_cast<unsigned>(std::min(std::uint64_t{1} << std::min(history.refusals, 12U), most) - 1);
}

/// Somebody wants to know at once.
void Agent::leave_none_out() {
  for (const auto& definition : definitions_) definition->history->polls_left_out = 0;
}

std::string Agent::trouble_of(const Integration& integration) const {
  if (!integration.last_error.empty()) return integration.last_error;
  std::string first;
  std::size_t others = 0;
  for (const auto& definition : definitions_) {
    const std::string& refusal = definition->history->refusal;
    if (definition->value.source != integration.settings.name || refusal.empty()) continue;
    if (first.empty()) first = refusal;
    else ++others;
  }
  return others == 0 ? first : first + "; and " + std::to_string(others) + (others == 1 ? " more job is" : " more jobs are") + " refused: outpost alarm list";
}

void Agent::report_poll(Integration& integration, const PollOutcome& outcome) {
  const std::string& name = integration.settings.name;
  const auto now = ports_.clock.now();
  const std::string before = std::exchange(integration.last_error, outcome.failure ? outcome.failure->message : "");
  const bool was_refused = integration.credentials_refused;
  integration.credentials_refused = outcome.failure && outcome.failure->fault == Fault::credentials;
  integration.refused = integration.credentials_refused || (!outcome.failure && !outcome.offered);
  integration.failures = outcome.offered ? 0 : integration.failures + 1;
  if (outcome.answered) integration.last_poll = now;
  if (outcome.answered || integration.silent_since == Timestamp{}) integration.silent_since = now;
  if (std::exchange(integration.answers, outcome.answered) != outcome.answered) schedule_wakeup_.notify();
  if (outcome.accepted && !integration.credentials_refused) {
    // What was refused to the source was refused to the reporter and to claims: they need not wait for their next try.
    if (was_refused || ports_.alarms.active().contains("credentials:" + name)) credentials_accepted(name);
    ports_.alarms.clear("credentials:" + name);
  }
  if (!outcome.failure) {
    if (!before.empty()) ports_.logger.notice(name + ": polling works again");
    if (!before.empty() && !was_refused) hurry_claims(name);
    ports_.alarms.clear("poll:" + name);
    return;
  }
  const std::string told = name + ": " + integration.last_error;
  if (without_digits(before) != without_digits(integration.last_error)) ports_.logger.warning(told);
  if (integration.credentials_refused) ports_.alarms.raise("credentials:" + name, "credentials", told);
  else if (outcome.failure->fault == Fault::malformed) ports_.alarms.raise("poll:" + name, "degraded", told);
  else if (!outcome.answered && now - integration.silent_since >= silence)
    ports_.alarms.raise("poll:" + name, "degraded", name + ": no answer since " + to_rfc3339(integration.silent_since) + ": " + integration.last_error);
}

void Agent::hurry_claims(const std::string& source) {
  for (const auto& [id, runner] : running_)
    if (runner->story().job.definition.source == source) runner->hurry_claim();
}

/// Somebody who gives a job up at the server waits for the lab: however seldom, and with whatever luck, it is polled.
asio::awaitable<void> Agent::watch_loop(std::shared_ptr<Integration> integration) {
  Wakeup& wakeup = *integration->watch_wakeup;
  const auto regular = std::min<std::chrono::milliseconds>(integration->settings.poll, longest_unwatched);
  auto pause = regular;
  while (!stopping_ && !integration->retired) {
    if (watched_jobs(*integration).empty()) {
      co_await wakeup.wait();  // An agent without jobs sleeps.
      pause = regular;
      if (watched_jobs(*integration).empty()) continue;
    }
    co_await wakeup.wait(pause);
    if (stopping_ || integration->retired) co_return;
    const auto watched = co_await watch_jobs(*integration);
    const bool refused = !watched && watched.error().fault == Fault::credentials;
    if (refused) pause = integration->settings.credentials_retry;
    else pause = watched ? regular : std::min(pause * 2, std::max(longest_pause, regular));
  }
}

/// Those that somebody may give up at their server.
std::vector<std::string> Agent::watched_jobs(const Integration& integration) const {
  std::vector<std::string> ids;
  for (const auto& [id, runner] : running_)
    if (runner->story().claim.source == integration.settings.name && !runner->story().judgement) ids.push_back(id);
  return ids;
}

/// The last failure, of those that could not be asked about.
asio::awaitable<Result<void>> Agent::watch_jobs(Integration& integration) {
  Result<void> outcome;
  for (const auto& id : watched_jobs(integration)) {
    const auto found = running_.find(id);
    if (found == running_.end() || stopping_) continue;
    const job::Claim claim = found->second->story().claim;
    const auto watched = co_await integration.source->watch(claim);
    if (!watched) outcome = watched.error();
    // The job may have ended while we asked.
    const auto still = running_.find(id);
    if (watched && watched->cancelled && still != running_.end()) {
      ports_.logger.notice("job " + id + ": " + watched->reason + ": cancelling it");
      still->second->cancel("server", watched->reason);
    }
  }
  co_return outcome;
}

/// Journals what is new and queues the jobs that it is worth, in one transaction.
asio::awaitable<void> Agent::take_in(std::shared_ptr<const Definition> taken, std::vector<pipeline::Candidates> candidates) {
  const Definition& definition = *taken;
  History& history = *definition.history;
  const std::string& name = definition.value.name;
  const Intake plan = plan_intake({.candidates = candidates,
                                   .seen = [&](const std::string& id) { return history.seen.contains(id); },
                                   .first_poll = !history.is_known(),
                                   .backlog = backlog_of(definition.settings.backlog)});
  if (plan.unmatched && plan.unmatched != history.unmatched)
    ports_.logger.info(name + ": nothing matches \"" + *plan.unmatched + "\" in topic " + definition.value.topic + " yet");
  history.unmatched = plan.unmatched;
  note_news(definition, !plan.seen.empty());
  if (plan.seen.empty()) {
    co_await note_empty_history(definition);
    co_return;
  }

  std::vector<job::Event> events = events_of(plan, definition.value);
  std::vector<std::string> new_ids;
  for (const auto& set : plan.sets) {
    new_ids.push_back(new_id(ports_.clock.now()));
    events.push_back(queued(new_ids.back(), definition.value, set, plan.backlog));
  }
  if (!new_ids.empty() && !plan.backlog) {
    auto withdrawn = withdraw_outdated(name, new_ids.back());
    events.insert(events.end(), withdrawn.begin(), withdrawn.end());
  }
  const auto written = co_await append(std::move(events));
  if (!written) co_return;  // The agent stops; its next start sees all this again.
  for (const auto& seen : plan.seen) history.seen.insert(seen.component.id);
  for (const auto& one : *written) {
    if (one.type != event::job_queued) continue;
    job::Story story = job::replay({one});
    ports_.logger.notice("job " + one.job_id + " (" + name + ") queued for " + story.job.components.front().name);
    if (is_configured(story.job.definition.source)) queue_.add(std::move(story));
    else keep_orphan(std::move(story));
  }
  schedule_wakeup_.notify();
}

/// The first component of a topic that was empty is no history that `backlog: none` is about.
asio::awaitable<void> Agent::note_empty_history(const Definition& definition) {
  const auto history = definition.history;
  if (history->is_known() || definition.settings.backlog != config::Backlog::none) co_return;
  std::vector<job::Event> events;
  events.push_back(make_event(event::history_looked_at, {}, {{"source", definition.value.source}, {"definition", definition.value.name}}));
  const auto written = co_await append(std::move(events));
  if (written) history->looked_at = true;
}

/// A job that still waits gives way to the newer one: from here on it cannot start any more.
std::vector<job::Event> Agent::withdraw_outdated(const std::string& name, const std::string& newer_id) {
  std::vector<std::string> older;
  for (const auto& waiting : queue_.waiting())
    if (waiting.job.definition.name == name && !waiting.backlog) older.push_back(waiting.job.id);
  std::vector<job::Event> events;
  for (const auto& id : older) {
    const auto story = queue_.remove(id);
    held_.erase(id);
    for (auto& each : outdated(*story, newer_id)) events.push_back(std::move(each));
  }
  return events;
}

std::vector<job::Event> Agent::outdated(const job::Story& story, const std::string& newer_id) {
  std::vector<job::Event> events;
  events.push_back(make_event(event::component_superseded, {}, {{"definition", story.job.definition.name}, {"components", ids_of(story.job.components)}, {"reason", "newer"}, {"by", newer_id}}));
  events.push_back(make_event(event::job_withdrawn, story.job.id, {{"reason", "a newer component appeared while it waited"}, {"by", newer_id}}));
  return events;
}

/// The alarm of a job that gets nothing new.
void Agent::note_news(const Definition& definition, bool news) {
  Timestamp& last_new = definition.history->last_new;
  const auto now = ports_.clock.now();
  const auto& quiet_after = settings_.alarms.no_component_after;
  const std::string key = "no-component:" + definition.value.name;
  if (news || last_new == Timestamp{}) last_new = now;
  if (quiet_after && now - last_new > *quiet_after)
    ports_.alarms.raise(key, "no-component", definition.value.name + ": no new component since " + to_rfc3339(last_new) +
                                                 " (alarms.no_component_after is " + format_duration(*quiet_after) + ")");
  else if (news) ports_.alarms.clear(key);
}

}  // namespace outpost::daemon
