// outpost job: one that runs here, and what the daemon is asked about its own.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_job() {
  auto* group = app.add_subcommand("job", "Jobs");
  group->require_subcommand(1);
  auto* run = group->add_subcommand("run", "Run a job on this machine, without a server");
  run->add_option("FILE", job_run.file, "Job file (YAML): name, plugins, plugins_path, components")->required();
  run->add_option("-d,--directory", job_run.directory,
                  "Where logs, results and artifacts go (default: ./outpost-job-<time>)");
  run->add_flag("-q,--quiet", job_run.quiet, "Don't show what the steps print");
  add_json_flag(*run, job_run.as_json);
  run->footer(
      "Examples:\n  outpost job run samples/configurations/job.yml\n  outpost job run -q -d /tmp/try job.yml\n\n"
      "Exit status 0: the verdict is success; 1: it is not.");
  run->callback([this] { result = run_job(job_run); });
  add_daemon_jobs(*group);
  auto* exported = ask_daemon(group->add_subcommand("export", "Write all about a job into one file that can be mailed"),
                              [this] { return export_job(daemon, job_export); });
  exported->add_option("JOB", job_export.job, "The job's id here, or how it begins")->required();
  exported->add_option("-o,--output", job_export.output,
                       "The file (default: outpost-job-<id>.html, or .json; - is standard output)");
  auto* html = exported->add_flag("--html", everything, "A page for people: this is what is written without an option");
  exported->add_flag("--json", job_export.as_json, "What `outpost job show --json` prints, with the logs")
      ->excludes(html);
  exported->add_flag("-f,--force", job_export.force, "Replace the file if it exists");
  exported->footer(
      "The page needs no other file, runs no script and asks no server. Secrets are not in its logs, of which it has "
      "the\n"
      "last MiB of each step.\n\n"
      "Examples:\n  outpost job export --html 01a1fd08\n"
      "  outpost job export --html -o run.html 01a1fd08 && mail -s 'our run' -a run.html vendor@example.org </dev/null");
  add_job_replay(*group);
  auto* logs = group->add_subcommand("logs", "Print what the steps of a job printed");
  add_config_option(*logs);
  logs->add_option("JOB", job_logs.job, "The job's id here, or how it begins")->required();
  logs->add_option("STEP", job_logs.step, "One step, such as install.acme-storage (default: all)");
  logs->add_option("-d,--directory", job_logs.directory,
                   "Of a job that `outpost job run` ran, instead of the daemon's");
  logs->add_flag("-t,--times", job_logs.times, "Print when each line came (UTC)");
  logs->add_flag("-f,--follow", job_logs.follow, "Go on with what is printed, until the job has ended")
      ->excludes("--times")
      ->excludes("--directory");
  logs->add_flag("--json", job_logs.as_json, "Print a line of JSON for each, see outpost(1)");
  logs->footer("Examples:\n  outpost job logs -f 01a1fd08\n  outpost job logs -t 01a1fd08 install.acme-storage");
  logs->callback([this] {
    job_logs.config = config;
    result = show_job_logs(job_logs);
  });
}

void CommandLine::add_job_replay(CLI::App& group) {
  auto* replay = group.add_subcommand("replay", "Run the hooks of a past job once more on this machine, without a server");
  add_config_option(*replay);
  replay->add_option("JOB", job_replay.job, "The job's id here, or how it begins")->required();
  replay->add_option("--from", job_replay.from, "Only the hooks from this stage on");
  replay->add_option("--plugin", job_replay.plugin, "Only the hooks of this plugin");
  replay->add_option("--component", job_replay.components, "TYPE=PATH: where the files of a component are now");
  replay->add_option("-d,--directory", job_replay.jobs_of, "Of a job that `outpost job run` ran, instead of the daemon's");
  replay->add_flag("--keep", job_replay.keep, "Keep its logs and results, and say where");
  replay->add_flag("-q,--quiet", job_replay.quiet, "Don't show what the hooks print");
  add_json_flag(*replay, job_replay.as_json);
  replay->footer(
      "What is no longer as it was is said first: plugins that have changed, components whose files are gone.\n\n"
      "Examples:\n  outpost job replay 01a1fd08\n  outpost job replay 01a1fd08 --from install --component ocp=./ocp-4.16.3\n\n"
      "Exit status 0: the verdict is success; 1: it is not.");
  replay->callback([this] {
    job_replay.config = config;
    result = replay_job(job_replay);
  });
}

