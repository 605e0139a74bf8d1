#include "agent/daemon/trial.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/local_job.hpp"
#include "agent/daemon/small_disk.hpp"
#include "agent/daemon/trial_runner.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "agent/process/process_tree.hpp"
#include "plugins/hooks/stage_plan.hpp"
#include "plugins/junit/case_list.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace json = boost::json;
using hooks::TestOutcome;
using Kind = hooks::InjectedFault::Kind;

namespace {

constexpr std::uint64_t small_disk_bytes = std::uint64_t{4} << 20;
constexpr std::size_t longest_output = std::size_t{16} << 20;

struct Places {
  fs::path directory;

  [[nodiscard]] hooks::StubDirectory stubs() const { return {directory / "stubs"}; }
  [[nodiscard]] fs::path secrets() const { return directory / "secrets"; }
  [[nodiscard]] fs::path lab() const { return directory / "lab"; }
  [[nodiscard]] fs::path job() const { return directory / "job"; }
  [[nodiscard]] fs::path logs() const { return directory / "logs"; }  ///< When the job's disk is a small one.
};

TestOutcome skipped(TestOutcome outcome, std::string why) {
  outcome.state = TestOutcome::State::skipped;
  outcome.why = std::move(why);
  return outcome;
}

TestOutcome failed(TestOutcome outcome, std::string why) {
  outcome.state = TestOutcome::State::failed;
  outcome.why = std::move(why);
  return outcome;
}

bool has_release(const hooks::Plugin& plugin) {
  const auto found = hooks_in(plugin, job::Stage::release);
  return found && !found->empty();
}

/// Nothing of the caller's surroundings reaches a hook.
void take_environment(const std::map<std::string, std::string>& environment) {
  ::clearenv();
  ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
}

Result<config::JobFile> job_of_trial(const Trial& trial, const Places& places) {
  config::JobFile job = trial.test.job;
  job.plugins = {trial.plugin.name};
  job.plugins_path = {trial.plugin.folder.parent_path()};
  job.plugin_config[trial.plugin.name] = hooks::with_lab(trial.test.configuration, places.lab());
  for (const auto& [name, value] : trial.test.secrets) {
    const fs::path file = places.secrets() / std::to_string(job.secrets.size());
    std::ofstream stream{file};
    stream << value << std::flush;
    if (!stream || ::chmod(file.c_str(), 0600) != 0) return Error{Fault::retry_later, "cannot write " + file.string()};
    job.secrets[name].file = file;
  }
  return job;
}

std::vector<job::Stage> stages_of(const Trial& trial) {
  auto stages = trial.test.before;
  stages.push_back(trial.test.hook);
  if (trial.fault)
    for (const auto stage : {job::Stage::collect, job::Stage::release, job::Stage::cleanup})
      if (stage > trial.test.hook) stages.push_back(stage);
  return stages;
}

/// The part of a run that is a process of its own.
class Attempt {
 public:
  Attempt(const Trial& trial, const Places& places, bool resumes) : trial_{trial}, places_{places}, resumes_{resumes} {
    seen_.struck = resumes;
  }

  TestOutcome run(TestOutcome outcome) {
    take_environment(trial_.test.environment);
    const bool small = trial_.fault && trial_.fault->kind == Kind::disk_full;
    if (small)
      if (auto mounted = mount_small_disk(places_.job() / "jobs", small_disk_bytes); !mounted)
        return skipped(std::move(outcome),
                       trial_.fault->text + " needs a small file system: " + mounted.error().message);
    auto job = job_of_trial(trial_, places_);
    if (!job) return failed(std::move(outcome), job.error().message);
    LocalJobOptions options{.directory = places_.job(), .stages = stages_of(trial_)};
    options.shows_secrets = true;
    options.waits = false;
    options.resumes = resumes_;
    options.event = [&](const job::Event& event, const job::Story&) {
      events_.push_back(event);
      if (small && event.type == job::event::job_queued) prepare_logs(event.job_id);
    };
    options.around_commands = [&](process::CommandRunner& real, std::function<void()> cancel) {
      TrialPlan plan{trial_.test, resumes_ ? std::nullopt : trial_.fault, places_.stubs().commands(), places_.lab(),
                     [&] { fill_disk(places_.job() / "jobs"); }};
      return std::make_unique<TrialRunner>(real, std::move(plan), seen_, std::move(cancel));
    };
    const auto story = run_local_job(*job, options);
    if (!story) return failed(std::move(outcome), story.error().message);
    look_back(*story);
    outcome.duration = seen_.duration;
    outcome.output = seen_.output;
    if (!seen_.ran && !trial_.fault)
      return failed(std::move(outcome), "the hook did not run: " + printable(seen_.judgement.message, 1000));
    outcome.mismatches = trial_.fault ? compare_under(*trial_.fault, trial_.test, seen_, has_release(trial_.plugin))
                                      : compare(trial_.test, seen_);
    if (!outcome.mismatches.empty()) outcome.state = TestOutcome::State::failed;
    return outcome;
  }

 private:
  /// What the agent writes of a hook's output shall not stand in the way when the hook's disk is full.
  void prepare_logs(const std::string& job_id) {
    const pipeline::JobDirectory directory{places_.job() / "jobs" / job_id};
    std::error_code error;
    fs::create_directories(directory.logs(), error);
    fs::create_directories(places_.logs(), error);
    if (!error) static_cast<void>(show_also(places_.logs(), directory.logs()));
  }

