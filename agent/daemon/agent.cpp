#include "agent/daemon/agent.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/daemon/intake.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <sys/statvfs.h>

#include <algorithm>
#include <exception>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr std::size_t poll_depth = 20;                 ///< Older components beyond this are not even named as superseded.
constexpr std::uint64_t claim_threshold = 256ULL << 20;  ///< Bytes free below which no new job is claimed.
constexpr auto delivery_patience = 10s;                ///< For what still waits to be sent when the agent stops.

job::Definition definition_of(const config::Job& settings) {
  job::Definition definition;
  definition.name = settings.name;
  definition.source = settings.source;
  definition.topic = settings.topic;
  for (const auto& component : settings.components)
    definition.selections.push_back(component.is_string() ? std::string{component.get_string()} : json::serialize(component));
  definition.configuration = settings.configuration;
  definition.comment = settings.comment;
  definition.url = settings.url;
  definition.tags = settings.tags;
  definition.plugins = settings.plugins;
  definition.resources = settings.resources;
  definition.reporters = settings.reporters;
  definition.timeout = settings.timeout;
  definition.grace = settings.grace;
  json::object key_values;
  for (const auto& [key, value] : settings.key_values) key_values[key] = value;
  if (!key_values.empty()) definition.options["key_values"] = std::move(key_values);
  return definition;
}

Backlog backlog_of(config::Backlog backlog) {
  switch (backlog) {
    case config::Backlog::none: return Backlog::none;
    case config::Backlog::all: return Backlog::all;
    default: return Backlog::newest;
  }
}

/// What a message says apart from its numbers: times and sizes in it differ from poll to poll.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

job::Event make_event(std::string_view type, std::string job_id, json::object data) {
  job::Event made;
  made.type = type;
  made.job_id = std::move(job_id);
  made.data = std::move(data);
  return made;
}

}  // namespace

Agent::Agent(asio::any_io_executor executor, AgentPorts ports, const config::Settings& settings,
             std::vector<std::unique_ptr<Integration>> integrations, pipeline::JobOptions job_options, std::string runner_name)
    : executor_{executor},
      ports_{ports},
      settings_{settings},
      integrations_{std::move(integrations)},
      job_options_{std::move(job_options)},
      runner_name_{std::move(runner_name)},
      queue_{settings.slots},
      schedule_wakeup_{executor},
      stopped_wakeup_{executor},
      started_at_{ports.clock.now()} {
  for (const auto& job : settings.jobs)
    if (job.enabled) definitions_.push_back({definition_of(job), &job, {}, {}});
  for (const auto& each : integrations_) poll_wakeups_[each->settings.name] = std::make_unique<Wakeup>(executor);
  job_options_.degraded = [this](const Error& error) {
    ports_.alarms.raise("journal", "degraded", "the journal cannot be written, nothing new is started: " + error.message);
  };
}

// ---- after a restart -----------------------------------------------------------------------------------------------

Result<void> Agent::restore() {
  if (auto seen = restore_seen(); !seen) return seen;
  return restore_jobs();
}

Result<void> Agent::restore_seen() {
  journal::Query query{.types = {std::string{event::component_seen}}};
  for (;;) {
    auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) return {};
    for (const auto& seen : *events) {
      query.after = seen.seq;
      const auto* component = seen.data.if_contains("component");
      if (!component || !component->is_object()) continue;
      for (auto& definition : definitions_) {
        if (definition.value.name != job::text_at(seen.data, "definition")) continue;
        definition.seen.insert(job::text_at(component->get_object(), "id"));
        definition.last_new = std::max(definition.last_new, seen.occurred_at);
      }
    }
  }
}

Result<void> Agent::restore_jobs() {
  auto rows = ports_.journal.jobs(true, 10'000);
  if (!rows) return rows.error();
  std::reverse(rows->begin(), rows->end());  // Oldest first: the order of the queue.
  for (const auto& row : *rows) {
    auto story = load(row.job_id);
    if (!story) return story.error();
    if (!integration(story->job.definition.source)) {
      ports_.alarms.raise("orphan:" + row.job_id, "degraded",
                          "job " + row.job_id + " (" + story->job.definition.name + ") cannot go on: its source \"" +
                              story->job.definition.source + "\" is no longer configured");
      continue;
    }
    if (story->claim_id.empty()) {
      queue_.add(std::move(*story));
      continue;
    }
    ports_.logger.notice("job " + row.job_id + " (" + story->job.definition.name + ") was " + story->describe() + ": going on with it");
    queue_.hold(*story);
    unfinished_.emplace_back(row.job_id, std::move(*story));
  }
  return {};
}

Result<job::Story> Agent::load(const std::string& job_id) {
  job::Story story;
  journal::Query query{.job_id = job_id};
  for (;;) {
    auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) break;
    for (const auto& each : *events) story.apply(each);
    query.after = events->back().seq;
  }
  if (story.job.id.empty()) return Error{Fault::unavailable, "there is no job " + printable(job_id, 80)};
  return story;
}

