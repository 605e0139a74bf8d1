// What is asked of the daemon about its jobs.

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/cli/test_result.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <functional>
#include <iostream>

namespace outpost::cli {

namespace json = boost::json;
using job::text_at;

namespace {

std::string shown(const json::object& object, std::string_view key) { return printable(text_at(object, key)); }

std::string duration_between(const std::string& from, const std::string& to) {
  const auto begin = parse_rfc3339(from), end = parse_rfc3339(to);
  if (!begin) return "";
  return format_duration(std::chrono::duration_cast<std::chrono::milliseconds>((end ? *end : SystemClock{}.now()) - *begin));
}

std::string components_of(const json::object& job) {
  std::string names;
  for (const auto& each : array_at(job, "components")) names += (names.empty() ? "" : ", ") + shown(each.as_object(), "name");
  return names;
}

void print_line(const json::object& job) {
  std::cout << text_at(job, "job_id") << "  " << shown(job, "state") << "  " << shown(job, "name") << "  " << components_of(job) << "  "
            << text_at(job, "queued_at").substr(0, 19) << "Z\n";
}

/// "install.acme: 3/10, formatting": what a running step shows of itself.
void print_shown(const json::object& job) {
  for (const auto& each : array_at(job, "shows")) {
    const auto& note = each.as_object();
    const auto text = shown(note, "text");
    std::cout << "now         " << shown(note, "step_id") << "  ";
    if (note.contains("done")) std::cout << note.at("done").to_number<double>() << "/" << note.at("of").to_number<double>() << (text.empty() ? "" : ", ");
    std::cout << text << "\n";
  }
}

/// What it has said that stays.
void print_told(const json::object& step) {
  if (const auto* reported = step.if_contains("reported"); reported && reported->is_object() && !reported->get_object().empty()) {
    std::cout << "            reported";
    for (const auto& [outcome, count] : reported->get_object()) std::cout << " " << std::string_view{outcome} << " " << count.to_number<std::int64_t>();
    std::cout << "\n";
  }
  if (const auto* metrics = step.if_contains("metrics"); metrics && metrics->is_object())
    for (const auto& [name, value] : metrics->get_object()) std::cout << "            " << printable(name) << " = " << value.to_number<double>() << "\n";
  for (const auto& each : array_at(step, "notes")) {
    const auto& note = each.as_object();
    const auto file = shown(note, "file");
    std::cout << "            " << text_at(note, "level") << ": " << shown(note, "text") << (file.empty() ? "" : " (" + file + ")") << "\n";
  }
}

/// ".10-check" of a hook that is in a folder of its stage; "" of one that is called as its stage is.
std::string hook_part(const json::object& step) {
  const auto hook = shown(step, "hook");
  const auto slash = hook.rfind('/');
  return slash == std::string::npos ? "" : "." + hook.substr(slash + 1);
}

void print_job(const json::object& job) {
  std::cout << "job         " << text_at(job, "job_id") << "  " << shown(job, "name") << "\nstate       " << shown(job, "state") << "\n";
  if (const auto* judgement = job.if_contains("judgement"); judgement && judgement->is_object())
    if (const auto message = shown(judgement->get_object(), "message"); !message.empty()) std::cout << "because     " << message << "\n";
  std::cout << "components  " << components_of(job) << "\nqueued      " << text_at(job, "queued_at") << "\n";
  if (const auto claimed = text_at(job, "claimed_at"); !claimed.empty())
    std::cout << "claimed     " << claimed << ", for " << duration_between(claimed, text_at(job, "ended_at")) << "\n";
  if (const auto url = shown(job, "url"); !url.empty()) std::cout << "server      " << url << "\n";
  for (const auto& each : array_at(job, "steps")) {
    const auto& step = each.as_object();
    std::cout << "step        " << shown(step, "step_id") << "  " << shown(step, "state") << ", " << duration_between(text_at(step, "started_at"), text_at(step, "ended_at")) << "\n";
    print_told(step);
  }
  for (const auto& each : array_at(job, "skipped")) {
    const auto& hook = each.as_object();
    std::cout << "skipped     " << shown(hook, "stage") << "." << shown(hook, "plugin") << hook_part(hook) << "  " << shown(hook, "reason") << "\n";
  }
  print_shown(job);
  for (const auto& each : array_at(job, "locks")) std::cout << "lock        " << printable(std::string{each.as_string()}) << "\n";
  if (const auto* tests = job.if_contains("tests"); tests && tests->is_object() && job::number_at(tests->get_object(), "total") > 0) {
    const auto number = [&](const char* key) { return job::number_at(tests->get_object(), key); };
    const auto flaky = number("flaky") > 0 ? " (" + std::to_string(number("flaky")) + " flaky)" : "";
    std::cout << "tests       " << number("total") << ": " << number("success") << " passed" << flaky << ", " << number("failures") << " failed, " << number("errors") << " errors, "
              << number("skips") << " skipped\n";
  }
  for (const auto& each : array_at(job, "test_results")) print_test_result(std::cout, each.as_object());
  for (const auto& each : array_at(job, "artifacts")) std::cout << "artifact    " << printable(std::string{each.as_string()}) << "\n";
  for (const auto& each : array_at(job, "warnings")) std::cout << "WARNING     " << printable(std::string{each.as_string()}) << "\n";
}

/// Has the daemon do something to one job, and says so.
int tell(const DaemonOptions& daemon, const JobOptions& options, const std::string& what, const std::function<std::string(const json::object&, const std::string& id)>& say) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto id = id_of(*socket, options.job);
  if (!id) return fail(id.error());
  json::object body;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/jobs/" + percent_encode(*id) + "/" + what, std::move(body));
  if (!answer) return fail(answer.error());
  if (options.as_json) print_document("outpost-job-" + what, answer->as_object());
  else std::cout << say(answer->as_object(), *id) << "\n";
  return exit_ok;
}

}  // namespace

