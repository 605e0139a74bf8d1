#include "agent/daemon/agent.hpp"

#include "agent/base/memory.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <unistd.h>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using namespace std::chrono_literals;

using namespace asio::experimental::awaitable_operators;

namespace {

constexpr auto journal_pause = 2s;     ///< Between tries to write what the journal does not take.
constexpr auto pause_after_bug = 30s;  ///< Before a loop that threw is begun again.
constexpr auto retention_interval = 1h;
/// So long after its start or a job the agent keeps the memory that they have needed: the next job may be waiting.
constexpr auto rest_after_work = 2s;
constexpr auto punctuality = 1min;     ///< What begins later than planned by more than this is overdue.
constexpr std::uint64_t room_at_once = 64 << 20;  ///< For a log that finds the disk full.

}  // namespace

job::Event make_event(std::string_view type, std::string job_id, json::object data) {
  job::Event made;
  made.type = type;
  made.job_id = std::move(job_id);
  made.data = std::move(data);
  return made;
}

Agent::Agent(asio::any_io_executor executor, AgentPorts ports, config::Settings settings,
             std::vector<std::shared_ptr<Integration>> integrations, pipeline::JobOptions job_options, AgentOptions options)
    : executor_{executor},
      ports_{std::move(ports)},
      settings_{std::move(settings)},
      integrations_{std::move(integrations)},
      job_options_{std::move(job_options)},
      options_{std::move(options)},
      queue_{settings_.slots},
      retention_{{ports_.journal, ports_.deliveries, ports_.workers, ports_.clock, ports_.logger, ports_.alarms}, job_options_.jobs_directory, settings_.history},
      locks_{std::make_shared<pipeline::Locks>(executor)},
      bulletin_{executor},
      disk_{ports_.workers, ports_.logger, ports_.alarms, settings_.state_directory, settings_.disk},
      spool_{{ports_.journal, ports_.deliveries, ports_.workers, ports_.logger, ports_.alarms}, job_options_.jobs_directory},
      log_room_{{ports_.journal, ports_.deliveries, ports_.workers, ports_.logger}, job_options_.jobs_directory},
      schedule_wakeup_{executor},
      retention_wakeup_{executor},
      disk_wakeup_{executor},
      stopped_wakeup_{executor},
      finished_wakeup_{executor},
      health_wakeup_{executor},
      started_at_{ports_.clock.now()} {
  Definitions fresh;
  definitions_ = definitions_of(settings_, fresh);
  for (const auto& each : integrations_) adopt(each);
  job_options_.workspace_seen = [this](const std::string& job_id, const std::string& step_id, const pipeline::WorkspaceSizes& sizes) {
    bulletin_.post({job_id, step_id, "workspace", {{"bytes", sizes.last.bytes}}, ports_.clock.now()});
  };
  job_options_.step_shows = [this](const std::string& job_id, const std::string& step_id, std::string_view kind, json::object what) {
    bulletin_.post({job_id, step_id, std::string{kind}, std::move(what), ports_.clock.now()});
  };
  job_options_.download_stalled = [this](const std::string& job_id, std::string_view why) {
    ports_.logger.warning("job " + job_id + ": " + std::string{why});
  };
  job_options_.degraded = [this](const Error& error) { journal_failed(error); };
  job_options_.logs.has_room = [this] { return disk_.has_room_for_logs(); };
  job_options_.logs.make_room = [this] { return make_room_for_log(); };
  job_options_.logs.trouble = [this](const std::string& log, const std::optional<Error>& why) { log_failed(log, why); };
  journal_watch_ = ports_.journal.subscribe([this](const job::Event&) {
    journal_broken_ = false;
    ports_.alarms.clear("journal");
  });
}

// ---- life ----------------------------------------------------------------------------------------------------------

asio::awaitable<void> Agent::run() {
  std::vector<job::Event> started;
  started.push_back(make_event(event::agent_started, {}, {{"pid", ::getpid()}, {"runner", options_.runner_name}}));
  static_cast<void>(co_await append(std::move(started)));
  // A copy, as a reload may exchange some while this waits; what it takes away or brings meanwhile it looks after itself.
  const auto at_start = integrations_;
  for (const auto& each : at_start) {
    if (each->retired) continue;
    // Whether the server still refuses us the first request tells, and raises it again.
    clear_delivery_alarms(each->settings.name);
    // Before its first job can be queued: a reporter that is new begins with what is journaled from now on.
    auto prepared = co_await each->dispatcher->prepare();
    if (!prepared) ports_.logger.error("delivery to " + each->settings.name + ": " + prepared.error().message);
  }
  // What was unfinished stays so when we have been told to stop meanwhile.
  if (!stopping_) start_work();
  const bool closed = co_await wait_until_stopped();
  if (!closed) co_return;
  if (life_begun_) co_await end_life();
  co_await say_goodbye();
}

