#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/job_logs.hpp"
#include "agent/job/event.hpp"

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

namespace {

/// Whether the daemon says so; one that does not answer may come back and go on with the job.
bool has_ended(const std::filesystem::path& config, const std::string& job_id) {
  const auto socket = socket_of({config, {}});
  if (!socket) return false;
  const auto answer = daemon::ask_daemon(*socket, "/api/v1/jobs/" + percent_encode(job_id));
  if (!answer || !answer->is_object()) return answer.has_error() && answer.error().message.starts_with("there is no job");
  const auto* job = answer->get_object().if_contains("job");
  return job && job->is_object() && !job::text_at(job->get_object(), "ended_at").empty();
}

}  // namespace

int show_job_logs(const JobLogsOptions& options) {
  daemon::JobLogsOptions wanted{.jobs_directory = options.directory / "jobs", .job = options.job, .step = options.step, .times = options.times,
                                .terminal = ::isatty(STDOUT_FILENO) == 1, .json = options.as_json};
  if (options.directory.empty()) {
    const auto loaded = config::load(options.config, config::environment_of(environ), daemon::source_types());
    if (!loaded) {
      std::cerr << loaded.error().text();
      return exit_configuration;
    }
    wanted.jobs_directory = loaded->settings.state_directory / "jobs";
  }
  const auto ended = [&](const std::string& job_id) { return has_ended(options.config, job_id); };
  const auto printed = options.follow ? daemon::follow_job_logs(wanted, std::cout, ended) : daemon::print_job_logs(wanted, std::cout);
  // What cannot be printed is told by main(), for every command.
  if (printed || !std::cout) return exit_ok;
  std::cerr << "outpost: " << printed.error().message << "\n";
  return exit_negative;
}

}  // namespace outpost::cli