// ---- the loops -----------------------------------------------------------------------------------------------------

asio::awaitable<void> Agent::run() {
  std::vector<job::Event> started;
  started.push_back(make_event(event::agent_started, {}, {{"pid", ::getpid()}, {"runner", runner_name_}}));
  co_await append(std::move(started));
  for (auto& each : integrations_) {
    // Whether the server still refuses us the first request tells, and raises it again.
    ports_.alarms.clear(each->settings.name + "/credentials");
    // Before its first job can be queued: a reporter that is new begins with what is journaled from now on.
    auto prepared = co_await each->dispatcher->prepare();
    if (!prepared) ports_.logger.error("delivery to " + each->settings.name + ": " + prepared.error().message);
    spawn(each->dispatcher->run(), "delivery to " + each->settings.name);
  }
  for (auto& [id, story] : std::exchange(unfinished_, {})) spawn(run_job(std::move(story)), "job " + id);
  for (auto& each : integrations_) spawn(poll_loop(*each), "polling " + each->settings.name);
  spawn(schedule_loop(), "scheduling");
  while (!stopping_ || !running_.empty() || !unfinished_.empty()) co_await stopped_wakeup_.wait();

  std::vector<job::Event> stopping;
  stopping.push_back(make_event(event::agent_stopping, {}, {{"reason", stop_reason_}}));
  co_await append(std::move(stopping));
  for (auto& each : integrations_) {
    asio::steady_timer patience{executor_, delivery_patience};
    co_await (each->dispatcher->idle() || patience.async_wait(asio::as_tuple(asio::use_awaitable)));
  }
}

void Agent::stop(std::string reason) {
  if (stopping_) return;
  stopping_ = true;
  stop_reason_ = std::move(reason);
  for (auto& [id, runner] : running_) runner->cancel("agent", "agent stopped (" + stop_reason_ + ")");
  for (auto& [name, wakeup] : poll_wakeups_) wakeup->notify();
  schedule_wakeup_.notify();
  stopped_wakeup_.notify();
}

asio::awaitable<void> Agent::poll_loop(Integration& integration) {
  Wakeup& wakeup = *poll_wakeups_[integration.settings.name];
  auto failing = integration.settings.poll;
  while (!stopping_) {
    const bool answered = co_await poll_all(integration);
    co_await watch_jobs(integration);
    // Jitter, so that the agents of many labs don't knock at the same time; failures wait longer and longer.
    failing = answered ? integration.settings.poll : std::min<std::chrono::milliseconds>(failing * 2, std::max<std::chrono::milliseconds>(300s, integration.settings.poll));
    const auto spread = std::uniform_real_distribution<double>{0.75, 1.25}(random_);
    if (!stopping_) co_await wakeup.wait(std::chrono::milliseconds{static_cast<std::int64_t>(static_cast<double>(failing.count()) * spread)});
  }
}

/// Asks for every definition of one source. False when the source did not answer.
asio::awaitable<bool> Agent::poll_all(Integration& integration) {
  bool answered = true;
  Result<void> outcome;
  for (auto& definition : definitions_) {
    if (definition.value.source != integration.settings.name || stopping_) continue;
    auto candidates = co_await integration.source->poll(definition.value, poll_depth);
    if (candidates) {
      co_await take_in(definition, std::move(*candidates));
    } else {
      Error failure = candidates.error();
      answered = answered && failure.fault == Fault::malformed;
      outcome = std::move(failure).in("jobs." + definition.value.name);
    }
  }
  report_poll(integration, outcome);
  co_return answered;
}

void Agent::report_poll(Integration& integration, const Result<void>& outcome) {
  const std::string& name = integration.settings.name;
  const std::string before = std::exchange(integration.last_error, outcome ? "" : outcome.error().message);
  if (outcome) {
    integration.last_poll = ports_.clock.now();
    if (!before.empty()) ports_.logger.notice(name + ": polling works again");
    // What was refused to the source was refused to the reporter: it need not wait for its next try.
    if (ports_.alarms.active().contains("credentials:" + name)) integration.dispatcher->credentials_changed();
    ports_.alarms.clear("credentials:" + name);
    ports_.alarms.clear("poll:" + name);
    return;
  }
  if (without_digits(before) != without_digits(integration.last_error)) ports_.logger.warning(name + ": " + integration.last_error);
  if (outcome.error().fault == Fault::refused) ports_.alarms.raise("credentials:" + name, "credentials", name + ": " + integration.last_error);
  else if (outcome.error().fault == Fault::malformed) ports_.alarms.raise("poll:" + name, "degraded", name + ": " + integration.last_error);
}