/// Gives it what its life here needs.
void Agent::adopt(const std::shared_ptr<Integration>& each) {
  each->poll_wakeup = std::make_unique<Wakeup>(executor_);
  each->watch_wakeup = std::make_unique<Wakeup>(executor_);
  each->life_wakeup = std::make_unique<Wakeup>(executor_);
  each->polled = std::any_of(definitions_.begin(), definitions_.end(), [&](const auto& definition) { return definition->value.source == each->settings.name; });
}

void Agent::start_loops(const std::shared_ptr<Integration>& each) {
  const std::string& name = each->settings.name;
  each->delivers = true;
  const auto delivery = [each] { return each->dispatcher->run(); };
  const auto ended = [each](std::exception_ptr thrown) {
    each->delivers = false;
    each->life_wakeup->notify();
    if (thrown && !each->retired) std::rethrow_exception(thrown);
  };
  asio::co_spawn(executor_, again_and_again(delivery, "delivery to " + name), asio::bind_cancellation_slot(each->stop_delivery.slot(), ended));
  keep_going([this, each] { return poll_loop(each); }, "polling " + name);
  keep_going([this, each] { return watch_loop(each); }, "watching the jobs of " + name);
}

void Agent::start_work() {
  working_ = true;
  for (const auto& each : integrations_) start_loops(each);
  for (auto& story : std::exchange(unfinished_, {})) start_job(std::move(story));
  hold_until_healthy();
  keep_going([this] { return health_loop(); }, "looking after the site's health");
  keep_going([this] { return schedule_loop(); }, "scheduling");
  keep_going([this] { return retention_loop(); }, "removing old jobs");
  keep_going([this] { return disk_loop(); }, "looking after the disk");
}

/// False when jobs could not be closed because the journal cannot be written: nothing may happen that is not written
/// down, so they are left as after a crash.
asio::awaitable<bool> Agent::wait_until_stopped() {
  while (!stopping_) co_await stopped_wakeup_.wait();
  const auto give_up = std::chrono::steady_clock::now() + options_.journal_patience;
  while (!running_.empty()) {
    if (journal_broken_ && std::chrono::steady_clock::now() >= give_up) {
      ports_.logger.error("the journal cannot be written: stopping without closing " + std::to_string(running_.size()) +
                          " jobs; the next start does");
      co_return false;
    }
    co_await stopped_wakeup_.wait(journal_broken_ ? std::chrono::steady_clock::duration{100ms} : options_.journal_patience);
  }
  co_return true;
}

/// The last event, and some time for what still has to reach the servers.
asio::awaitable<void> Agent::say_goodbye() {
  std::vector<job::Event> stopping;
  stopping.push_back(make_event(event::agent_stopping, {}, {{"reason", stop_reason_}}));
  static_cast<void>(co_await append(std::move(stopping)));
  asio::steady_timer patience{executor_, options_.delivery_patience};
  const auto all = integrations_;  // A reload that is under way may exchange some.
  for (const auto& each : all) co_await (each->dispatcher->idle() || patience.async_wait(asio::as_tuple(asio::use_awaitable)));
}

asio::awaitable<void> Agent::finish_jobs(std::string reason, std::chrono::steady_clock::time_point until) {
  gate_.stop({std::move(reason), ports_.clock.now()});
  schedule_wakeup_.notify();
  for (auto now = std::chrono::steady_clock::now(); at_work() > 0 && now < until; now = std::chrono::steady_clock::now())
    co_await finished_wakeup_.wait(std::min<std::chrono::steady_clock::duration>(until - now, 24h));
}

void Agent::stop(std::string reason) {
  if (stopping_) return;
  stopping_ = true;
  stop_reason_ = std::move(reason);
  for (auto& [id, runner] : running_) runner->cancel("agent", "agent stopped (" + stop_reason_ + ")");
  for (const auto& each : integrations_) {
    each->poll_wakeup->notify();
    each->watch_wakeup->notify();
  }
  schedule_wakeup_.notify();
  retention_wakeup_.notify();
  disk_wakeup_.notify();
  health_wakeup_.notify();
  stop_own_hook_.emit(asio::cancellation_type::terminal);
  stopped_wakeup_.notify();
}

