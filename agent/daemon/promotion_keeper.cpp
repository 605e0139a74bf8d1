#include "agent/daemon/promotion_keeper.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/config/credentials.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using job::text_at;
using Outcome = PromotionRun::Outcome;

namespace {

std::string alarm_of(const std::string& promotion) { return "promotion/" + promotion; }

json::value moment(Timestamp at) { return at == Timestamp{} ? json::value(nullptr) : json::value(to_rfc3339(at)); }

}  // namespace

/// One promotion at work. A run that goes on holds it, also when it was dismissed meanwhile.
struct PromotionKeeper::Duty {
  Duty(config::Promotion of, asio::any_io_executor executor) : settings{std::move(of)}, wakeup{executor}, ended{executor} {}

  config::Promotion settings;
  Wakeup wakeup, ended;
  asio::cancellation_signal stop;
  bool dismissed = false, working = true, running = false;

  std::optional<Outcome> outcome;  ///< Of the last run; nothing before the first has ended.
  std::string message, release;
  json::array targets;
  Timestamp last_run{}, last_success{}, next_run{};
  std::chrono::milliseconds took{0};
  std::map<Outcome, std::uint64_t> runs;
  std::map<std::string, std::uint64_t> promoted;  ///< By target, in the life of this process.
};

PromotionKeeper::PromotionKeeper(Ports ports, Options options) : ports_{std::move(ports)}, options_{std::move(options)} {}

Result<void> PromotionKeeper::restore() {
  journal::Query query{.types = {std::string{event::promotion_run_ended}}};
  for (;;) {
    const auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) return {};
    for (const auto& each : *events) note_promoted(each);
    query.after = events->back().seq;
  }
}

void PromotionKeeper::note_promoted(const job::Event& told) {
  const auto* list = told.data.if_contains("promoted");
  if (!list || !list->is_array()) return;
  for (const auto& each : list->get_array())
    if (each.is_object())
      promoted_[text_at(told.data, "promotion")][text_at(each.get_object(), "target")] = {text_at(each.get_object(), "hash"), told.occurred_at};
}

void PromotionKeeper::go_on_with(const std::map<std::string, config::Promotion>& wanted) {
  for (auto each = duties_.begin(); each != duties_.end();) {
    if (wanted.contains(each->first)) {
      ++each;
      continue;
    }
    each->second->dismissed = true;
    each->second->wakeup.notify();
    each = duties_.erase(each);
  }
  // Also those of the life before.
  for (const auto& [key, alarm] : std::map{ports_.alarms.active()})
    if (alarm.kind == "promotion" && std::none_of(wanted.begin(), wanted.end(), [&, of = key](const auto& each) { return alarm_of(each.first) == of; }))
      ports_.alarms.clear(key);
  for (const auto& [name, settings] : wanted) {
    const auto known = duties_.find(name);
    if (known == duties_.end()) {
      begin(settings);
    } else if (known->second->settings != settings) {
      known->second->settings = settings;
      known->second->wakeup.notify();
    }
  }
}

void PromotionKeeper::begin(const config::Promotion& settings) {
  auto duty = std::make_shared<Duty>(settings, ports_.executor);
  duties_[settings.name] = duty;
  std::erase_if(all_, [](const auto& gone) { return gone.expired(); });
  all_.push_back(duty);
  asio::co_spawn(ports_.executor, work(duty), [this, duty](std::exception_ptr thrown) {
    duty->working = duty->running = false;
    duty->ended.notify();
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& failure) {
      ports_.alarms.raise("bug:" + alarm_of(duty->settings.name), "degraded",
                          "promotion " + duty->settings.name + " ended with an exception (a bug, please report it): " + failure.what());
    }
  });
}

asio::awaitable<void> PromotionKeeper::stop() {
  for (const auto& each : all_)
    if (const auto duty = each.lock()) {
      duty->dismissed = true;
      duty->wakeup.notify();
      duty->stop.emit(asio::cancellation_type::terminal);
    }
  const auto all = std::exchange(all_, {});
  for (const auto& each : all) {
    const auto duty = each.lock();
    while (duty && duty->working) co_await duty->ended.wait();
  }
}

asio::awaitable<void> PromotionKeeper::work(std::shared_ptr<Duty> duty) {
  while (!duty->dismissed) {
    co_await run_once(duty);
    if (!duty->dismissed) co_await duty->wakeup.wait(duty->settings.every);
  }
}

/// On a thread of its own: it reads a file.
Result<process::Command> PromotionKeeper::command_of(const config::Promotion& settings, const Options& options) {
  process::Command command;
  command.program = options.program;
  command.arguments = {"promote", "--json", "--config", settings.config.string(), "--state", options.state_directory.string()};
  if (!settings.waivers.empty()) command.arguments.insert(command.arguments.end(), {"--waivers", settings.waivers.string()});
  command.environment = options.environment;
  command.deadline = settings.timeout;
  command.name = "promotion/" + settings.name;
  if (settings.credentials.empty()) return command;
  const auto secret = config::read_secret(settings.credentials, options.credentials_directory);
  if (!secret) return secret.error();
  const std::string name = settings.credentials.file.empty() ? "credential " + settings.credentials.credential : settings.credentials.file.string();
  const auto variables = config::parse_shell_assignments(secret->reveal(), name);
  if (!variables) return variables.error();
  for (const auto& [variable, value] : *variables) {
    std::erase_if(command.environment, [prefix = variable + "="](const auto& each) { return each.starts_with(prefix); });
    command.environment.push_back(variable + "=" + value);
  }
  return command;
}

