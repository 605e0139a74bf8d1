// Jobs that somebody asks for: one that is run now, run again, held back; and what logind asks.

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;

asio::awaitable<Result<std::string>> Agent::run_job(std::string name) {
  const auto definition = this->definition(name);
  if (!definition) co_return Error{Fault::unavailable, "there is no job " + printable(name, 80) + " in the configuration, or it is not enabled"};
  const auto from = integration(definition->value.source);
  if (!from || from->leaving) co_return Error{Fault::unavailable, "source " + definition->value.source + " is not configured"};
  const auto candidates = co_await from->source->poll(definition->value, 1);
  if (!candidates) co_return candidates.error();
  std::vector<job::Component> newest;
  for (const auto& each : *candidates) {
    if (each.components.empty()) co_return Error{Fault::unavailable, "nothing matches \"" + printable(each.selection, 200) + "\" in topic " + printable(definition->value.topic, 80)};
    newest.push_back(each.components.front());
  }
  std::string why = "somebody asked for it";
  auto id = co_await enqueue(*definition, std::move(newest), std::move(why));
  // Of this machine's disk, which is no trouble of the server's.
  if (!id && id.error().fault == Fault::retry_later) co_return Error{Fault::bug, id.error().message};
  co_return id;
}

asio::awaitable<Result<std::string>> Agent::retry_job(std::string job_id) {
  const auto story = load(job_id);
  if (!story) co_return story.error();
  if (!story->ended) co_return Error{Fault::refused, "job " + story->job.id + " has not ended: " + story->describe()};
  const auto& name = story->job.definition.name;
  const auto definition = this->definition(name);
  if (!definition) co_return Error{Fault::refused, "job " + printable(name, 80) + " is no longer configured, or not enabled"};
  auto components = story->job.components;
  co_return co_await enqueue(*definition, std::move(components), "somebody asked for job " + job_id + " once more");
}

asio::awaitable<Result<std::string>> Agent::enqueue(const Definition& definition, std::vector<job::Component> components, std::string why) {
  if (stopping_) co_return Error{Fault::refused, "the agent is stopping"};
  const std::string id = new_id(ports_.clock.now());
  const std::string source = definition.value.source, name = definition.value.name;
  std::vector<job::Event> events;
  events.push_back(queued(id, definition.value, components, true));
  const auto written = co_await append(std::move(events));
  if (!written) co_return written.error();
  job::Story story = job::replay(*written);
  ports_.logger.notice("job " + id + " (" + name + ") queued, because " + why);
  if (is_configured(source)) queue_.add(std::move(story));
  else keep_orphan(std::move(story));
  schedule_wakeup_.notify();
  co_return id;
}

/// It holds before it is written: claiming less is never wrong.
asio::awaitable<Result<void>> Agent::hold_job(std::string job_id, std::string reason) {
  const auto& waiting = queue_.waiting();
  const bool waits = std::any_of(waiting.begin(), waiting.end(), [&](const auto& story) { return story.job.id == job_id; });
  if (!waits) {
    const auto story = load(job_id);
    co_return story ? Error{Fault::refused, "job " + job_id + " does not wait: " + story->describe()} : story.error();
  }
  const std::string why = printable(reason, 500);
  held_[job_id] = why;
  std::vector<job::Event> events;
  events.push_back(make_event(event::job_held, job_id, {{"reason", why}}));
  const auto written = co_await append(std::move(events));
  if (!written) co_return written.error();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Agent::release_job(std::string job_id) {
  if (!held_.contains(job_id)) {
    const auto story = load(job_id);
    co_return story ? Error{Fault::refused, "job " + job_id + " is not held"} : story.error();
  }
  std::vector<job::Event> events;
  events.push_back(make_event(event::job_released, job_id, {}));
  const auto written = co_await append(std::move(events));
  if (!written) co_return written.error();
  held_.erase(job_id);
  schedule_wakeup_.notify();
  co_return Result<void>{};
}

asio::awaitable<void> Agent::note_asked(control::Asked asked) {
  ports_.logger.info(asked.who + " asked for " + asked.what + (asked.about.empty() ? "" : " of " + printable(asked.about, 80)));
  auto event = make_event(event::change_asked, {}, {{"what", asked.what}, {"about", printable(asked.about, 80)}});
  event.actor = std::move(asked.who);
  std::vector<job::Event> events;
  events.push_back(std::move(event));
  // Tried once: it was made, and who asked is not told to wait until the disk has room.
  const auto written = co_await ports_.journal.append(std::move(events));
  if (!written) ports_.logger.warning("who asked could not be journaled: " + written.error().message);
}

asio::awaitable<void> Agent::note_shutdown(bool goes_down) {
  ports_.logger.notice(goes_down ? "the machine goes down" : "the machine does not go down after all");
  json::object data{{"cancelled", !goes_down}};
  static_cast<void>(co_await note(event::machine_shutdown, std::move(data)));
}

std::string Agent::must_not_go_down() const {
  std::string jobs;
  for (const auto& [id, running] : running_) {
    if (running->awaits_restart()) continue;
    const auto& name = running->story().job.definition.name;
    if (const auto known = definition(name); known && known->settings.block_shutdown) jobs += (jobs.empty() ? "runs " : ", ") + name;
  }
  return jobs;
}

}  // namespace outpost::daemon