int list_jobs(const DaemonOptions& daemon, const JobOptions& options) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::ask_daemon(*socket, "/api/v1/jobs?limit=" + std::to_string(options.limit));
  if (!answer) return fail(answer.error());
  const auto& jobs = array_at(answer->as_object(), "jobs");
  if (options.as_json) {
    print_document("outpost-jobs", {{"jobs", jobs}});
    return exit_ok;
  }
  for (const auto& each : jobs) print_line(each.as_object());
  if (jobs.empty()) std::cout << "no jobs\n";
  return exit_ok;
}

int show_job(const DaemonOptions& daemon, const JobOptions& options) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = ask_of_job(*socket, options.job);
  if (!answer) return fail(answer.error());
  const auto& job = answer->at("job").as_object();
  if (options.as_json) print_document("outpost-job-show", job);
  else print_job(job);
  return exit_ok;
}

int start_job(const DaemonOptions& daemon, const JobOptions& options) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/jobs", {{"name", options.job}});
  if (!answer && answer.error().fault == Fault::retry_later) return fail(answer.error(), exit_no_server);
  if (!answer) return fail(answer.error());
  if (options.as_json) print_document("outpost-job-start", answer->as_object());
  else std::cout << "queued: job " << text_at(answer->as_object(), "job_id") << "\n";
  return exit_ok;
}

int cancel_job(const DaemonOptions& daemon, const JobOptions& options) {
  return tell(daemon, options, "cancel", [](const json::object&, const std::string& id) { return "cancelling: job " + id; });
}

int retry_job(const DaemonOptions& daemon, const JobOptions& options) {
  return tell(daemon, options, "retry", [](const json::object& answer, const std::string&) { return "queued: job " + text_at(answer, "job_id"); });
}

int hold_job(const DaemonOptions& daemon, const JobOptions& options) {
  return tell(daemon, options, "hold", [](const json::object&, const std::string& id) { return "held: job " + id + "; let it go with outpost job release"; });
}

int release_job(const DaemonOptions& daemon, const JobOptions& options) {
  return tell(daemon, options, "release", [](const json::object&, const std::string& id) { return "released: job " + id; });
}

}  // namespace outpost::cli
