#include "agent/base/private_directory.hpp"
#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/stage_argument.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/job_replay.hpp"

#include <unistd.h>

#include <iostream>

namespace outpost::cli {

int replay_job(const JobReplayOptions& options) {
  daemon::ReplayOptions wanted{.job = options.job, .plugin = options.plugin};
  const auto loaded = config::load(options.config, config::environment_of(environ), daemon::source_types());
  if (loaded)
    wanted.settings = loaded->settings;
  else if (options.jobs_of.empty())
    return fail({Fault::malformed, loaded.error().text()}, exit_configuration);
  wanted.directory = options.jobs_of.empty() ? wanted.settings.state_directory : options.jobs_of;
  for (const auto& component : options.components) {
    const auto equals = component.find('=');
    if (equals == std::string::npos)
      return fail({Fault::refused, "--component " + printable(component, 80) + ": write TYPE=PATH"}, exit_usage);
    wanted.components[component.substr(0, equals)] = component.substr(equals + 1);
  }
  JobRunOptions run{.file = "job " + options.job, .quiet = options.quiet, .as_json = options.as_json};
  if (!options.from.empty()) {
    const auto from = job::parse_stage(options.from);
    if (!from || is_farewell(*from))
      return fail({Fault::refused, no_such_stage(options.from, job::all_stages)}, exit_usage);
    for (const auto stage : job::all_stages)
      if (stage >= *from) run.stages.push_back(stage);
  }
  auto scratch = PrivateDirectory::make("outpost-replay");
  if (!scratch) return fail(scratch.error());
  run.directory = wanted.scratch = scratch->path();
  run.temporary = !options.keep;
  int status = exit_negative;
  if (const auto replay = daemon::job_to_replay(wanted)) {
    std::ostream& out = options.as_json ? std::cerr : std::cout;
    for (const auto& remark : replay->remarks) out << "not as it was: " << remark << "\n";
    out << "replaying job " << replay->job_id << ", " << replay->ended_as << "\n" << std::flush;
    status = run_job(replay->job, run);
  } else {
    status = fail(replay.error(), exit_negative);
  }
  if (options.keep) scratch->keep();
  return status;
}

}  // namespace outpost::cli
