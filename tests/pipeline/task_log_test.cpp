#include "pipeline/runner_world.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

const std::string two_tasks =
    "{\"start\":\"TASK [one]\"}\n{\"out\":\"first\"}\n{\"end\":\"ok\"}\n{\"start\":\"TASK [two]\"}\n{\"out\":\"second\"}\n{\"end\":\"failed\"}\n";

std::vector<job::Event> tasks_of(RunnerWorld& world) {
  std::vector<job::Event> tasks;
  for (auto& one : *world.journal.read({.job_id = "job-1", .limit = 100'000}))
    if (one.type == event::task_ended) tasks.push_back(std::move(one));
  return tasks;
}

std::string output_of(RunnerWorld& world, const job::Event& task) {
  const auto& blob = task.blobs.at(0);
  return read_file(world.directory.path / "job-1" / blob.path).substr(blob.range->offset, blob.size);
}

}  // namespace

TEST_CASE("tasks that a step reports are in the journal before its end") {
  RunnerWorld world;
  world.steps.tasks["install.acme"] = two_tasks;
  CHECK(world.run().describe() == "success");
  const auto tasks = tasks_of(world);
  REQUIRE(tasks.size() == 2);
  CHECK(job::text_at(tasks[0].data, "name") == "TASK [one]");
  CHECK(job::text_at(tasks[0].data, "stage") == "install");
  CHECK(tasks[0].step_id == "install.acme");
  CHECK(output_of(world, tasks[0]) == "first");
  CHECK(job::text_at(tasks[1].data, "result") == "failed");
  CHECK(output_of(world, tasks[1]) == "second");
  const auto types = world.types();
  const auto last = std::find(types.rbegin(), types.rend(), event::task_ended);
  CHECK(std::find(types.rbegin(), last, event::step_ended) != last);
}

TEST_CASE("a task that runs is told while it runs, and is interrupted when its step is stopped") {
  RunnerWorld world;
  world.steps.tasks["install.acme"] = "{\"start\":\"TASK [endless]\"}\n{\"out\":\"waiting\"}\n";
  world.steps.hangs = "install.acme";
  const auto listening = world.journal.subscribe([&](const job::Event& one) {
    if (one.type == event::task_started) world.runner->cancel("operator", "seen");
  });
  CHECK(world.run().describe() == "killed");
  CHECK(world.count(event::task_started) == 1);
  const auto tasks = tasks_of(world);
  REQUIRE(tasks.size() == 1);
  CHECK(job::text_at(tasks[0].data, "result") == "interrupted");
}

TEST_CASE("the next agent tells what the dead one had not, and nothing twice") {
  std::vector<job::Event> whole;
  {
    RunnerWorld world;
    world.steps.tasks["install.acme"] = two_tasks;
    world.run();
    whole = *world.journal.read({.job_id = "job-1", .limit = 100'000});
  }
  std::size_t tried = 0;
  for (std::size_t count = 1; count <= whole.size(); ++count) {
    const auto& last = whole[count - 1];
    if (last.step_id != "install.acme" || (last.type != event::step_started && last.type != event::task_ended)) continue;
    ++tried;
    CAPTURE(count, last.type);
    RunnerWorld world;
    std::vector<job::Event> before{whole.begin() + 1, whole.begin() + static_cast<std::ptrdiff_t>(count)};
    REQUIRE(await(world.loop, world.journal.append(before)));
    world.source.jobs.emplace(world.told().claim_id, "remote-1");
    const pipeline::JobDirectory directory{world.directory.path / "job-1"};
    REQUIRE(directory.create());
    // What the dead agent had of the output beyond what it had told.
    write_file(directory.root / "logs/install.acme.tasks", "firstsecond and what was not told");
    write_file(directory.tasks("install.acme"), two_tasks);
    CHECK(world.run().describe() == "error");
    const auto tasks = tasks_of(world);
    REQUIRE(tasks.size() == 2);
    CHECK(output_of(world, tasks[0]) == "first");
    CHECK(output_of(world, tasks[1]) == "second");
    CHECK(job::number_at(tasks[1].data, "task") == 1);
  }
  CHECK(tried == 3);
}