asio::awaitable<void> Agent::leave(std::string reason) {
  std::vector<job::Event> leaving;
  leaving.push_back(make_event(event::agent_stopping, {}, {{"reason", std::move(reason)}}));
  // When it cannot be written, that is as after a crash.
  static_cast<void>(co_await ports_.journal.append(std::move(leaving)));
}

asio::awaitable<void> Agent::retention_loop() {
  while (!stopping_) {
    co_await make_next_directory();
    co_await retention_.sweep();
    if (stopping_ || co_await retention_wakeup_.wait(rest_after_work)) continue;
    auto giving_back = [] { return give_back_memory(), true; };
    if (running_.empty()) co_await ports_.workers.run(std::move(giving_back));
    if (!stopping_) co_await retention_wakeup_.wait(retention_interval - rest_after_work);
  }
}

/// What a job needs first, made while nobody waits for it. A job that finds none makes its own, and says why it cannot.
asio::awaitable<void> Agent::make_next_directory() {
  if (job_options_.ready_directory.empty()) co_return;
  auto making = [ready = job_options_.ready_directory] { return pipeline::JobDirectory::make_ready(ready); };
  static_cast<void>(co_await ports_.workers.run(std::move(making)));
}

asio::awaitable<void> Agent::disk_loop() {
  while (!stopping_) {
    co_await disk_.look();
    const std::uint64_t tenth = disk_.total() / 10;
    co_await spool_.enforce({std::min(settings_.spool.limit, tenth), std::min(settings_.spool.artifacts, tenth)});
    if (disk_.missing() > 0) co_await retention_.make_room(disk_.missing());
    if (!disk_.may_claim() && disk_.missing() > 0) co_await log_room_.make(disk_.missing());
    if (claims_held_ && disk_.may_claim()) schedule_wakeup_.notify();
    if (!stopping_) co_await disk_wakeup_.wait(settings_.disk.check);
  }
}

// ---- what the local API asks for -----------------------------------------------------------------------------------

/// A dispatcher that begins knows nothing of what the one before it has told: whoever is refused or stuck, or cannot make
/// out an event, is told again.
void Agent::clear_delivery_alarms(const std::string& reporter) {
  for (const auto* about : {"/credentials", "/stuck"}) ports_.alarms.clear(reporter + about);
  ports_.alarms.clear_below(reporter + "/expand/");
}

void Agent::poll_now() {
  leave_none_out();
  for (const auto& each : integrations_) {
    each->poll_wakeup->notify();
    each->watch_wakeup->notify();
  }
}

Result<void> Agent::cancel(const std::string& job_id, const std::string& reason) {
  const std::string why = printable(reason, 500);
  if (const auto found = running_.find(job_id); found != running_.end()) {
    if (found->second->story().judgement) return Error{Fault::refused, "job " + job_id + " has its verdict already and is being closed"};
    found->second->cancel("operator", why);
    return {};
  }
  if (const auto orphan = orphans_.extract(job_id)) {
    close_orphan(std::move(orphan.mapped()), why);
    return {};
  }
  if (queue_.remove(job_id)) {
    withdraw(job_id, "cancelled while it waited: " + why);
    return {};
  }
  const auto story = load(job_id);
  if (!story) return story.error();
  if (!story->ended) return Error{Fault::refused, "job " + job_id + " is just being taken up or withdrawn: try again"};
  return Error{Fault::refused, "job " + job_id + " has ended: " + story->describe()};
}

Result<void> Agent::acknowledge(const std::string& alarm) {
  if (ports_.alarms.acknowledge(alarm)) return {};
  return Error{Fault::unavailable, "there is no alarm " + printable(alarm, 200)};
}

asio::awaitable<Result<std::size_t>> Agent::retry(std::string reporter, std::vector<std::string> keys) {
  const auto to = integration(reporter);
  if (!to) co_return Error{Fault::unavailable, "there is no reporter " + printable(reporter, 80)};
  co_return co_await to->dispatcher->retry_parked(std::move(keys));
}

/// What it left in the lab is taken down; its server hears of it if the source is ever configured again.
void Agent::close_orphan(job::Story story, const std::string& reason) {
  const std::string id = story.job.id;
  ports_.alarms.clear("orphan:" + id);
  queue_.release(id);
  if (story.claim.external_ref.empty()) return withdraw(id, "its source is no longer configured; cancelled: " + reason);
  queue_.hold(story);
  start_job(std::move(story), reason);
}

void Agent::withdraw(const std::string& job_id, const std::string& reason) {
  held_.erase(job_id);
  clear_stale_alarms();
  std::vector<job::Event> events;
  events.push_back(make_event(event::job_withdrawn, job_id, {{"reason", reason}}));
  spawn(append_only(std::move(events)), "withdrawing job " + job_id);
}