void CommandLine::add_daemon_jobs(CLI::App& group) {
  auto* list = ask_daemon(group.add_subcommand("list", "The newest jobs of the daemon"),
                          [this] { return list_jobs(daemon, job); });
  add_json_flag(*list, job.as_json);
  list->add_option("-n,--limit", job.limit, "How many")->capture_default_str()->check(CLI::Range(1, 1000));
  list->footer("Examples:\n  outpost job list\n  outpost job list --limit 100 --json | jq '.jobs[].judgement.verdict'");
  auto* show = ask_daemon(group.add_subcommand("show", "One job: stages, steps, results, warnings"),
                          [this] { return show_job(daemon, job); });
  add_json_flag(*show, job.as_json);
  show->add_option("JOB", job.job, "The job's id here, or how it begins")->required();
  show->footer("Examples:\n  outpost job show 01a1fd08\n  outpost job show 01a1fd08 --json | jq .steps");
  auto* start =
      ask_daemon(group.add_subcommand("start", "Run a job of the configuration now, also when nothing is new"),
                 [this] { return start_job(daemon, job); });
  add_json_flag(*start, job.as_json);
  start->add_option("JOB", job.job, "The name of the job")->required();
  start->footer(
      "It waits for its window, a slot and its lab resources as any other.\n\n"
      "Examples:\n  outpost job start acme-storage-nightly\n"
      "  outpost job start --json acme-storage-nightly | jq -r .job_id");
  auto* cancel =
      ask_daemon(group.add_subcommand("cancel", "Stop a job that runs, or take one that waits out of the queue"),
                 [this] { return cancel_job(daemon, job); });
  add_json_flag(*cancel, job.as_json);
  cancel->add_option("JOB", job.job, "The job's id here, or how it begins")->required();
  cancel->add_option("-r,--reason", job.reason, "Why; the server is told");
  cancel->footer(
      "Its closing stages still run.\n\nExamples:\n  outpost job cancel 01a1fd08\n"
      "  outpost job cancel --reason 'wrong switch' 01a1fd08");
  auto* retry =
      ask_daemon(group.add_subcommand("retry", "Run a job that has ended once more, with the same components"),
                 [this] { return retry_job(daemon, job); });
  add_json_flag(*retry, job.as_json);
  retry->add_option("JOB", job.job, "The job's id here, or how it begins")->required();
  retry->footer("Examples:\n  outpost job retry 01a1fd08\n  outpost job retry --json 01a1fd08 | jq -r .job_id");
  auto* hold = ask_daemon(group.add_subcommand("hold", "Keep a job that waits from being claimed"),
                          [this] { return hold_job(daemon, job); });
  add_json_flag(*hold, job.as_json);
  hold->add_option("JOB", job.job, "The job's id here, or how it begins")->required();
  hold->add_option("-r,--reason", job.reason, "Why, for those who look at the status");
  hold->footer(
      "Examples:\n  outpost job hold 01a1fd08\n  outpost job hold --reason 'the disk array comes on Monday' 01a1fd08");
  auto* release = ask_daemon(group.add_subcommand("release", "Let a job that is held be claimed"),
                             [this] { return release_job(daemon, job); });
  add_json_flag(*release, job.as_json);
  release->add_option("JOB", job.job, "The job's id here, or how it begins")->required();
  release->footer("Examples:\n  outpost job release 01a1fd08\n  outpost job release --json 01a1fd08");
}

}  // namespace outpost::cli
