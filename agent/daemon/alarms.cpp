#include "agent/daemon/alarms.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

Alarms::Alarms(journal::Journal& journal, const Clock& clock, const Logger& logger, asio::any_io_executor executor, Ways ways)
    : journal_{journal}, clock_{clock}, logger_{logger}, executor_{std::move(executor)}, ways_{std::move(ways)} {}

Result<void> Alarms::restore() {
  journal::Query query{.types = {std::string{job::event::alarm_raised}, std::string{job::event::alarm_cleared}, std::string{job::event::alarm_acknowledged}}};
  for (;;) {
    auto events = journal_.read(query);
    if (!events) return events.error();
    if (events->empty()) return {};
    for (const auto& event : *events) {
      const std::string key = job::text_at(event.data, "key");
      if (event.type != job::event::alarm_raised) active_.erase(key);
      if (event.type == job::event::alarm_acknowledged) acknowledged_[key] = event.occurred_at;
      else acknowledged_.erase(key);
      if (event.type == job::event::alarm_raised) active_[key] = {key, job::text_at(event.data, "kind"), job::text_at(event.data, "message"), event.occurred_at};
      query.after = event.seq;
    }
  }
}

void Alarms::raise(std::string key, std::string kind, std::string message) {
  message = printable(message);
  const auto found = active_.find(key);
  if (found != active_.end()) {
    found->second.message = std::move(message);  // The newest wording; nobody is told twice.
    return;
  }
  if (acknowledged_.contains(key)) return;
  Alarm alarm{key, std::move(kind), std::move(message), clock_.now()};
  active_.emplace(std::move(key), alarm);
  const std::string fix = fix_of(alarm);
  logger_.error("alarm (" + alarm.kind + "): " + alarm.message + (fix.empty() ? "" : " [to do: " + fix + "]"));
  note(job::event::alarm_raised, {{"key", alarm.key}, {"kind", alarm.kind}, {"message", alarm.message}});
  tell(alarm);
}

void Alarms::clear(const std::string& key) {
  if (acknowledged_.erase(key) > 0) return note(job::event::alarm_cleared, {{"key", key}});
  const auto found = active_.find(key);
  if (found == active_.end()) return;
  logger_.notice("alarm over (" + found->second.kind + "): " + found->second.message);
  active_.erase(found);
  note(job::event::alarm_cleared, {{"key", key}});
}

void Alarms::clear_below(std::string_view prefix) {
  std::vector<std::string> keys;
  const auto consider = [&](const auto& known) {
    for (const auto& [key, what] : known)
      if (key.starts_with(prefix)) keys.push_back(key);
  };
  consider(active_);
  consider(acknowledged_);
  for (const auto& key : keys) clear(key);
}

bool Alarms::acknowledge(const std::string& key) {
  const auto found = active_.find(key);
  if (found == active_.end()) return false;
  logger_.notice("alarm acknowledged (" + found->second.kind + "): " + found->second.message);
  active_.erase(found);
  acknowledged_[key] = clock_.now();
  note(job::event::alarm_acknowledged, {{"key", key}});
  return true;
}

void Alarms::note(std::string_view type, json::object data) {
  job::Event event;
  event.type = type;
  event.data = std::move(data);
  asio::co_spawn(executor_, journal_event(std::move(event)), asio::detached);
}

std::optional<Timestamp> Alarms::needed_since() const {
  std::optional<Timestamp> oldest;
  const auto consider = [&](Timestamp since) { oldest = oldest ? std::min(*oldest, since) : since; };
  for (const auto& [key, alarm] : active_) consider(alarm.since);
  for (const auto& [key, since] : acknowledged_) consider(since);
  return oldest;
}

json::array Alarms::to_json() const {
  json::array alarms;
  for (const auto& [key, alarm] : active_)
    alarms.push_back(json::object{{"key", key}, {"kind", alarm.kind}, {"message", alarm.message}, {"since", to_rfc3339(alarm.since)}, {"fix", fix_of(alarm)}});
  return alarms;
}

std::string fix_of(const Alarm& alarm) {
  // A key of a reporter begins with the source's name: "dci/parked/ITEM".
  const std::string source = alarm.key.substr(0, alarm.key.find('/'));
  if (const std::string prefix = source + "/parked/"; alarm.kind == "parked")
    return "outpost reporter retry " + shell_word(source) + (alarm.key.starts_with(prefix) ? " " + shell_word(alarm.key.substr(prefix.size())) : "");
  if (alarm.kind == "stuck") return "outpost spool list " + shell_word(source);
  if (alarm.kind == "configuration" || alarm.key == "configuration") return "outpost config check && outpost reload";
  if (alarm.kind == "credentials") return "outpost doctor";
  if (alarm.kind == "plugins") return "outpost config check";
  if (alarm.kind == "topic") return "outpost doctor D09";
  if (alarm.kind == "promotion") return "outpost status";
  if (alarm.kind == "data-loss") return "outpost alarm ack " + shell_word(alarm.key);
  if (alarm.key == "disk" || alarm.key == "state-directory" || alarm.key == "logs" || alarm.key == "journal") return "df -h";
  return "";
}