  void look_back(const job::Story& story) {
    const pipeline::JobDirectory directory{places_.job() / "jobs" / story.job.id};
    seen_.judgement = story.judgement.value_or(
        job::Judgement{.verdict = job::Verdict::killed, .message = "it was cancelled before it began"});
    for (const auto& step : story.steps) {
      if (step.plugin != trial_.plugin.name) continue;
      if (std::find(seen_.stages.begin(), seen_.stages.end(), step.stage) == seen_.stages.end())
        seen_.stages.push_back(step.stage);
      if (step.stage != trial_.test.hook) continue;
      seen_.ending = step.ending;
      seen_.ran = true;
      // The agent that ran it was killed, and with it what it had measured.
      if (resumes_) seen_.duration = std::chrono::duration_cast<std::chrono::milliseconds>(step.ended_at - step.started_at);
      std::ifstream log{directory.logs() / (step.id + ".log"), std::ios::binary};
      seen_.output.append(std::istreambuf_iterator<char>{log}, {});
      seen_.output.resize(std::min(seen_.output.size(), longest_output));
    }
    for (const auto& event : events_) {
      if (job::text_at(event.data, "stage") != to_string(trial_.test.hook) || event.blobs.empty()) continue;
      if (event.type == job::event::artifact_found) seen_.artifacts.push_back(job::text_at(event.data, "name"));
      if (event.type != job::event::result_found) continue;
      if (const auto cases = junit::list_cases(directory.root / event.blobs.front().path))
        for (const auto& one : *cases) seen_.results.push_back({one.name, one.outcome});
    }
    if (auto calls = places_.stubs().read_calls()) seen_.calls = std::move(*calls);
  }

  const Trial& trial_;
  const Places& places_;
  bool resumes_;
  hooks::Observed seen_;
  std::vector<job::Event> events_;
};

/// How a process of ours ended, and what it wrote into its pipe.
struct Ended {
  int status = 0;
  std::string words;
};

Result<Ended> run_in_process(const std::function<TestOutcome()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error("cannot make", "a pipe", errno);
  Descriptor from_child{ends[0]}, to_parent{ends[1]};
  const pid_t child = ::fork();
  if (child < 0) return errno_error("cannot make", "a process", errno);
  if (child == 0) {
    from_child = Descriptor{};
    const std::string words = json::serialize(to_json(work()));
    for (std::size_t done = 0; done < words.size();) {
      const auto written = ::write(to_parent.get(), words.data() + done, words.size() - done);
      if (written <= 0) break;
      done += static_cast<std::size_t>(written);
    }
    ::_exit(0);
  }
  to_parent = Descriptor{};
  Ended ended;
  std::string piece(64 * 1024, '\0');
  for (;;) {
    const auto got = ::read(from_child.get(), piece.data(), piece.size());
    if (got > 0)
      ended.words.append(piece, 0, static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR)
      break;
  }
  while (::waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

/// Waits for what a process of ours has left to us: its guardians, which end what they guard. Says who does not end,
/// and ends it.
std::string await_orphans(std::chrono::seconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (errno == ECHILD) return {};
    if (std::chrono::steady_clock::now() > give_up) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  const auto left = process::descendants(process::all_processes(), {::getpid()});
  process::signal_all(left, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  return names_of(left);
}

}  // namespace

TestOutcome run_trial(const Trial& trial) {
  TestOutcome outcome{
      .plugin = trial.plugin.name, .name = trial.test.name, .fault = trial.fault ? trial.fault->text : ""};
  const Places places{trial.directory};
  std::error_code error;
  for (const auto& path : {places.job() / "jobs", places.secrets(), places.lab()}) fs::create_directories(path, error);
  if (error) return failed(std::move(outcome), "cannot create " + places.job().string() + ": " + error.message());
  if (auto made = places.stubs().create(trial.test.stubs, trial.stub_program); !made)
    return failed(std::move(outcome), made.error().message);
  if (auto reaping = process::become_subreaper(); !reaping) return failed(std::move(outcome), reaping.error().message);

  const auto attempt = [&](bool resumes) {
    return run_in_process([&] { return Attempt{trial, places, resumes}.run(outcome); });
  };
  auto ended = attempt(false);
  const auto guardian_patience =
      std::chrono::ceil<std::chrono::seconds>(trial.test.job.grace) + std::chrono::seconds{60};
  std::string survivors = await_orphans(guardian_patience);
  if (ended && trial.fault && trial.fault->kind == Kind::kill_agent && WIFSIGNALED(ended->status)) {
    ended = attempt(true);
    survivors += await_orphans(guardian_patience);
  }
  if (!ended) return failed(std::move(outcome), ended.error().message);
  boost::system::error_code broken;
  const auto told = json::parse(ended->words, broken);
  auto result = broken ? Error{Fault::bug, "no JSON"} : hooks::test_outcome_from_json(told);
  if (!result)
    return failed(std::move(outcome), "the process that ran the case ended with status " +
                                          std::to_string(ended->status) + " and said nothing");
  if (!survivors.empty()) {
    result->mismatches.push_back(
        {{}, "leftover_processes", "these outlived the job, and were killed: " + printable(survivors)});
    result->state = TestOutcome::State::failed;
  }
  return std::move(*result);
}

}  // namespace outpost::daemon
