#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/job_logs.hpp"

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

int show_job_logs(const JobLogsOptions& options) {
  daemon::JobLogsOptions wanted{.jobs_directory = options.directory / "jobs", .job = options.job, .step = options.step, .times = options.times,
                                .terminal = ::isatty(STDOUT_FILENO) == 1};
  if (options.directory.empty()) {
    const auto loaded = config::load(options.config, config::environment_of(environ), daemon::source_types());
    if (!loaded) {
      std::cerr << loaded.error().text();
      return exit_configuration;
    }
    wanted.jobs_directory = loaded->settings.state_directory / "jobs";
  }
  const auto printed = daemon::print_job_logs(wanted, std::cout);
  if (printed) return exit_ok;
  std::cerr << "outpost: " << printed.error().message << "\n";
  return exit_negative;
}

}  // namespace outpost::cli