void Agent::credentials_accepted(const std::string& source) {
  if (const auto from = integration(source)) from->dispatcher->credentials_changed();
  hurry_claims(source);
}

void Agent::clock_was_set() {
  for (const auto& each : integrations_)
    if (each->credentials_refused || each->dispatcher->status().credentials_refused) {
      each->poll_wakeup->notify();
      credentials_accepted(each->settings.name);
    }
}

void Agent::add_secret(const std::string& secret) {
  job_options_.secrets.push_back(secret);
  for (const auto& [id, runner] : running_) runner->add_secret(secret);
}

std::string Agent::overdue(std::chrono::steady_clock::time_point now) const {
  const auto late = [&](std::chrono::steady_clock::time_point due) { return due < now && now - due > punctuality; };
  const auto told = [&](const std::string& what, std::chrono::steady_clock::time_point due) {
    return what + " should have begun " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(now - due)) + " ago";
  };
  if (const auto since = ports_.journal.waiting_since(); since && late(*since)) return told("a write to the journal", *since);
  for (const auto& each : integrations_) {
    if (each->poll_due && late(*each->poll_due)) return told("a poll of " + each->settings.name, *each->poll_due);
    if (const auto due = each->dispatcher->due(); late(due)) return told("a delivery to " + each->settings.name, due);
  }
  return {};
}

// ---- small things --------------------------------------------------------------------------------------------------

/// Nothing may be decided that is not written down: tries until the journal takes it. An error only when the agent stops
/// meanwhile.
asio::awaitable<Result<std::vector<job::Event>>> Agent::append(std::vector<job::Event> events) {
  for (;;) {
    std::vector<job::Event> drafts = events;
    auto written = co_await ports_.journal.append(std::move(drafts));
    if (written) co_return written;
    journal_failed(written.error());
    if (stopping_) co_return written;
    asio::steady_timer timer{executor_, journal_pause};
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Agent::append_only(std::vector<job::Event> events) { static_cast<void>(co_await append(std::move(events))); }

void Agent::journal_failed(const Error& error) {
  journal_broken_ = true;
  disk_.write_failed();
  ports_.alarms.raise("journal", "degraded", "the journal cannot be written, nothing new is started: " + error.message);
  if (stopping_) stopped_wakeup_.notify();
}

/// The disk is full. Old jobs go by themselves when it becomes nearly full; this is for a log that outruns them.
asio::awaitable<bool> Agent::make_room_for_log() {
  const std::uint64_t freed = co_await log_room_.make(room_at_once);
  co_return freed > 0;
}

void Agent::log_failed(const std::string& log, const std::optional<Error>& why) {
  if (why) {
    troubled_logs_.insert(log);
    ports_.alarms.raise("logs", "degraded", why->message);
  } else if (troubled_logs_.erase(log) > 0 && troubled_logs_.empty()) {
    ports_.alarms.clear("logs");
  }
}

void Agent::report_bug(const std::string& what, const std::string& thrown) {
  ports_.alarms.raise("bug:" + what, "degraded", what + " ended with an exception (a bug, please report it): " + thrown);
}

void Agent::spawn(asio::awaitable<void> work, std::string what) {
  asio::co_spawn(executor_, std::move(work), [this, what = std::move(what)](std::exception_ptr thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& failure) {
      report_bug(what, failure.what());
    }
  });
}

/// Work that goes on until we stop. When it throws, which is a bug, the rest of the agent does not have to do without it.
void Agent::keep_going(std::function<asio::awaitable<void>()> work, std::string what) {
  spawn(again_and_again(std::move(work), what), what);
}

asio::awaitable<void> Agent::again_and_again(std::function<asio::awaitable<void>()> work, std::string what) {
  while (!stopping_) {
    std::string thrown;
    try {
      co_await work();
      co_return;
    } catch (const std::exception& failure) {
      thrown = failure.what();
    }
    report_bug(what, thrown);
    asio::steady_timer timer{executor_, pause_after_bug};
    co_await timer.async_wait(asio::use_awaitable);
  }
}

std::shared_ptr<Integration> Agent::integration(const std::string& name) const {
  for (const auto& each : integrations_)
    if (each->settings.name == name) return each;
  return nullptr;
}

bool Agent::is_configured(const std::string& source) const {
  const auto found = integration(source);
  return found && !found->leaving;
}

std::shared_ptr<const Agent::Definition> Agent::definition(const std::string& name) const {
  for (const auto& each : definitions_)
    if (each->value.name == name) return each;
  return nullptr;
}

}  // namespace outpost::daemon