asio::awaitable<void> PromotionKeeper::run_once(std::shared_ptr<Duty> duty) {
  const std::string name = duty->settings.name;
  duty->running = true;
  duty->last_run = ports_.clock.now();
  const auto began = ports_.clock.since_boot();
  auto preparing = [settings = duty->settings, options = options_] { return command_of(settings, options); };
  auto command = co_await ports_.workers.run(std::move(preparing));
  PromotionRun run;
  if (!command) {
    run.message = command.error().message;
  } else if (duty->dismissed) {
    run.outcome = Outcome::cancelled;
  } else {
    PromotionEar ear{[this, name](std::string_view line) { ports_.logger.info("promotion " + name + ": " + std::string{line}); }};
    process::TextOutput output{[&ear](std::string_view bytes) { ear.take(bytes); }};
    auto running = ports_.commands.run(*std::move(command), output);
    const auto finished = co_await pipeline::stoppable(std::move(running), duty->stop);
    if (finished) run = ear.understand(finished->ending);
    else if (finished.error().fault == Fault::cancelled) run.outcome = Outcome::cancelled;
    else run.message = finished.error().message;
  }
  duty->running = false;
  duty->next_run = ports_.clock.now() + duty->settings.every;
  duty->took = std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.since_boot() - began);
  co_await finish(duty, std::move(run));
}

asio::awaitable<void> PromotionKeeper::finish(std::shared_ptr<Duty> duty, PromotionRun run) {
  if (run.outcome == Outcome::cancelled) co_return;
  const std::string& name = duty->settings.name;
  const bool changed = duty->outcome ? *duty->outcome != run.outcome : run.outcome == Outcome::failed;
  duty->outcome = run.outcome;
  duty->message = run.message;
  ++duty->runs[run.outcome];
  if (!run.release.empty()) duty->release = run.release;
  if (run.outcome == Outcome::well) duty->last_success = ports_.clock.now();
  if (run.outcome != Outcome::busy) duty->targets = std::move(run.targets);
  if (run.outcome == Outcome::failed && !duty->dismissed)
    ports_.alarms.raise(alarm_of(name), "promotion", "promotion " + name + " (" + duty->settings.config.string() + "): " + run.message);
  if (run.outcome == Outcome::well) ports_.alarms.clear(alarm_of(name));
  json::array promoted;
  for (const auto& each : run.promoted) {
    ports_.logger.notice("promotion " + name + ": " + each.target + " names " + printable(each.hash) + " now");
    ++duty->promoted[each.target];
    promoted.push_back(json::object{{"target", each.target}, {"hash", each.hash}});
  }
  if (promoted.empty() && !changed) co_return;
  job::Event told;
  told.type = event::promotion_run_ended;
  told.data = {{"promotion", name}, {"release", run.release}, {"outcome", to_string(run.outcome)}, {"message", run.message}, {"promoted", std::move(promoted)}};
  told.occurred_at = ports_.clock.now();
  note_promoted(told);
  std::vector<job::Event> drafts;
  drafts.push_back(std::move(told));
  const auto written = co_await ports_.journal.append(std::move(drafts));
  if (!written) ports_.logger.warning("a promotion could not be journaled here; the release's own journal has it: " + written.error().message);
}

json::object PromotionKeeper::status_of(const Duty& duty) const {
  json::array targets = duty.targets;
  for (auto& each : targets) {
    auto& target = each.as_object();
    const std::string label = text_at(target, "target");
    const auto counted = duty.promoted.find(label);
    target["promoted"] = counted == duty.promoted.end() ? 0 : counted->second;
    target["last_hash"] = nullptr;
    target["last_promoted"] = nullptr;
    const auto of = promoted_.find(duty.settings.name);
    if (of == promoted_.end()) continue;
    const auto last = of->second.find(label);
    if (last == of->second.end()) continue;
    target["last_hash"] = last->second.hash;
    target["last_promoted"] = moment(last->second.at);
  }
  json::object runs;
  for (const auto outcome : {Outcome::well, Outcome::failed, Outcome::busy}) {
    const auto counted = duty.runs.find(outcome);
    runs[to_string(outcome)] = counted == duty.runs.end() ? 0 : counted->second;
  }
  return {{"name", duty.settings.name},
          {"config", duty.settings.config.string()},
          {"release", duty.release},
          {"running", duty.running},
          {"outcome", duty.outcome ? json::value(to_string(*duty.outcome)) : json::value(nullptr)},
          {"message", duty.message},
          {"last_run", moment(duty.last_run)},
          {"took_ms", duty.took.count()},
          {"last_success", moment(duty.last_success)},
          {"next_run", duty.running ? json::value(nullptr) : moment(duty.next_run)},
          {"runs", std::move(runs)},
          {"targets", std::move(targets)}};
}

json::array PromotionKeeper::status() const {
  json::array promotions;
  for (const auto& [name, duty] : duties_) promotions.push_back(status_of(*duty));
  return promotions;
}

}  // namespace outpost::daemon
