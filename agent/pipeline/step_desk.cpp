#include "agent/pipeline/step_desk.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/job/own_variables.hpp"
#include "agent/pipeline/handed_over.hpp"
#include "agent/pipeline/redaction.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t longest_name = 500, longest_text = 4096, longest_value = 16 * 1024;
constexpr milliseconds longest_time = std::chrono::hours{24 * 30};

Error malformed(std::string message) { return {Fault::malformed, std::move(message)}; }

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= 100 && std::isalnum(static_cast<unsigned char>(text.front())) && std::all_of(text.begin(), text.end(), fits);
}

/// A path that names a file below some folder, for people and servers.
bool is_file_name(const std::string& name) {
  if (name.empty() || name.size() > 255 || name.front() == '/' || name != printable(name, 255)) return false;
  const auto parts = split(name, '/');
  return std::none_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty() || part == "." || part == ".."; });
}

std::optional<milliseconds> time_at(const json::object& arguments, std::string_view key) {
  const auto* value = arguments.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
  return std::min(milliseconds{value->get_int64()}, longest_time);
}

bool is_variable_name(std::string_view name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && name.size() <= 100 && !std::isdigit(static_cast<unsigned char>(name.front())) && std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

StepDesk::StepDesk(Ports ports, Ways ways, Step step, std::string step_id, JobDirectory directory, log::Redactor redactor, Times times)
    : ports_{ports}, ways_{std::move(ways)}, step_{std::move(step)}, names_{step_.stage, std::move(step_id), step_.plugin, step_.hook},
      directory_{std::move(directory)}, redactor_{std::move(redactor)}, times_{times}, deadline_{std::make_shared<process::Deadline>(times.ends)} {}

std::string StepDesk::redacted(std::string_view plain) {
  redactor_.prepare();
  return redactor_.redact(plain);
}

std::string StepDesk::text(const StepCall& call, std::string_view key, std::size_t limit) {
  const auto* value = call.arguments.if_contains(key);
  if (!value || !value->is_string()) return {};
  std::string all = redacted(value->get_string());
  if (all.size() <= limit) return all;
  while (limit > 0 && (static_cast<unsigned char>(all[limit]) & 0xC0) == 0x80) --limit;  // Not in the middle of a character.
  return all.substr(0, limit) + "...";
}

std::string StepDesk::result_prefix() const {
  std::string prefix = std::string{to_string(step_.stage)} + "/" + step_.plugin + "/";
  if (step_.hook != to_string(step_.stage)) prefix += step_.hook + "/";
  return prefix;
}

/// A call that is being carried out. However that ends, those who wait for it go on.
struct StepDesk::UnderWay {
  UnderWay(std::shared_ptr<CallsUnderWay> all, std::string call, const asio::any_io_executor& loop) : calls{std::move(all)}, id{std::move(call)} {
    (*calls)[id] = std::make_shared<asio::steady_timer>(loop, asio::steady_timer::time_point::max());
  }
  ~UnderWay() {
    const auto ended = calls->extract(id);
    ended.mapped()->cancel();
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

  std::shared_ptr<CallsUnderWay> calls;
  std::string id;
};

asio::awaitable<Result<json::value>> StepDesk::answer(StepCall call) {
  // The same call on another connection: it was sent again because an answer seemed lost, and takes effect once.
  for (auto same = under_way_->find(call.id); same != under_way_->end(); same = under_way_->find(call.id)) {
    const auto ended = same->second;
    co_await ended->async_wait(asio::as_tuple(asio::use_awaitable));
    const auto given_up = co_await asio::this_coro::cancellation_state;
    if (given_up.cancelled() != asio::cancellation_type::none) co_return Error{Fault::cancelled, "nobody waits for the answer"};
  }
  const auto loop = co_await asio::this_coro::executor;
  const UnderWay under_way{under_way_, call.id, loop};
  auto carrying_out = carry_out(std::move(call));
  co_return co_await std::move(carrying_out);
}

asio::awaitable<Result<json::value>> StepDesk::carry_out(StepCall call) {
  // What others noted goes out with what is noted here, and must not be lost with a connection.
  if (call.verb != "lock") co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto* known = record();
  if (!known) co_return Error{Fault::refused, "the step has ended"};
  const auto& verb = call.verb;
  if (known->told.calls.contains(call.id)) {
    if (verb != "timeout") co_return json::value{};
    co_return json::value(std::chrono::floor<std::chrono::seconds>(deadline_->at() - steady_clock::now()).count());
  }
  if (verb == "cancelled") {
    if (ways_.is_cancelled()) co_return json::value{};
    co_return Error{Fault::refused, ""};
  }
  if (verb == "progress" || verb == "status") co_return show(call);
  if (verb == "locks") co_return json::value(ports_.locks.list());
  if (known->told.calls.size() >= most_calls) co_return Error{Fault::refused, "the hook has said more than " + std::to_string(most_calls) + " things; no more are written down"};
  if (verb == "note" || verb == "warn" || verb == "error" || verb == "group" || verb == "metric" || verb == "var" || verb == "retry") co_return co_await annotate(call);
  if (verb == "result") co_return co_await report(call);
  if (verb == "artifact") co_return co_await take_artifact(call);
  if (verb == "junit") co_return co_await take_junit(call);
  if (verb == "summary") co_return co_await take_summary(call);
  if (verb == "env") co_return co_await set_environment(call);
  if (verb == "timeout" || verb == "heartbeat") co_return co_await move_deadline(call);
  if (verb == "redact") co_return co_await hide(call);
  if (verb == "lock") co_return co_await lock(call);
  if (verb == "unlock") co_return co_await unlock(call);
  if (verb == "abort") co_return co_await abort(call);
  if (verb == "reboot") co_return co_await reboot(call);
  co_return Error{Fault::unavailable, "this agent knows no verb \"" + printable(verb, 80) + "\""};
}

void StepDesk::cannot_hear(const Error& why) {
  static constexpr std::string_view what = "what hooks say by outpost-hook is not heard: ";
  const auto& warnings = ports_.record.story().warnings;
  const bool known = std::any_of(warnings.begin(), warnings.end(), [](const auto& warning) { return warning.find(what) != warning.npos; });
  if (!known) ports_.record.warn_of(names_, std::string{what} + printable(why.message));
}

StepDesk::Answer StepDesk::note(const StepCall& call, json::object data) {
  data["verb"] = call.verb;
  data["call"] = call.id;
  ports_.record.note_of(names_, event::step_told, std::move(data));
  co_await ports_.record.commit();
  co_return json::value{};
}

Result<json::value> StepDesk::show(const StepCall& call) {
  json::object what;
  if (call.verb == "progress") {
    for (const char* key : {"done", "of"}) {
      const auto* value = call.arguments.if_contains(key);
      if (!value || !value->is_number()) return malformed("progress is two numbers");
      what[key] = *value;
    }
  }
  what["text"] = printable(text(call, "text", longest_name), longest_name + 10);
  ways_.show(call.verb, std::move(what));
  return json::value{};
}

// ---- what is only written down ---------------------------------------------------------------------------------------

StepDesk::Answer StepDesk::annotate(const StepCall& call) {
  json::object data;
  const auto copy_text = [&](const char* key, std::size_t limit) {
    if (call.arguments.contains(key)) data[key] = text(call, key, limit);
  };
  if (call.verb == "metric") {
    copy_text("name", longest_name);
    const auto* value = call.arguments.if_contains("value");
    boost::system::error_code no_number;
    const double number = value ? value->to_number<double>(no_number) : 0;
    if (!value || no_number || !std::isfinite(number) || !is_name(job::text_at(data, "name"))) co_return malformed("a metric has a name and a number");
    data["value"] = number;
    copy_text("unit", 20);
  } else if (call.verb == "var") {
    copy_text("name", longest_name);
    if (!is_name(job::text_at(data, "name"))) co_return malformed("a value has a name");
    for (const char* key : {"secret", "unset"})
      if (job::flag_at(call.arguments, key)) data[key] = true;
    if (const auto* value = call.arguments.if_contains("value")) {
      const std::string shown = json::serialize(*value);
      if (shown.size() <= longest_text && redacted(shown) == shown) data["value"] = *value;
    }
  } else if (call.verb == "retry") {
    const auto after = time_at(call.arguments, "after_ms");
    if (!after) co_return malformed("retry needs a time");
    data["after_ms"] = std::max<milliseconds>(*after, std::chrono::seconds{1}).count();
    copy_text("why", longest_text);
  } else {
    for (const char* key : {"text", "file", "action", "title"}) copy_text(key, longest_text);
    if (call.verb == "warn") ports_.record.warn_of(names_, printable(job::text_at(data, "text")));
  }
  co_return co_await note(call, std::move(data));
}

StepDesk::Answer StepDesk::report(const StepCall& call) {
  static constexpr std::array<std::string_view, 5> outcomes{"pass", "fail", "error", "skip", "xfail"};
  const auto outcome = job::text_at(call.arguments, "outcome");
  if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end()) co_return malformed("an outcome is pass, fail, error, skip or xfail");
  json::object data{{"outcome", outcome}, {"suite", text(call, "suite", longest_name)}, {"name", text(call, "name", longest_name)}, {"message", text(call, "message", longest_text)}};
  if (job::text_at(data, "name").empty()) co_return malformed("a case has a name");
  if (const auto duration = time_at(call.arguments, "duration_ms")) data["duration_ms"] = duration->count();
  if (const auto* keys = call.arguments.if_contains("keys"); keys && keys->is_object()) {
    json::object kept;
    for (const auto& [name, value] : keys->get_object())
      if (value.is_string() && kept.size() < 20) kept[redacted(name)] = redacted(value.get_string()).substr(0, longest_name);
    data["keys"] = std::move(kept);
  }
  co_return co_await note(call, std::move(data));
}

// ---- files -----------------------------------------------------------------------------------------------------------

asio::awaitable<Result<job::Blob>> StepDesk::keep(StepCall& call, std::uint64_t limit) {
  if (!call.file.is_open()) co_return malformed("no open file came with it");
  if (++handed_over_ > most_handed_over) co_return Error{Fault::refused, "the hook has handed over more than " + std::to_string(most_handed_over) + " files"};
  auto copying = [file = std::make_shared<Descriptor>(std::move(call.file)), directory = directory_, step = names_.step_id, id = call.id, limit,
                  redactor = redactor_]() mutable {
    return keep_copy(*file, directory, step, id, limit, redactor);
  };
  co_return co_await ports_.workers.run(std::move(copying));
}

asio::awaitable<void> StepDesk::note_artifact(const StepCall& call, job::Blob blob, std::string name, std::string mime) {
  blob.mime = mime;
  ports_.record.note_of(names_, event::artifact_found, {{"name", name}, {"mime", mime}, {"call", call.id}}).blobs.push_back(std::move(blob));
  co_await ports_.record.commit();
}

StepDesk::Answer StepDesk::take_artifact(StepCall& call) {
  std::string name = text(call, "name", longest_name), mime = text(call, "type", 100);
  if (!is_file_name(name)) co_return malformed("\"" + printable(name, 80) + "\" is no name for an artifact: a path without .. and control characters");
  auto kept = co_await keep(call, longest_artifact);
  if (!kept) co_return kept.error();
  co_await note_artifact(call, std::move(*kept), std::move(name), std::move(mime));
  co_return json::value{};
}

StepDesk::Answer StepDesk::take_summary(StepCall& call) {
  auto kept = co_await keep(call, longest_summary);
  if (!kept) co_return kept.error();
  std::string name = result_prefix() + "summary.md", mime = "text/markdown";
  co_await note_artifact(call, std::move(*kept), std::move(name), std::move(mime));
  co_return json::value{};
}

StepDesk::Answer StepDesk::take_junit(StepCall& call) {
  std::string name = text(call, "name", longest_name);
  if (!is_file_name(name)) co_return malformed("\"" + printable(name, 80) + "\" is no name for a result");
  if (name.ends_with(".xml")) name.resize(name.size() - 4);
  const std::string whole = text(call, "whole", 64);
  if (!whole.empty() && !call.file.is_open()) {
    auto merging = merge_parts(call, std::move(name), whole);
    co_return co_await std::move(merging);
  }
  auto kept = co_await keep(call, longest_artifact);
  if (!kept) co_return kept.error();
  job::Blob blob = *kept;
  Step step = step_;
  JobDirectory directory = directory_;
  auto found = co_await ports_.collector.examine(std::move(step), name, std::move(blob), std::move(directory));
  if (!found) {
    auto dropping = [at = directory_, blob_there = *kept] { return drop_copy(at, blob_there), true; };
    co_await ports_.workers.run(std::move(dropping));
    co_return malformed(found.error().message);
  }
  if (!whole.empty() && found->can_be_part) {
    parts_[whole][job::number_at(call.arguments, "part")] = std::move(*kept);
    co_return json::value(json::object{{"part", true}});
  }
  auto noting = note_result(call, std::move(*found));
  co_return co_await std::move(noting);
}

StepDesk::Answer StepDesk::merge_parts(const StepCall& call, std::string name, std::string whole) {
  std::vector<job::Blob> parts;
  for (const auto& [number, part] : parts_[whole]) parts.push_back(part);
  parts_.erase(whole);
  if (parts.empty() || static_cast<std::int64_t>(parts.size()) != job::number_at(call.arguments, "parts"))
    co_return Error{Fault::retry_later, "not all files of the result are here: the agent was started anew meanwhile. Hand them over again"};
  Step step = step_;
  JobDirectory directory = directory_;
  std::filesystem::path to = std::filesystem::path{parts.front().path}.parent_path() / call.id;
  log::Redactor hiding = redactor_;
  auto merging = ports_.collector.merge(std::move(step), std::move(name), parts, std::move(to), std::move(directory), std::move(hiding));
  auto found = co_await std::move(merging);
  auto dropping = [at = directory_, parts = std::move(parts)] {
    for (const auto& part : parts) drop_copy(at, part);
    return true;
  };
  co_await ports_.workers.run(std::move(dropping));
  if (!found) co_return found.error();
  auto noting = note_result(call, std::move(*found));
  co_return co_await std::move(noting);
}

StepDesk::Answer StepDesk::note_result(const StepCall& call, FoundResult found) {
  found.name = take_result_name(found.name);
  std::vector<FoundResult> results;
  results.push_back(std::move(found));
  auto comparing = ways_.compare(std::move(results));
  results = co_await std::move(comparing);
  log::Redactor hiding = redactor_;
  for (auto& result : results) {
    hide_secrets(result, hiding);
    auto& noted = ports_.record.note_of(names_, event::result_found, to_json(result));
    noted.data["call"] = call.id;
    noted.blobs.push_back(result.blob);
  }
  co_await ports_.record.commit();
  co_return json::value{};
}

std::string StepDesk::take_result_name(const std::string& name) {
  const auto& names = ports_.record.story().result_names;
  const auto is_taken = [&](const std::string& other) { return result_names_.contains(other) || std::find(names.begin(), names.end(), other) != names.end(); };
  std::string unique = name;
  for (unsigned number = 2; is_taken(unique); ++number) unique = name + "." + std::to_string(number);
  result_names_.insert(unique);
  return unique;
}

// ---- what the job does -----------------------------------------------------------------------------------------------

StepDesk::Answer StepDesk::set_environment(const StepCall& call) {
  const auto* set = call.arguments.if_contains("set");
  if (!set) {
    std::string list;
    for (const auto& [name, value] : ports_.record.story().environment) list += (list.empty() ? "" : "\n") + name + "=" + value;
    if (list.empty()) co_return json::value{};
    co_return json::value(json::string{list});
  }
  if (!set->is_object()) co_return malformed("variables are names with texts");
  const bool too_many = ports_.record.story().environment.size() + set->get_object().size() > 500;
  if (too_many) co_return Error{Fault::refused, "a job has no more than 500 variables of its own"};
  for (const auto& [name, value] : set->get_object()) {
    const std::string shown{printable(name, 80)};
    if (!is_variable_name(name) || (!value.is_string() && !value.is_null())) co_return malformed(shown + " is no variable");
    if (job::is_own_variable(name)) co_return Error{Fault::refused, shown + " is the contract's own and cannot be changed"};
    if (!value.is_string()) continue;
    const std::string plain{value.get_string()};
    if (plain.size() > longest_value || plain.find('\0') != plain.npos) co_return Error{Fault::refused, shown + " is longer than 16 KiB, or holds a NUL"};
    if (redacted(plain) != plain) co_return Error{Fault::refused, shown + " holds a secret, and variables are journaled: leave it in a file of OUTPOST_SHARED"};
  }
  json::object data{{"set", *set}};
  co_return co_await note(call, std::move(data));
}

StepDesk::Answer StepDesk::move_deadline(const StepCall& call) {
  const auto now = steady_clock::now();
  const auto bound = std::min(times_.started + std::max(times_.most, times_.whole), times_.latest);
  const auto more = time_at(call.arguments, "more_ms"), left = time_at(call.arguments, "left_ms");
  auto wanted = deadline_->at();
  if (call.verb == "heartbeat") wanted = std::max(wanted, now + times_.whole);
  else if (more) wanted += *more;
  else if (left) wanted = now + *left;
  else co_return malformed("timeout needs a time");
  wanted = std::min(wanted, std::max(bound, deadline_->at()));
  const auto from_start = std::chrono::duration_cast<milliseconds>(wanted - times_.started);
  if (wanted != deadline_->at()) {
    StepCall moved{call.id, "timeout", {}, Descriptor{}};
    json::object data{{"timeout_ms", from_start.count()}};
    co_await note(moved, std::move(data));
    deadline_->move_to(wanted);
  }
  if (call.verb == "heartbeat") co_return json::value{};
  co_return json::value(std::chrono::floor<std::chrono::seconds>(wanted - now).count());
}

StepDesk::Answer StepDesk::hide(const StepCall& call) {
  std::string secret = job::text_at(call.arguments, "text");
  if (secret.size() < 4 || secret.size() > longest_value) co_return malformed("what is hidden has 4 bytes to 16 KiB");
  if (++hidden_ > most_hidden) co_return Error{Fault::refused, "the hook has had more than " + std::to_string(most_hidden) + " texts hidden"};
  redactor_.add(secret);  // And no more: a hook may hide a thousand texts before it says anything.
  ways_.hide(secret);
  auto remembering = [directory = directory_, secret] { return remember_hidden(directory, secret); };
  if (auto remembered = co_await ports_.workers.run(std::move(remembering)); !remembered) co_return remembered.error();
  json::object nothing;
  co_return co_await note(call, std::move(nothing));
}

StepDesk::Answer StepDesk::lock(const StepCall& call) {
  const auto name = text(call, "name", longest_name);
  if (!is_name(name)) co_return malformed("a lock has a name");
  const auto limit = time_at(call.arguments, "wait_ms");
  auto taking = ports_.locks.take(name, ports_.record.story().job.id, limit);
  if (!co_await std::move(taking)) co_return Error{Fault::retry_later, name + " is locked by another job"};
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  json::object data{{"name", name}};
  co_return co_await note(call, std::move(data));
}

StepDesk::Answer StepDesk::unlock(const StepCall& call) {
  const auto name = job::text_at(call.arguments, "name");
  if (!ports_.record.story().locks.contains(name)) co_return Error{Fault::refused, printable(name, 80) + " is not locked by this job"};
  // Written down first: after a crash it may be free although we hold it, never the other way round.
  json::object data{{"name", name}};
  auto noted = co_await note(call, std::move(data));
  ports_.locks.give_back(name, ports_.record.story().job.id);
  co_return noted;
}

StepDesk::Answer StepDesk::abort(const StepCall& call) {
  std::string why = printable(text(call, "why", longest_text));
  if (why.empty()) co_return malformed("abort needs a reason");
  json::object data{{"why", why}};
  auto noted = co_await note(call, std::move(data));
  ways_.abort(why);
  co_return noted;
}

StepDesk::Answer StepDesk::reboot(const StepCall& call) {
  if (const auto may = ways_.may_reboot(); !may) co_return may.error();
  json::object data{{"why", printable(text(call, "why", longest_text))}};
  co_return co_await note(call, std::move(data));
}

}  // namespace outpost::pipeline
