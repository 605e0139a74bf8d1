// For every event of a job: the agent dies right after it, and another one goes on.
#include "pipeline/runner_world.hpp"

#include <set>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

/// The journal of a whole job, with two plugins and a result.
std::vector<job::Event> whole_job() {
  RunnerWorld world;
  world.steps.plugins[job::Stage::install] = {"acme", "extra"};
  world.collector.left["test.acme"] = results(0);
  REQUIRE(world.run().describe() == "success");
  return *world.journal.read({.job_id = "job-1", .limit = 100'000});
}

/// A world in which the first `count` events of a job have happened, and what its dead agent had on disk.
struct Restarted : RunnerWorld {
  Restarted(const std::vector<job::Event>& events, std::size_t count) {
    steps.plugins[job::Stage::install] = {"acme", "extra"};
    collector.left["test.acme"] = results(0);
    std::vector<job::Event> before{events.begin() + 1, events.begin() + static_cast<std::ptrdiff_t>(count)};
    if (!before.empty()) REQUIRE(await(loop, journal.append(before)));
    const auto story = told();
    if (!story.claim_id.empty()) source.jobs.emplace(story.claim_id, "remote-1");
    REQUIRE(pipeline::JobDirectory{directory.path / "job-1"}.create());
    for (const auto& step : story.steps) {
      write_file(directory.path / "job-1/logs" / (step.id + ".raw.000000000000"), "output of " + step.id + "\n");
      write_file(directory.path / "job-1/logs" / (step.id + ".log"), "output of " + step.id + "\n");
    }
  }
};

}  // namespace

TEST_CASE("after every event of a job, a new agent brings it to one end") {
  const auto events = whole_job();
  REQUIRE(events.size() > 30);
  for (std::size_t count = 1; count <= events.size(); ++count) {
    Restarted world{events, count};
    const auto before = world.told();
    if (before.ended) continue;  // Nobody would be started for it.
    CAPTURE(count, events[count - 1].type, events[count - 1].step_id);
    bool hook_was_running = false;
    std::vector<std::string> may_be_left;
    std::set<std::string> had_run;
    for (const auto& step : before.steps) {
      // Only what takes the lab down is begun again when it died with the agent.
      if (step.ended || (step.stage != job::Stage::release && step.stage != job::Stage::cleanup)) had_run.insert(step.id);
      if (!step.ended && step.plugin != "outpost") may_be_left.push_back(step.id);
      if (!step.ended && step.plugin != "outpost" && !always_runs(step.stage)) hook_was_running = true;
    }
    const auto story = world.run();

    CHECK(story.ended);
    CHECK(world.steps.ended_left == may_be_left);
    CHECK(story.describe() == (hook_was_running ? "error" : "success"));
    if (hook_was_running) CHECK(story.judgement->reason == "agent-restarted");
    CHECK(world.source.jobs.size() == 1);
    CHECK(world.count(event::claim_granted) == 1);
    CHECK(world.count(event::verdict_reached) == 1);
    CHECK(world.count(event::job_ended) == 1);
    for (const auto& id : world.steps.ran) CHECK_FALSE(had_run.contains(id));  // No other hook is ever run twice.
    for (const job::Stage stage : {job::Stage::release, job::Stage::cleanup}) {
      const auto ended_well = [&](const job::StepRecord& step) { return step.stage == stage && step.ending.kind == job::StepEnding::Kind::exited; };
      CHECK(std::count_if(story.steps.begin(), story.steps.end(), ended_well) == 1);
    }
    for (const auto& stage : story.stages) CHECK(stage.ended);
    for (const auto& step : story.steps) CHECK(step.ended);
    for (const job::Stage stage : {job::Stage::collect, job::Stage::release, job::Stage::cleanup}) CHECK(story.started(stage));
    const auto types = world.types();
    const auto starts = std::count(types.begin(), types.end(), event::stage_started);
    CHECK(starts == std::count(types.begin(), types.end(), event::stage_ended));
  }
}

TEST_CASE("a job whose cancel was journaled stays cancelled after a restart") {
  const auto events = whole_job();
  Restarted world{events, 8};
  job::Event cancel;
  cancel.type = event::cancel_requested;
  cancel.job_id = "job-1";
  cancel.data = {{"by", "server"}, {"reason", "killed"}};
  std::vector<job::Event> drafts{cancel};
  REQUIRE(await(world.loop, world.journal.append(std::move(drafts))));
  const auto story = world.run();
  CHECK(story.ended);
  CHECK(story.describe() != "success");
}

TEST_CASE("a closing hook that asked to be run later is not run again after a restart") {
  RunnerWorld before;
  before.steps.plugins[job::Stage::collect] = {"acme", "extra"};
  before.steps.endings["collect.acme"] = {{job::StepEnding::Kind::exited, 75, {}}};
  before.run();
  const auto events = *before.journal.read({.job_id = "job-1", .limit = 100'000});
  const auto cut = std::find_if(events.begin(), events.end(), [](const auto& each) { return each.type == event::step_started && each.step_id == "collect.extra"; });
  Restarted world{events, static_cast<std::size_t>(cut - events.begin())};
  world.run();
  CHECK(std::find(world.steps.ran.begin(), world.steps.ran.end(), "collect.acme") == world.steps.ran.end());
}