asio::awaitable<void> Agent::watch_jobs(Integration& integration) {
  std::vector<std::string> ids;
  for (const auto& [id, runner] : running_)
    if (runner->story().claim.source == integration.settings.name && !runner->story().judgement) ids.push_back(id);
  for (const auto& id : ids) {
    const auto found = running_.find(id);
    if (found == running_.end() || stopping_) continue;
    const job::Claim claim = found->second->story().claim;
    const auto watched = co_await integration.source->watch(claim);
    // The job may have ended while we asked.
    const auto still = running_.find(id);
    if (watched && watched->cancelled && still != running_.end()) {
      ports_.logger.notice("job " + id + ": " + watched->reason + ": cancelling it");
      still->second->cancel("server", watched->reason);
    }
  }
}

/// Journals what is new and queues the jobs that it is worth, in one transaction.
asio::awaitable<void> Agent::take_in(Definition& definition, std::vector<pipeline::Candidates> candidates) {
  const std::string& name = definition.value.name;
  const auto now = ports_.clock.now();
  if (definition.last_new == Timestamp{}) definition.last_new = now;
  const Intake plan = plan_intake({.candidates = candidates,
                                   .seen = [&](const std::string& id) { return definition.seen.contains(id); },
                                   .first_poll = definition.seen.empty(),
                                   .backlog = backlog_of(definition.settings->backlog)});
  if (plan.unmatched) ports_.logger.info(name + ": nothing matches \"" + *plan.unmatched + "\" in topic " + definition.value.topic + " yet");
  if (!plan.seen.empty()) definition.last_new = now;
  const auto& quiet_after = settings_.alarms.no_component_after;
  if (quiet_after && now - definition.last_new > *quiet_after)
    ports_.alarms.raise("no-component:" + name, "no-component", name + ": no new component since " + to_rfc3339(definition.last_new) +
                                                                   " (alarms.no_component_after is " + format_duration(*quiet_after) + ")");
  else if (!plan.seen.empty()) ports_.alarms.clear("no-component:" + name);
  if (plan.seen.empty()) co_return;

  std::vector<job::Event> events;
  for (const auto& seen : plan.seen)
    events.push_back(make_event(event::component_seen, {}, {{"source", definition.value.source}, {"definition", name}, {"selection", seen.selection},
                                                            {"component", {{"id", seen.component.id}, {"name", seen.component.name}}}}));
  for (const auto& superseded : plan.superseded)
    events.push_back(make_event(event::component_superseded, {}, {{"definition", name}, {"components", json::array{superseded.component_id}},
                                                                  {"reason", superseded.reason}, {"by", superseded.by}}));
  std::vector<job::Story> withdrawn;
  std::vector<std::string> new_ids;
  for (const auto& set : plan.sets) {
    json::array components;
    for (const auto& component : set) components.push_back(to_json(component));
    const auto& reporters = definition.value.reporters;  // The source's own, unless the configuration says otherwise.
    new_ids.push_back(new_id(ports_.clock.now()));
    events.push_back(make_event(event::job_queued, new_ids.back(), {{"definition", to_json(definition.value)}, {"components", std::move(components)},
                                                                    {"backlog", plan.backlog}, {"reporters", json::array(reporters.begin(), reporters.end())}}));
  }
  if (!new_ids.empty() && !plan.backlog) {
    // A job that still waits gives way to the newer one, before it may start.
    std::vector<std::string> outdated;
    for (const auto& waiting : queue_.waiting())
      if (waiting.job.definition.name == name && !waiting.backlog) outdated.push_back(waiting.job.id);
    for (const auto& id : outdated) {
      withdrawn.push_back(*queue_.remove(id));
      json::array ids;
      for (const auto& component : withdrawn.back().job.components) ids.emplace_back(component.id);
      events.push_back(make_event(event::component_superseded, {}, {{"definition", name}, {"components", std::move(ids)}, {"reason", "newer"}, {"by", new_ids.back()}}));
      events.push_back(make_event(event::job_withdrawn, id, {{"reason", "a newer component appeared while it waited"}, {"by", new_ids.back()}}));
    }
  }
  co_await append(std::move(events));
  for (const auto& seen : plan.seen) definition.seen.insert(seen.component.id);
  for (const auto& id : new_ids) {
    auto story = load(id);
    if (!story) {
      ports_.logger.error("job " + id + ": " + story.error().message);
      continue;
    }
    ports_.logger.notice("job " + id + " (" + name + ") queued for " + story->job.components.front().name);
    queue_.add(std::move(*story));
  }
  schedule_wakeup_.notify();
}

asio::awaitable<void> Agent::schedule_loop() {
  while (!stopping_) {
    start_jobs();
    const auto wait = until_next_opening();
    co_await schedule_wakeup_.wait(wait);
  }
}

