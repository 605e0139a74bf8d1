// Another configuration, while jobs run.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/definition.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

using namespace asio::experimental::awaitable_operators;

asio::awaitable<Result<json::object>> Agent::reload() {
  if (!options_.reload) co_return Error{Fault::refused, "this agent has no configuration to read again"};
  co_return co_await options_.reload();
}

asio::awaitable<Result<void>> Agent::reconfigure(Reconfiguration parts) {
  if (stopping_) co_return Error{Fault::refused, "the agent is stopping (" + stop_reason_ + ")"};
  Definitions fresh;
  Definitions definitions = definitions_of(parts.settings, fresh);
  if (!fresh.empty())
    if (const auto seen = restore_seen(fresh); !seen) co_return seen.error();

  settings_ = std::move(parts.settings);
  definitions_ = std::move(definitions);
  ports_.steps = std::move(parts.steps);
  for (const auto& secret : parts.secrets) add_secret(secret);
  job_options_.logs.capture = parts.logs.capture;
  job_options_.logs.cuts = parts.logs.cuts;
  queue_.set_slots(settings_.slots);
  retention_.set(settings_.history);
  disk_.set(settings_.disk);

  for (auto& made : parts.integrations) {
    auto taken = made;
    co_await put_in_place(std::move(taken));
  }
  settle_sources();
  clear_stale_alarms();
  leave_none_out();
  for (const auto& each : integrations_) each->poll_wakeup->notify();
  schedule_wakeup_.notify();
  retention_wakeup_.notify();
  disk_wakeup_.notify();
  health_wakeup_.notify();
  co_return Result<void>{};
}

/// The definitions of these settings. One that is known stays what it is; `fresh` are those of which nothing is.
Agent::Definitions Agent::definitions_of(const config::Settings& settings, Definitions& fresh) const {
  Definitions all;
  for (const auto& job : settings.jobs) {
    if (!job.enabled) continue;
    const auto known = std::find_if(definitions_.begin(), definitions_.end(), [&](const auto& each) { return each->value.name == job.name; });
    if (known != definitions_.end() && (*known)->settings == job) {
      all.push_back(*known);
      continue;
    }
    const bool is_fresh = known == definitions_.end();
    auto history = is_fresh ? std::make_shared<History>() : (*known)->history;
    all.push_back(std::make_shared<const Definition>(Definition{definition_of(job), job, std::move(history)}));
    if (is_fresh) fresh.push_back(all.back());
  }
  return all;
}

/// A new integration, perhaps where one of its name is: what that had on its way is asked for and sent by the new one.
asio::awaitable<void> Agent::put_in_place(std::shared_ptr<Integration> made) {
  adopt(made);
  if (const auto old = integration(made->settings.name)) {
    co_await retire(old);
    made->answers = old->answers;  // Until the next poll says more.
    std::erase(integrations_, old);
    clear_delivery_alarms(made->settings.name);
  }
  const auto prepared = co_await made->dispatcher->prepare();
  if (!prepared) ports_.logger.error("delivery to " + made->settings.name + ": " + prepared.error().message);
  integrations_.push_back(made);
  std::sort(integrations_.begin(), integrations_.end(), [](const auto& left, const auto& right) { return left->settings.name < right->settings.name; });
  if (working_) start_loops(made);
}

/// Its loops have ended when this returns; calls of jobs to its source may still be under way.
asio::awaitable<void> Agent::retire(std::shared_ptr<Integration> old) {
  old->retired = true;
  old->poll_wakeup->notify();
  old->watch_wakeup->notify();
  old->stop_delivery.emit(asio::cancellation_type::terminal);
  while (old->delivers) co_await old->life_wakeup->wait();
  old->life_wakeup->notify();  // Whoever else waits for its end.
}

/// Sources that are gone begin to leave; jobs of theirs that wait are orphans, as after a restart, and those of sources
/// that have come back are not.
void Agent::settle_sources() {
  for (const auto& each : integrations_) {
    each->polled = std::any_of(definitions_.begin(), definitions_.end(), [&](const auto& definition) { return definition->value.source == each->settings.name; });
    if (settings_.sources.contains(each->settings.name) || each->leaving) continue;
    each->leaving = true;
    ports_.logger.notice("source " + each->settings.name + " is no longer configured: it goes when its jobs have ended and all is delivered");
    spawn(dismiss(each), "dismissing source " + each->settings.name);
  }
  std::vector<std::string> lost;
  for (const auto& waiting : queue_.waiting())
    if (!is_configured(waiting.job.definition.source)) lost.push_back(waiting.job.id);
  for (const auto& id : lost) keep_orphan(std::move(*queue_.remove(id)));
  take_up_orphans();
}

void Agent::take_up_orphans() {
  std::vector<job::Story> found;
  for (const auto& [id, story] : orphans_)
    if (is_configured(story.job.definition.source)) found.push_back(story);
  for (auto& story : found) {
    const std::string id = story.job.id;
    orphans_.erase(id);
    ports_.alarms.clear("orphan:" + id);
    ports_.logger.notice("job " + id + " goes on: its source " + story.job.definition.source + " is configured again");
    queue_.release(id);
    if (!story.claiming && story.claim.external_ref.empty()) {
      queue_.add(std::move(story));
    } else {
      queue_.hold(story);
      start_job(std::move(story));
    }
  }
}

bool Agent::is_needed(const Integration& leaving) const {
  const std::string& name = leaving.settings.name;
  return std::any_of(running_.begin(), running_.end(), [&](const auto& one) {
    const job::Story& story = one.second->story();
    const auto& told = story.reporters;
    return story.job.definition.source == name || std::find(told.begin(), told.end(), name) != told.end();
  });
}

asio::awaitable<void> Agent::dismiss(std::shared_ptr<Integration> leaving) {
  while (!leaving->retired && is_needed(*leaving)) co_await leaving->life_wakeup->wait();
  while (!leaving->retired && leaving->delivers) {
    const auto first = co_await (leaving->dispatcher->idle() || leaving->life_wakeup->wait());
    if (first.index() == 1 || leaving->retired || is_needed(*leaving)) continue;
    co_await retire(leaving);
    std::erase(integrations_, leaving);
    ports_.logger.notice("source " + leaving->settings.name + " has left: all that it had to deliver is delivered");
    clear_stale_alarms();
    co_return;
  }
}

void Agent::close_claims(std::string reason) {
  gate_.close(std::move(reason));
  claims_changed();
}

}  // namespace outpost::daemon
