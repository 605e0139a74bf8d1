// Steps that have the machine restarted, and run again after the boot.
#include "pipeline/runner_world.hpp"

#include <boost/asio/steady_timer.hpp>

using namespace outpost;
using namespace outpost::test;
namespace asio = boost::asio;
namespace event = job::event;
using job::StepEnding;

namespace {

const job::Definition allowed{.name = "nightly", .source = "fake", .reboots = {{"acme"}, 2}};

/// A machine whose agent can restart it: that ends the agent as a shutdown does.
struct RebootWorld : RunnerWorld {
  explicit RebootWorld(job::Definition definition = allowed) : RunnerWorld{std::move(definition)} {
    boot_id = journal.boot_id = "boot-1";
    restart_machine = [this](std::string, std::string why) -> asio::awaitable<Result<void>> {
      asked.push_back(why);
      if (refusal) co_return *refusal;
      asio::post(loop, [this] { runner->cancel("agent", "agent stopped"); });
      asio::steady_timer never{loop, asio::steady_timer::time_point::max()};
      co_await never.async_wait(asio::use_awaitable);
      co_return Result<void>{};
    };
    steps.says = [this](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
      const bool asks = id == "install.acme" && boots_wanted > 0;
      if (!asks) co_return;
      --boots_wanted;
      answers.push_back(co_await ask(calls));
    };
  }

  asio::awaitable<Result<boost::json::value>> ask(pipeline::StepCalls& calls) {
    pipeline::StepCall call{"0000000" + std::to_string(++calls_), "reboot", {{"why", "new kernel"}}, Descriptor{}};
    auto answering = calls.answer(std::move(call));
    co_return co_await std::move(answering);
  }
  void boot() { boot_id = journal.boot_id = "boot-" + std::to_string(++boots_); }
  [[nodiscard]] std::vector<std::string> reasons_of(const std::string& id) const {
    std::vector<std::string> reasons;
    for (std::size_t index = 0; index < steps.ran.size(); ++index)
      if (steps.ran[index] == id) reasons.push_back(steps.reasons[index] + " " + std::to_string(steps.reboots[index]));
    return reasons;
  }

  std::vector<std::string> asked;
  std::vector<Result<boost::json::value>> answers;
  std::optional<Error> refusal;
  int boots_wanted = 1;

 private:
  int calls_ = 0, boots_ = 1;
};

}  // namespace

TEST_CASE("a step that has the machine restarted runs again after the boot, and knows it; the job goes on") {
  RebootWorld world;
  world.boots_wanted = 2;
  CHECK_FALSE(world.run().ended);
  CHECK(world.asked == std::vector<std::string>{"install.acme wants it: new kernel"});
  const auto requested = *world.journal.read({.job_id = "job-1", .types = {std::string{event::reboot_requested}}});
  REQUIRE(requested.size() == 1);
  CHECK(requested[0].step_id == "install.acme");
  CHECK(job::text_at(requested[0].data, "why") == "new kernel");
  CHECK(job::number_at(requested[0].data, "count") == 1);
  world.boot();
  CHECK_FALSE(world.run().ended);
  world.boot();
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(story.reboots == 2);
  CHECK(world.reasons_of("install.acme") == std::vector<std::string>{"normal 0", "resume 1", "resume 2"});
  CHECK(world.reasons_of("acquire.acme") == std::vector<std::string>{"normal 0"});
  CHECK(world.reasons_of("test.acme") == std::vector<std::string>{"normal 0"});
}

TEST_CASE("a plugin that the configuration does not name may not have the machine restarted") {
  const std::vector<std::pair<job::Definition, std::string>> cases{
      {{.name = "nightly", .source = "fake"}, "does not let acme restart the machine"},
      {{.name = "nightly", .source = "fake", .reboots = {{"other"}, 2}}, "reboots: {plugins: [acme]}"}};
  for (const auto& [definition, message] : cases) {
    RebootWorld world{definition};
    const auto story = world.run();
    REQUIRE(world.answers.size() == 1);
    REQUIRE_FALSE(world.answers[0]);
    CHECK(world.answers[0].error().fault == Fault::refused);
    CHECK(world.answers[0].error().message.find(message) != std::string::npos);
    CHECK(world.asked.empty());
    CHECK(story.describe() == "success");
  }
}

