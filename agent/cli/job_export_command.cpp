#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/job_page.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/job_logs.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <sstream>

namespace outpost::cli {

namespace json = boost::json;

namespace {

/// Of each step; the page is to be mailed.
constexpr std::size_t most_of_log = 1024 * 1024;

StepLog log_of(const std::filesystem::path& jobs, const std::string& job, const std::string& step) {
  std::ostringstream text;
  const auto printed = daemon::print_job_logs({.jobs_directory = jobs, .job = job, .step = step}, text);
  StepLog log{step, text.str()};
  if (!printed) log.text = "[this log cannot be read: " + printed.error().message + "]\n";
  if (log.text.size() <= most_of_log) return log;
  log.complete = false;
  const auto line = log.text.find('\n', log.text.size() - most_of_log);
  log.text.erase(0, line == std::string::npos ? log.text.size() - most_of_log : line + 1);
  return log;
}

Result<void> write(const std::filesystem::path& file, const std::string& text, bool force) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0640);
  if (descriptor < 0 && errno == EEXIST)
    return Error{Fault::refused, printable(file.native()) + " exists; --force replaces it"};
  std::size_t done = 0;
  while (descriptor >= 0 && done < text.size()) {
    const auto size = ::write(descriptor, text.data() + done, text.size() - done);
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (done < text.size()) return errno_error("writing", file.native(), code);
  return {};
}

}  // namespace

int export_job(const DaemonOptions& daemon, const JobExportOptions& options) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = ask_of_job(*socket, options.job);
  if (!answer) return fail(answer.error());
  const auto& job = answer->at("job").as_object();
  const auto id = job::text_at(job, "job_id");
  const auto jobs = config::places_of(daemon.config, config::environment_of(environ)).state_directory / "jobs";
  std::vector<StepLog> logs;
  for (const auto& each : array_at(job, "steps"))
    if (each.is_object()) logs.push_back(log_of(jobs, id, job::text_at(each.get_object(), "step_id")));
  std::string text;
  if (options.as_json) {
    json::object all{{"schema", "outpost-job"}, {"version", 1}, {"job", job}};
    json::array& rows = all["logs"].emplace_array();
    for (const auto& log : logs)
      rows.push_back(json::object{{"step_id", log.step},
                                  {"complete", log.complete},
                                  {"text", is_utf8(log.text) ? log.text : printable(log.text, log.text.size() * 4)}});
    text = json::serialize(all) + "\n";
  } else {
    text = job_page(job, logs);
  }
  if (options.output == "-") {
    std::cout << text;
    return exit_ok;
  }
  std::filesystem::path file = options.output;
  if (file.empty()) file = "outpost-job-" + id + (options.as_json ? ".json" : ".html");
  if (const auto written = write(file, text, options.force); !written) return fail(written.error(), exit_negative);
  std::cout << printable(file.native()) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
