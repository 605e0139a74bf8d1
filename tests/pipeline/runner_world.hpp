#pragma once

#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fake_pipeline.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::test {

/// A journal, a server, a lab and one job that waits.
struct RunnerWorld {
  explicit RunnerWorld(job::Definition wanted = {.name = "nightly", .source = "fake"}) : definition{std::move(wanted)} {
    for (const job::Stage stage : job::all_stages)
      if (!tells_outcome(stage)) steps.plugins[stage] = {"acme"};
    queue();
  }

  void queue() {
    job::Event queued;
    queued.type = job::event::job_queued;
    queued.job_id = "job-1";
    queued.data = {{"definition", to_json(definition)},
                   {"components", {to_json(job::Component{.id = "c", .type = "ocp"})}}, {"reporters", {"fake"}}};
    std::vector<job::Event> drafts{queued};
    REQUIRE(await(loop, journal.append(std::move(drafts))));
  }

  [[nodiscard]] job::Story told() { return job::replay(*journal.read({.job_id = "job-1", .limit = 100'000})); }

  /// Runs the job from where the journal says it is.
  job::Story run() {
    pipeline::JobRunner fresh{{journal, source, steps, collector, workers, clock}, options(), told()};
    runner = &fresh;
    await(loop, finish(fresh));
    runner = nullptr;
    return told();
  }

  pipeline::JobOptions options() {
    pipeline::JobOptions options;
    options.jobs_directory = directory.path;
    options.boot_id = boot_id;
    options.secrets = secrets;
    options.restart_machine = restart_machine;
    options.claim_pause = std::chrono::milliseconds{1};
    options.retry_interval = std::chrono::milliseconds{1};
    options.retry_deadline = retry_deadline;
    options.workspace_interval = workspace_interval;
    options.degraded = [this](const Error&) { ++degraded; };
    options.checkpoint = checkpoint;
    options.credentials_refused = claim_credentials_refused;
    options.may_claim = may_claim;
    options.not_released = [this](const job::Definition&, const std::string& why) { not_released.push_back(why); };
    return options;
  }

  /// The agent stops while its claim waits for the next try.
  void failed_claim_then_stop() {
    source.on_ask = [this] {
      source.on_ask = {};
      runner->cancel("agent", "agent stopped");
    };
    REQUIRE_FALSE(run().ended);
  }

  static boost::asio::awaitable<bool> finish(pipeline::JobRunner& runner) {
    co_await runner.run();
    co_return true;
  }

  [[nodiscard]] std::vector<std::string> types() {
    std::vector<std::string> list;
    for (const auto& event : *journal.read({.job_id = "job-1", .limit = 100'000})) list.push_back(event.type);
    return list;
  }
  [[nodiscard]] long count(std::string_view type) {
    const auto list = types();
    return std::count(list.begin(), list.end(), type);
  }

  job::Definition definition;
  boost::asio::io_context loop;
  TemporaryDirectory directory;
  FakeJournal journal;
  FakeSource source;
  FakeSteps steps;
  FakeCollector collector;
  std::vector<std::string> secrets;
  Workers workers;
  SystemClock clock;
  std::chrono::milliseconds retry_deadline = std::chrono::minutes{30};
  std::chrono::milliseconds workspace_interval = std::chrono::seconds{30};
  std::function<void(std::string_view)> checkpoint = [](std::string_view) {};
  std::function<void(const Error&)> claim_credentials_refused = [](const Error&) {};
  std::function<bool()> may_claim = [] { return true; };
  std::string boot_id;
  std::function<boost::asio::awaitable<Result<void>>(std::string job_id, std::string why)> restart_machine;
  pipeline::JobRunner* runner = nullptr;
  unsigned degraded = 0;
  std::vector<std::string> not_released;
};

/// A result with so many failed cases.
inline pipeline::Collected results(std::int64_t failures) {
  pipeline::FoundResult result;
  result.name = "suite";
  result.total = 5;
  result.success = 5 - failures;
  result.failures = failures;
  if (failures > 0) result.failed = {"suite:class:case"};
  result.blob.path = "steps/x/results/suite.xml";
  return {{result}, {}, {}};
}

}  // namespace outpost::test