TEST_CASE("the machine is restarted no more often in a job than the configuration says, and only for hooks up to test") {
  RebootWorld world;
  world.boots_wanted = 3;
  world.run();
  world.boot();
  world.run();
  world.boot();
  CHECK(world.run().describe() == "success");
  REQUIRE(world.answers.size() == 3);
  REQUIRE_FALSE(world.answers[2]);
  CHECK(world.answers[2].error().message.find("restarted 2 times in this job already") != std::string::npos);

  RebootWorld closing;
  std::optional<Result<boost::json::value>> answer;
  closing.steps.says = [&](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    if (id == "release.acme") answer = co_await closing.ask(calls);
  };
  CHECK(closing.run().describe() == "success");
  REQUIRE(answer);
  CHECK(answer->error().fault == Fault::refused);
}

TEST_CASE("a step that fails after it has asked is not gone on with") {
  RebootWorld world;
  world.steps.endings["install.acme"] = {{StepEnding::Kind::exited, 1, {}}};
  CHECK(world.run().describe() == "failure");
  CHECK(world.asked.empty());
  CHECK(world.count(event::reboot_requested) == 0);
}

TEST_CASE("a restart of the machine that cannot be had makes the job an error, and it is closed") {
  RebootWorld world;
  world.refusal = Error{Fault::refused, "polkit does not let the agent restart the machine"};
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "reboot-failed");
  CHECK(story.judgement->message.find("acme/install has asked for a restart of the machine: polkit does not let") != std::string::npos);
  CHECK(world.reasons_of("cleanup.acme").size() == 1);

  RebootWorld nobody;
  nobody.restart_machine = {};
  CHECK(nobody.run().describe() == "success");
  CHECK(nobody.answers.at(0).error().fault == Fault::unavailable);
}

TEST_CASE("an agent that is restarted alone asks for the restart of the machine once more") {
  RebootWorld world;
  CHECK_FALSE(world.run().ended);
  CHECK_FALSE(world.run().ended);
  CHECK(world.asked.size() == 2);
  CHECK(world.steps.ran.back() == "install.acme");
  world.boot();
  CHECK(world.run().describe() == "success");
}

TEST_CASE("a job that waits for a restart of the machine can be cancelled") {
  RebootWorld world;
  world.restart_machine = [&](std::string, std::string) -> asio::awaitable<Result<void>> {
    asio::post(world.loop, [&] { world.runner->cancel("operator", "enough"); });
    asio::steady_timer never{world.loop, asio::steady_timer::time_point::max()};
    co_await never.async_wait(asio::use_awaitable);
    co_return Result<void>{};
  };
  CHECK(world.run().describe() == "killed");
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("restarts of the machine are no attempts: a step has its retries beside them") {
  RebootWorld world;
  world.steps.rules["install.acme"].retries = 1;
  world.steps.rules["install.acme"].retry_on = {69};
  world.steps.endings["install.acme"] = {{}, {StepEnding::Kind::exited, 69, {}}, {}};
  CHECK_FALSE(world.run().ended);
  world.boot();
  CHECK(world.run().describe() == "success");
  CHECK(world.reasons_of("install.acme") == std::vector<std::string>{"normal 0", "resume 1", "retry 1"});
}

TEST_CASE("after every event of a job that has the machine restarted, a new agent after a boot ends it") {
  RebootWorld whole;
  whole.run();
  whole.boot();
  REQUIRE(whole.run().describe() == "success");
  const auto events = *whole.journal.read({.job_id = "job-1", .limit = 100'000});
  for (std::size_t count = 2; count < events.size(); ++count) {
    RebootWorld world;
    std::vector<job::Event> before{events.begin() + 1, events.begin() + static_cast<std::ptrdiff_t>(count)};
    REQUIRE(await(world.loop, world.journal.append(before)));
    auto story = world.told();
    if (story.ended) continue;
    const bool asked = std::any_of(before.begin(), before.end(), [](const auto& each) { return each.type == event::reboot_requested; });
    const auto* install = story.step("install.acme");
    // The end of a step and what it wants are one transaction.
    if (install && install->ended && !asked) continue;
    CAPTURE(count, events[count - 1].type, events[count - 1].step_id);
    if (!story.claim_id.empty()) world.source.jobs.emplace(story.claim_id, "remote-1");
    REQUIRE(pipeline::JobDirectory{world.directory.path / "job-1"}.create());
    for (const auto& step : story.steps)
      for (const auto* ending : {".raw.000000000000", ".log"}) write_file(world.directory.path / "job-1/logs" / (step.id + ending), "output of " + step.id + "\n");
    world.boot();
    world.boots_wanted = asked ? 0 : 1;
    story = world.run();
    if (!story.ended) {  // It had not asked yet.
      CHECK_FALSE(asked);
      world.boot();
      story = world.run();
    }
    CHECK(story.ended);
    if (story.describe() != "success") CHECK(story.judgement->reason == "machine-restarted");
  }
}
