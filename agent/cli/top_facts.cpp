#include "agent/cli/top_facts.hpp"

#include "agent/base/text.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <algorithm>

namespace outpost::cli {

namespace json = boost::json;
using job::text_at;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t compared = 20;        ///< Jobs that say what is usual.
constexpr std::size_t history = 200;        ///< Jobs among which they are looked for.
constexpr std::size_t bytes_of_line = 400;  ///< More than a line of a log usually has.

milliseconds median(std::vector<milliseconds> durations) {
  const auto middle = durations.begin() + static_cast<std::ptrdiff_t>(durations.size() / 2);
  std::nth_element(durations.begin(), middle, durations.end());
  return *middle;
}

/// The step of a job of which the log tells most: the newest that runs, or else the newest.
std::string step_to_show(const json::object& job) {
  std::string shown;
  bool runs = false;
  for (const auto& each : array_at(job, "steps")) {
    const auto& step = each.as_object();
    const bool is_running = text_at(step, "state") == "running";
    if (!is_running && runs) continue;
    shown = text_at(step, "step_id");
    runs = is_running;
  }
  return shown;
}

}  // namespace

StageDurations usual_durations(const json::array& jobs, const std::string& name) {
  std::map<std::string, std::vector<milliseconds>> taken;
  std::size_t seen = 0;
  for (const auto& each : jobs) {
    const auto& job = each.as_object();
    if (text_at(job, "name") != name || !parse_rfc3339(text_at(job, "ended_at"))) continue;
    if (++seen > compared) break;
    for (const auto& one : array_at(job, "stages")) {
      const auto& stage = one.as_object();
      const auto begin = parse_rfc3339(text_at(stage, "started_at")), end = parse_rfc3339(text_at(stage, "ended_at"));
      if (begin && end && text_at(stage, "outcome") == "ok")
        taken[text_at(stage, "stage")].push_back(std::chrono::duration_cast<milliseconds>(*end - *begin));
    }
  }
  StageDurations usual;
  for (auto& [stage, durations] : taken) usual[stage] = median(std::move(durations));
  return usual;
}

const json::object* chosen_job(const json::object& status, std::size_t chosen) {
  const auto& running = array_at(object_at(status, "jobs"), "running");
  return running.empty() ? nullptr : &running[chosen % running.size()].as_object();
}

void TopAsker::ask(TopFacts& facts, std::size_t chosen, std::size_t log_lines) {
  const auto status = daemon::ask_daemon(socket_, "/api/v1/status");
  facts.now = SystemClock{}.now();
  if (!status || !status->is_object()) {
    facts.trouble = status ? "the daemon's answer is no status" : status.error().message;
    known_.clear();
    return;
  }
  facts.trouble.clear();
  facts.status = status->get_object();
  const auto* job = chosen_job(facts.status, chosen);
  facts.job_id = job ? text_at(*job, "job_id") : "";
  ask_history(facts);
  ask_log(facts, log_lines);
}

void TopAsker::ask_history(TopFacts& facts) {
  std::string running;
  for (const auto& each : array_at(object_at(facts.status, "jobs"), "running"))
    running += text_at(each.as_object(), "job_id") + " ";
  if (running == known_) return;
  const auto answer = daemon::ask_daemon(socket_, "/api/v1/jobs?limit=" + std::to_string(history));
  if (!answer || !answer->is_object()) return;
  known_ = running;
  facts.usual.clear();
  for (const auto& each : array_at(object_at(facts.status, "jobs"), "running")) {
    const std::string name = text_at(each.as_object(), "name");
    facts.usual[name] = usual_durations(array_at(answer->get_object(), "jobs"), name);
  }
}

void TopAsker::ask_log(TopFacts& facts, std::size_t log_lines) {
  facts.step_id.clear();
  facts.log.clear();
  if (facts.job_id.empty() || log_lines == 0) return;
  const std::string path = "/api/v1/jobs/" + percent_encode(facts.job_id);
  const auto job = daemon::ask_daemon(socket_, path);
  if (!job || !job->is_object()) return;
  facts.step_id = step_to_show(object_at(job->get_object(), "job"));
  if (facts.step_id.empty()) return;
  const auto page = daemon::ask_daemon(
      socket_, path + "/logs/" + percent_encode(facts.step_id) + "?tail=" + std::to_string(log_lines * bytes_of_line));
  if (!page || !page->is_object()) return;
  for (const auto& each : array_at(object_at(page->get_object(), "log"), "lines"))
    facts.log.push_back(printable(text_at(each.as_object(), "text")));
  if (facts.log.size() > log_lines)
    facts.log.erase(facts.log.begin(), facts.log.end() - static_cast<std::ptrdiff_t>(log_lines));
}

}  // namespace outpost::cli