void Agent::start_jobs() {
  if (queue_.waiting().empty() || !disk_has_room()) return;
  while (auto story = queue_.next([this](const job::Story& waiting) { return may_claim(waiting); })) {
    const std::string id = story->job.id;
    spawn(run_job(std::move(*story)), "job " + id);
  }
}

asio::awaitable<void> Agent::run_job(job::Story story) {
  const std::string id = story.job.id;
  Integration* source = integration(story.job.definition.source);
  pipeline::JobPorts job_ports{ports_.journal, *source->source, ports_.steps, ports_.collector, ports_.workers, ports_.clock};
  auto runner = std::make_unique<pipeline::JobRunner>(job_ports, job_options_, std::move(story));
  pipeline::JobRunner& running = *running_.emplace(id, std::move(runner)).first->second;
  if (stopping_) running.cancel("agent", "agent stopped (" + stop_reason_ + ")");
  co_await running.run();
  const auto& told = running.story();
  ports_.alarms.clear("journal");
  ports_.logger.notice("job " + id + " (" + told.job.definition.name + ") " + told.describe() +
                       (told.judgement && !told.judgement->message.empty() ? ": " + told.judgement->message : ""));
  running_.erase(id);
  queue_.release(id);
  schedule_wakeup_.notify();
  stopped_wakeup_.notify();
}

// ---- small things --------------------------------------------------------------------------------------------------

void Agent::spawn(asio::awaitable<void> work, std::string what) {
  ++tasks_;
  asio::co_spawn(executor_, std::move(work), [this, what = std::move(what)](std::exception_ptr thrown) {
    --tasks_;
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& failure) {
      ports_.logger.error(what + " ended with an exception (a bug, please report it): " + failure.what());
      ports_.alarms.raise("bug:" + what, "degraded", what + " ended with an exception: " + failure.what());
    }
  });
}

/// Nothing may be decided that is not written down: waits until the journal takes it.
asio::awaitable<void> Agent::append(std::vector<job::Event> events) {
  pipeline::JobRecord record{ports_.journal, {}, job_options_.degraded};
  for (auto& each : events) {
    std::string job_id = std::move(each.job_id);
    record.note(each.type, std::move(each.data)).job_id = std::move(job_id);
  }
  co_await record.commit();
  ports_.alarms.clear("journal");
}

bool Agent::may_claim(const job::Story& story) const {
  if (stopping_) return false;
  for (const auto& definition : definitions_)
    if (definition.value.name == story.job.definition.name) return config::is_open(definition.settings->windows, ports_.clock.now());
  return true;  // No longer configured, but queued: it runs.
}

std::chrono::milliseconds Agent::until_next_opening() const {
  std::chrono::milliseconds wait = 24h;
  const auto now = ports_.clock.now();
  for (const auto& waiting : queue_.waiting())
    for (const auto& definition : definitions_)
      if (definition.value.name == waiting.job.definition.name && !may_claim(waiting))
        wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(config::next_opening(definition.settings->windows, now) - now));
  // A full disk gets free without telling anybody.
  return queue_.waiting().empty() ? wait : std::clamp<std::chrono::milliseconds>(wait, 100ms, 60s);
}

bool Agent::disk_has_room() {
  struct statvfs space{};
  if (::statvfs(settings_.state_directory.c_str(), &space) != 0) return true;
  const std::uint64_t free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  if (free >= claim_threshold) {
    ports_.alarms.clear("disk");
    return true;
  }
  ports_.alarms.raise("disk", "degraded", settings_.state_directory.string() + " has " + format_size(free) + " free; no job is claimed below " +
                                              format_size(claim_threshold) + ": make room there");
  return false;
}

Integration* Agent::integration(const std::string& name) {
  for (auto& each : integrations_)
    if (each->settings.name == name) return each.get();
  return nullptr;
}

void Agent::poll_now() {
  for (auto& [name, wakeup] : poll_wakeups_) wakeup->notify();
}

Result<void> Agent::cancel(const std::string& job_id, const std::string& reason) {
  if (const auto found = running_.find(job_id); found != running_.end()) {
    if (found->second->story().judgement) return Error{Fault::refused, "job " + job_id + " has its verdict already and is being closed"};
    found->second->cancel("operator", reason);
    return {};
  }
  auto waiting = queue_.remove(job_id);
  if (!waiting) {
    const auto story = load(job_id);
    if (!story) return story.error();
    return Error{Fault::refused, "job " + job_id + " has ended: " + story->describe()};
  }
  std::vector<job::Event> events;
  events.push_back(make_event(event::job_withdrawn, job_id, {{"reason", "cancelled while it waited: " + printable(reason)}}));
  spawn(append(std::move(events)), "withdrawing job " + job_id);
  return {};
}

}  // namespace outpost::daemon
