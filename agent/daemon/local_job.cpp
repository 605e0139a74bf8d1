#include "agent/daemon/local_job.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/own_programs.hpp"
#include "agent/config/credentials.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/definition.hpp"
#include "agent/daemon/local_source.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "plugins/hooks/hook_runner.hpp"
#include "plugins/junit/junit_collector.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>

#include <csignal>
#include <exception>
#include <unistd.h>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

job::Event queued(const job::Job& job) {
  json::array components;
  for (const auto& component : job.components) components.push_back(to_json(component));
  job::Event event;
  event.type = job::event::job_queued;
  event.job_id = job.id;
  event.data = {{"definition", to_json(job.definition)}, {"components", std::move(components)}, {"backlog", false}, {"reporters", json::array{}}};
  return event;
}

Result<std::map<std::string, std::string>> secrets_of(const config::JobFile& file) {
  std::map<std::string, std::string> secrets;
  for (const auto& [name, source] : file.secrets) {
    auto secret = config::read_secret(source, {});
    if (!secret) return std::move(secret.error()).in("secrets." + name);
    secrets[name] = secret->reveal();
  }
  return secrets;
}

/// The first signal cancels the job, a second one ends everything at once; the guardians then end the hooks.
asio::awaitable<void> watch_interrupts(asio::signal_set& signals, pipeline::JobRunner*& running) {
  co_await signals.async_wait(asio::use_awaitable);
  if (running) running->cancel("operator", "interrupted");
  co_await signals.async_wait(asio::use_awaitable);
  ::_exit(1);
}

/// Writes down that there is a new job; or, without one, looks for the job that a process before us has left open.
asio::awaitable<Result<job::Story>> begin(journal::Journal& journal, std::optional<job::Job> fresh) {
  if (!fresh) {
    const auto open = journal.jobs(true, 1);
    if (!open) co_return open.error();
    if (open->empty()) co_return Error{Fault::unavailable, "there is no job that has not ended"};
    const auto events = journal.read({.job_id = open->front().job_id, .limit = 100'000});
    if (!events) co_return events.error();
    co_return job::replay(*events);
  }
  std::vector<job::Event> drafts;
  drafts.push_back(queued(*fresh));
  auto written = co_await journal.append(std::move(drafts));
  if (!written) co_return written.error();
  co_return job::replay(*written);
}

asio::awaitable<Result<job::Story>> run_it(journal::Journal& journal, pipeline::JobPorts ports, pipeline::JobOptions options, std::optional<job::Job> job,
                                           std::function<void(pipeline::JobRunner*)> running) {
  auto begun = begin(journal, std::move(job));
  auto story = co_await std::move(begun);
  if (!story) co_return story.error();
  pipeline::JobRunner runner{ports, std::move(options), std::move(*story)};
  running(&runner);
  co_await runner.run();
  running(nullptr);
  co_return runner.story();
}

}  // namespace

job::Job job_of(const config::JobFile& file, const Clock& clock) {
  job::Job job;
  job.id = new_id(clock.now());
  job.definition.name = file.name;
  job.definition.source = "local";
  job.definition.topic = file.topic;
  job.definition.plugins = file.plugins;
  for (const auto& [name, resource] : file.resources) job.definition.resources.push_back(name);
  job.definition.timeout = file.timeout;
  job.definition.grace = file.grace;
  for (const auto& [plugin, configuration] : file.plugin_config) job.definition.plugin_config[plugin] = configuration;
  for (std::size_t index = 0; index < file.components.size(); ++index) {
    const auto& local = file.components[index];
    job.components.push_back({.id = std::to_string(index + 1), .type = local.type, .name = local.name, .version = local.version,
                              .url = "file://" + local.path.string(), .tags = local.tags});
  }
  return job;
}

Result<job::Story> run_local_job(const config::JobFile& file, const LocalJobOptions& options) {
  asio::io_context loop{1};
  SystemClock clock;
  Workers workers;
  auto guardian = process::find_guardian();
  if (!guardian) return guardian.error();
  auto unpacker = files::find_unpacker();
  if (!unpacker) return unpacker.error();
  if (auto reaping = process::become_subreaper(); !reaping) return reaping.error();
  process::LocalCommandRunner commands{*guardian};
  auto secrets = secrets_of(file);
  if (!secrets) return secrets.error();
  hooks::HookOptions hook_options{.plugin_directories = file.plugins_path, .secrets_directory = options.directory / "secrets", .secrets = *secrets,
                                  .resources = described(file.resources), .stages = options.stages, .dry_run = options.dry_run};
  if (auto found = find_own_program("outpost-ansible")) hook_options.playbook_runner = *found;
  if (auto found = find_own_program("outpost-hook")) hook_options.helper = *found;
  pipeline::JobRunner* running = nullptr;
  std::unique_ptr<process::CommandRunner> around;
  const auto cancel = [&running] {
    if (running) running->cancel("operator", "cancelled by a test");
  };
  if (options.around_commands) around = options.around_commands(commands, cancel);
  hooks::HookRunner hook_runner{around ? *around : static_cast<process::CommandRunner&>(commands), clock, std::move(hook_options)};
  junit::JunitCollector collector{workers};
  LocalSource source{file, workers, *unpacker};
  auto journal = journal::SqliteJournal::open(options.directory / "journal.db", identity_of_this_host(), clock, loop.get_executor());
  if (!journal) return journal.error();

  job::Story shown;
  const auto listening = (*journal)->subscribe([&](const job::Event& event) {
    shown.apply(event);
    if (options.event) options.event(event, shown);
  });
  asio::signal_set signals{loop, SIGINT, SIGTERM};
  asio::co_spawn(loop, watch_interrupts(signals, running), asio::detached);
  Result<job::Story> outcome = Error{Fault::bug, "the job did not end"};
  std::exception_ptr thrown;
  pipeline::JobPorts ports{**journal, source, hook_runner, collector, workers, clock};
  pipeline::JobOptions job_options{.jobs_directory = options.directory / "jobs"};
  job_options.logs.show = options.output;
  if (!options.waits) job_options.retry_deadline = std::chrono::milliseconds{0};
  if (!options.shows_secrets)
    for (const auto& [name, value] : *secrets) job_options.secrets.push_back(value);
  auto fresh = options.resumes ? std::optional<job::Job>{} : std::optional{job_of(file, clock)};
  asio::co_spawn(loop, run_it(**journal, ports, std::move(job_options), std::move(fresh), [&](pipeline::JobRunner* runner) { running = runner; }),
                 [&](std::exception_ptr error, Result<job::Story> story) {
                   thrown = error;
                   outcome = std::move(story);
                   signals.cancel();
                   loop.stop();
                 });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return outcome;
}

}  // namespace outpost::daemon
