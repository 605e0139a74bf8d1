// For every event of a job: the agent dies right after it, and another one goes on.
#include "pipeline/runner_world.hpp"

#include <map>
#include <set>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;
namespace fs = std::filesystem;

namespace {

void set_up(RunnerWorld& world) {
  world.steps.plugins[job::Stage::install] = {"acme", "extra"};
  world.steps.plugins[job::Stage::success] = {"acme"};
  world.collector.left["test.acme"] = results(0);
}

/// The journal of a whole job, with two plugins and a result.
std::vector<job::Event> whole_job() {
  RunnerWorld world;
  set_up(world);
  REQUIRE(world.run().describe() == "success");
  return *world.journal.read({.job_id = "job-1", .limit = 100'000});
}

/// A world in which the first `count` events of a job have happened, and what its dead agent had on disk.
struct Restarted : RunnerWorld {
  Restarted(const std::vector<job::Event>& events, std::size_t count, job::Definition definition = {.name = "nightly", .source = "fake"})
      : RunnerWorld{std::move(definition)} {
    set_up(*this);
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

  /// And then the dead agent had heard from the server that the job is not wanted any more.
  void was_cancelled() {
    job::Event cancel;
    cancel.type = event::cancel_requested;
    cancel.job_id = "job-1";
    cancel.data = {{"by", "server"}, {"reason", "killed"}};
    std::vector<job::Event> drafts{cancel};
    REQUIRE(await(loop, journal.append(std::move(drafts))));
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
    CHECK(world.steps.looked_for == may_be_left);
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

TEST_CASE("after every event of a job, a new agent goes on with a step that has outlived the old one, or had not begun") {
  const auto events = whole_job();
  for (const auto left : {process::Left::there, process::Left::not_begun}) {
    for (std::size_t count = 1; count <= events.size(); ++count) {
      Restarted world{events, count};
      const auto before = world.told();
      if (before.ended) continue;
      CAPTURE(count, events[count - 1].type, events[count - 1].step_id);
      std::vector<std::string> running;
      std::set<std::string> had_run;
      for (const auto& step : before.steps) {
        if (step.ended || left == process::Left::there) had_run.insert(step.id);
        if (step.ended || step.plugin == "outpost") continue;
        running.push_back(step.id);
        world.steps.left[step.id] = left;
        if (left == process::Left::not_begun)
          for (const char* file : {".log", ".raw.000000000000"}) fs::remove(world.directory.path / "job-1/logs" / (step.id + file));
      }
      const auto story = world.run();

      CHECK(story.describe() == "success");
      CHECK(world.steps.adopted == (left == process::Left::there ? running : std::vector<std::string>{}));
      CHECK(world.count(event::step_adopted) == static_cast<std::ptrdiff_t>(running.size()));
      CHECK(world.count(event::verdict_reached) == 1);
      CHECK(world.count(event::job_ended) == 1);
      std::set<std::string> ids;
      for (const auto& step : story.steps) {
        if (step.plugin != "outpost") CHECK(ids.insert(step.id).second);
        CHECK(step.ended);
      }
      for (const auto& id : world.steps.ran) CHECK_FALSE(had_run.contains(id));
      for (const auto& stage : story.stages) CHECK(stage.ended);
      for (const auto& id : world.steps.adopted)
        CHECK(read_file(world.directory.path / "job-1/logs" / (id + ".log")) == "output of " + id + "\nmore of " + id + "\n");
      const auto types = world.types();
      CHECK(std::count(types.begin(), types.end(), event::stage_started) == std::count(types.begin(), types.end(), event::stage_ended));
    }
  }
}

namespace {

/// Up to the start of the step.
std::size_t until_start(const std::vector<job::Event>& events, std::string_view step_id) {
  const auto start = std::find_if(events.begin(), events.end(), [&](const auto& each) { return each.type == event::step_started && each.step_id == step_id; });
  REQUIRE(start != events.end());
  return static_cast<std::size_t>(start - events.begin()) + 1;
}

}  // namespace

TEST_CASE("how a step ended that has outlived the agent counts as if nothing had been") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  world.steps.left["install.acme"] = process::Left::there;
  world.steps.endings["install.acme"] = {{job::StepEnding::Kind::exited, 3, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "failure");
  CHECK(story.judgement->plugin == "acme");
  CHECK(std::find(world.steps.ran.begin(), world.steps.ran.end(), "install.extra") == world.steps.ran.end());
  CHECK(story.stage(job::Stage::install)->outcome == "failed");
}

TEST_CASE("a step that has outlived the agent has the time that was left of its timeout") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  const auto started = world.told().step("install.acme")->started_since_boot;
  world.steps.left["install.acme"] = process::Left::there;
  const auto timeout = world.told().step("install.acme")->timeout;
  REQUIRE(timeout > std::chrono::minutes{1});
  world.run();
  REQUIRE(world.steps.adopted_for.size() == 1);
  CHECK(world.steps.adopted_for.front() <= timeout);
  CHECK(world.steps.adopted_for.front() + (world.clock.since_boot() - started) >= timeout - std::chrono::milliseconds{1});
}

TEST_CASE("of a step that has outlived the agent as much output is kept as its plugin says") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  world.steps.left["install.acme"] = process::Left::there;
  const std::string before = "output of install.acme\n", more = "more";
  world.steps.rules["install.acme"].log_limit = before.size() + more.size();
  world.run();
  const auto log = read_file(world.directory.path / "job-1/logs/install.acme.log");
  CHECK(log.substr(0, log.find('[')) == before + more + "\n");
  CHECK(log.find("[gap: 17 bytes, the step's limit of ") != std::string::npos);
}

TEST_CASE("how a step ended that an earlier agent had begun is written down together with the verdict that it leads to") {
  const auto events = whole_job();
  for (const bool outlives : {false, true}) {
    CAPTURE(outlives);
    Restarted world{events, until_start(events, "install.acme")};
    if (outlives) world.steps.left["install.acme"] = process::Left::there;
    world.steps.endings["install.acme"] = {{job::StepEnding::Kind::exited, 1, {}}};
    std::map<std::string, unsigned> batches;
    const auto watch = world.journal.subscribe([&](const job::Event& told) {
      if (told.type == event::verdict_reached || (told.type == event::step_ended && told.step_id == "install.acme")) batches[told.type] = world.journal.appends;
    });
    world.run();
    REQUIRE(batches.size() == 2);
    CHECK(batches.at(std::string{event::step_ended}) == batches.at(std::string{event::verdict_reached}));
  }
}

TEST_CASE("a step of another boot is gone, whatever its slot says") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  world.boot_id = "another-boot";
  world.steps.left["install.acme"] = process::Left::there;
  const auto story = world.run();
  CHECK(world.steps.adopted.empty());
  CHECK(story.judgement->reason == "machine-restarted");
  CHECK(story.judgement->message == "the machine was restarted while install.acme was running");
}

TEST_CASE("a job that was cancelled while the agent was away ends its step at once") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  world.steps.left["install.acme"] = process::Left::there;
  world.was_cancelled();
  const auto story = world.run();
  CHECK(world.steps.adopted_for == std::vector<std::chrono::milliseconds>{std::chrono::milliseconds{}});
  CHECK(story.describe() == "killed");
}

TEST_CASE("a cancel that the dead agent had not written down is seen by how the step ended") {
  const auto events = whole_job();
  Restarted world{events, until_start(events, "install.acme")};
  world.steps.left["install.acme"] = process::Left::there;
  world.steps.endings["install.acme"] = {{job::StepEnding::Kind::cancelled, 0, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "killed");
  CHECK(story.cancel_requested);
}

TEST_CASE("a job whose cancel was journaled stays cancelled after a restart") {
  const auto events = whole_job();
  Restarted world{events, 8};
  world.was_cancelled();
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

TEST_CASE("after every event of a job whose hook is being stopped, and of one whose release fails, a new agent ends it") {
  const auto prepare = [](RunnerWorld& world) {
    world.steps.plugins[job::Stage::on_timeout] = {"acme", "extra"};
    world.steps.plugins[job::Stage::failure] = {"acme"};
    world.steps.endings["test.acme"] = {{job::StepEnding::Kind::timed_out, 0, {}}};
    world.steps.endings["release.acme"] = std::deque<job::StepEnding>(3, {job::StepEnding::Kind::exited, 1, {}});
  };
  const job::Definition definition{.name = "nightly", .source = "fake", .resources = {"cluster4", "cluster5"}};
  RunnerWorld whole{definition};
  prepare(whole);
  REQUIRE(whole.run().describe() == "failure");
  const auto events = *whole.journal.read({.job_id = "job-1", .limit = 100'000});
  REQUIRE(whole.count(event::claims_paused) == 2);
  for (std::size_t count = 1; count <= events.size(); ++count) {
    Restarted world{events, count, definition};
    auto before = world.told();
    const auto* test = before.step("test.acme");
    // In one transaction with the verdict, and with the end of the job.
    if ((test && test->ended && !before.judgement) || events[count - 1].type == event::claims_paused) continue;
    if (before.ended) continue;
    CAPTURE(count, events[count - 1].type, events[count - 1].step_id);
    prepare(world);
    std::set<std::string> had_begun;
    for (const auto& step : before.steps)
      if (step.stage != job::Stage::release && step.stage != job::Stage::cleanup) had_begun.insert(step.id);
    const auto story = world.run();

    CHECK(story.ended);
    CHECK(world.count(event::verdict_reached) == 1);
    CHECK(world.count(event::claims_paused) == 2);
    for (const auto& step : story.steps) CHECK(step.ended);
    for (const auto& id : world.steps.ran) CHECK_FALSE(had_begun.contains(id));
    const auto told = [](const job::StepRecord& step) { return step.stage == job::Stage::failure; };
    CHECK(std::count_if(story.steps.begin(), story.steps.end(), told) == 1);
  }
}