asio::awaitable<void> Alarms::journal_event(job::Event event) {
  std::vector<job::Event> drafts;
  drafts.push_back(std::move(event));
  const auto written = co_await journal_.append(std::move(drafts));
  if (!written) logger_.warning("an alarm could not be journaled: " + written.error().message);
}

/// Each way by itself, as it is configured now, whatever a reload makes of it meanwhile.
void Alarms::tell(const Alarm& alarm) {
  if (!ways_.webhook.empty() && ways_.client) asio::co_spawn(executor_, tell_by(&Alarms::call_webhook, "alarms.webhook", ways_, alarm), asio::detached);
  if (!ways_.command.empty() && ways_.commands) asio::co_spawn(executor_, tell_by(&Alarms::run_command, "alarms.command", ways_, alarm), asio::detached);
}

/// The one that was raised then, neither over nor acknowledged.
bool Alarms::is_up(const Alarm& alarm) const {
  const auto found = active_.find(alarm.key);
  return found != active_.end() && found->second.since == alarm.since;
}

asio::awaitable<void> Alarms::tell_by(Way way, std::string name, Ways ways, Alarm alarm) {
  asio::steady_timer timer{executor_};
  for (std::size_t tries = 1;; ++tries) {
    const auto told = co_await way(ways, alarm);
    if (told) co_return;
    const std::string& why = told.error().message;
    const bool is_last = told.error().fault != Fault::retry_later || tries > ways.pauses.size() || waiting_to_tell_ >= ways.patience;
    if (is_last) {
      logger_.error(name + ": " + why + "; given up after " + std::to_string(tries) + (tries == 1 ? " try" : " tries") + ": this way told nobody of " + alarm.key);
      co_return;
    }
    const auto pause = ways.pauses[tries - 1];
    const std::string note = name + ": " + why + "; tried again in " + format_duration(pause);
    if (tries == 1) logger_.warning(note);
    else logger_.info(note);
    ++waiting_to_tell_;
    timer.expires_after(pause);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    --waiting_to_tell_;
    if (!is_up(alarm)) {
      logger_.info(name + ": " + alarm.key + " is over or acknowledged: nobody needs to be told any more");
      co_return;
    }
  }
}

asio::awaitable<Result<void>> Alarms::call_webhook(Ways ways, Alarm alarm) {
  http::Request request;
  request.method = "POST";
  request.url = ways.webhook;
  request.headers.set("Content-Type", "application/json");
  request.body = json::serialize(json::object{{"event", "alarm"}, {"key", alarm.key}, {"kind", alarm.kind},
                                              {"message", alarm.message}, {"since", to_rfc3339(alarm.since)}, {"fix", fix_of(alarm)}});
  const auto answer = co_await ways.client->send(std::move(request));
  if (!answer) co_return Error{Fault::retry_later, answer.error().message};
  if (answer->status / 100 == 2) co_return Result<void>{};
  const bool is_final = answer->status / 100 == 4 && answer->status != 408 && answer->status != 429;
  co_return Error{is_final ? Fault::refused : Fault::retry_later, "answered " + std::to_string(answer->status)};
}

asio::awaitable<Result<void>> Alarms::run_command(Ways ways, Alarm alarm) {
  const std::string fix = fix_of(alarm);
  const std::string text = "Outpost: " + alarm.kind + " since " + to_rfc3339(alarm.since) + "\n\n" + alarm.message + "\n" + (fix.empty() ? "" : "\nTo do: " + fix + "\n");
  // The text goes through the environment and a pipe, never through the command line: it may hold a server's words.
  process::Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", R"(printf %s "$OUTPOST_ALARM_TEXT" | "$@")", "sh"};
  command.arguments.insert(command.arguments.end(), ways.command.begin(), ways.command.end());
  command.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "OUTPOST_ALARM_TEXT=" + text,
                         "OUTPOST_ALARM_KIND=" + alarm.kind};
  command.deadline = std::chrono::minutes{1};
  std::string output;
  process::TextOutput words{[&output](std::string_view bytes) { output += bytes.substr(0, 4096 - std::min<std::size_t>(4096, output.size())); }};
  const auto finished = co_await ways.commands->run(std::move(command), words);
  const auto* exited = finished ? std::get_if<process::Exited>(&finished->ending) : nullptr;
  if (exited && exited->status == 0) co_return Result<void>{};
  const std::string said = finished ? printable(trim(output), 500) : finished.error().message;
  co_return Error{Fault::retry_later, ways.command.front() + " did not succeed" + (said.empty() ? "" : ": " + said)};
}

}  // namespace outpost::daemon
