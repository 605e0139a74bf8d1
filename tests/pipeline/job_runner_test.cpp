#include "pipeline/runner_world.hpp"

#include <boost/json/serialize.hpp>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;
using Kind = job::StepEnding::Kind;

TEST_CASE("a job goes through all its stages to success") {
  RunnerWorld world;
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(world.steps.ran == std::vector<std::string>{"acquire.acme", "pre-run.acme", "install.acme", "certify.acme", "test.acme", "collect.acme",
                                                    "release.acme", "cleanup.acme"});
  CHECK(world.source.jobs.size() == 1);
  CHECK(story.claim.external_ref == "remote-1");
  CHECK(world.types().back() == event::job_ended);
  for (const auto& stage : story.stages) CHECK(stage.outcome == "ok");
  CHECK(story.steps.size() == 9);  // The agent's own download too.
  for (const auto& step : story.steps) CHECK(step.last_cut);
}

TEST_CASE("the verdict is journaled before collect starts") {
  RunnerWorld world;
  world.run();
  const auto types = world.types();
  const auto verdict = std::find(types.begin(), types.end(), event::verdict_reached);
  REQUIRE(verdict != types.end());
  CHECK(std::count(types.begin(), verdict, event::stage_started) == 5);
}

TEST_CASE("what is about to happen is written first") {
  RunnerWorld world;
  std::vector<std::string> points;
  world.checkpoint = [&](std::string_view point) {
    points.emplace_back(point);
    if (point == "claim.requested") CHECK(world.source.claims == 0);
    if (point == "step.started") CHECK(static_cast<std::size_t>(world.count(event::step_started)) == world.steps.ran.size() + world.source.fetches + 1);
  };
  world.run();
  CHECK(points.front() == "claim.requested");
  CHECK(points.back() == "job.ended");
}

TEST_CASE("a failing product fails the job: no later stage of it runs, the closing ones do") {
  RunnerWorld world;
  world.steps.endings["install.acme"] = {{Kind::exited, 1, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "failure");
  CHECK(story.judgement->reason == "step-failed");
  CHECK(world.steps.ran == std::vector<std::string>{"acquire.acme", "pre-run.acme", "install.acme", "collect.acme", "release.acme", "cleanup.acme"});
  CHECK(world.steps.reasons.back() == "prior-failure");
  CHECK(story.tags == std::vector<std::string>{"reason:step-failed"});
}

TEST_CASE("a failing lab is an error") {
  RunnerWorld world;
  world.steps.endings["acquire.acme"] = {{Kind::exited, 1, {}}};
  CHECK(world.run().describe() == "error");
}

TEST_CASE("failed cases make a failure whatever the exit status") {
  RunnerWorld world;
  world.collector.left["test.acme"] = results(2);
  const auto story = world.run();
  CHECK(story.describe() == "failure");
  CHECK(story.judgement->reason == "tests-failed");
  CHECK(story.judgement->message == "test: 2 of 5 cases failed in acme, first suite:class:case");
  CHECK(story.totals.failures == 2);
}

TEST_CASE("no name of a case and no warning holds a secret in the journal, and the verdict does not either") {
  RunnerWorld world;
  world.secrets = {"hunter22"};
  auto& left = world.collector.left["test.acme"] = results(2);
  auto& result = left.results.front();
  result.well_formed = false;
  result.problem = "no hunter22";
  result.failed = {"s:c:with hunter22"};
  result.flaky = 1;
  result.flaky_names = {"s:c:aHVudGVyMjI="};
  left.warnings = {"hunter22.sock: left out"};
  const auto story = world.run();
  CHECK(story.judgement->message == "test: 2 of 5 cases failed in acme, first s:c:with ***");
  std::size_t results_found = 0;
  for (const auto& event : *world.journal.read({.job_id = "job-1"})) {
    const auto data = boost::json::serialize(event.data);
    CHECK(data.find("hunter22") == std::string::npos);
    CHECK(data.find("aHVudGVyMjI") == std::string::npos);
    if (event.type == job::event::result_found) ++results_found;
  }
  CHECK(results_found == left.results.size());
}

TEST_CASE("the lab's fault outweighs failed cases") {
  RunnerWorld world;
  world.collector.left["test.acme"] = results(2);
  world.steps.endings["test.acme"] = {{Kind::exited, 77, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "infrastructure");
}

TEST_CASE("closing stages add warnings and never change a verdict") {
  RunnerWorld world;
  world.steps.endings["collect.acme"] = {{Kind::exited, 1, {}}};
  world.steps.endings["release.acme"] = {{Kind::timed_out, 0, {}}};
  world.collector.left["collect.acme"] = results(1);
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(story.warnings.size() == 2);
  CHECK(story.stage(job::Stage::collect)->outcome == "failed");
}

TEST_CASE("a failed download is the lab's error, with the reason in its log") {
  RunnerWorld world;
  world.source.fetched = Error{Fault::refused, "checksum differs"};
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->stage == job::Stage::pre_run);
  CHECK(story.judgement->message.find("checksum differs") != std::string::npos);
  CHECK(read_file(world.directory.path / "job-1/logs/pre-run.outpost.download.log").find("checksum differs") != std::string::npos);
  CHECK(std::find(world.steps.ran.begin(), world.steps.ran.end(), "pre-run.acme") == world.steps.ran.end());
}

TEST_CASE("a plugin that is missing is an error that names it") {
  RunnerWorld world;
  world.steps.missing = Error{Fault::unavailable, "plugin \"acme\" is not installed"};
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->message.find("acme") != std::string::npos);
}

TEST_CASE("a cancel stops the running step; the closing stages still run") {
  RunnerWorld world;
  world.steps.hangs = "install.acme";
  world.steps.on_hang = [&] { world.runner->cancel("server", "set to killed"); };
  const auto story = world.run();
  CHECK(story.describe() == "killed");
  CHECK(story.judgement->reason == "cancelled");
  CHECK(story.judgement->message == "cancelled by the server: set to killed");
  CHECK(world.steps.ran.back() == "cleanup.acme");
  CHECK(world.steps.reasons.back() == "cancel");
}

TEST_CASE("a cancel that comes between two steps stops the next one from starting") {
  RunnerWorld world;
  world.checkpoint = [&](std::string_view point) {
    if (point == "step.exited" && world.steps.ran.back() == "install.acme") world.runner->cancel("operator", "enough");
  };
  const auto story = world.run();
  CHECK(story.describe() == "killed");
  CHECK(std::find(world.steps.ran.begin(), world.steps.ran.end(), "certify.acme") == world.steps.ran.end());
}

TEST_CASE("closing stages are not cancelled") {
  RunnerWorld world;
  world.checkpoint = [&](std::string_view point) {
    if (point == "job.verdict") world.runner->cancel("server", "too late");
  };
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("an uncertain claim is looked for before it is made again") {
  RunnerWorld world;
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  SECTION("it had happened") {
    world.source.failed_claim_happened = true;
    CHECK(world.run().describe() == "success");
    CHECK(world.source.claims == 1);
  }
  SECTION("it had not") {
    CHECK(world.run().describe() == "success");
    CHECK(world.source.claims == 2);
  }
  SECTION("the server stays away for a while") {
    world.source.failed_claim_happened = true;
    world.source.find_failures = {Error{Fault::retry_later, "x"}, Error{Fault::retry_later, "x"}};
    CHECK(world.run().describe() == "success");
    CHECK(world.source.claims == 1);
    CHECK(world.source.finds == 3);
  }
  CHECK(world.source.jobs.size() == 1);
}

TEST_CASE("how often a claim has failed counts for nothing once the server answers again") {
  RunnerWorld world;
  constexpr unsigned answers = 24;  // Pauses of 1 ms that had doubled so often would come to five minutes each.
  world.source.failed_claim_happened = true;
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  world.source.find_failures.assign(answers + 3, Error{Fault::retry_later, "connection reset"});
  std::function<void()> answer = [&] {
    if (world.source.finds >= answers) return;
    world.runner->hurry_claim();
    boost::asio::post(world.loop, answer);
  };
  world.source.on_ask = [&] {
    if (world.source.claims == 1 && world.source.finds == 0) boost::asio::post(world.loop, answer);
  };
  CHECK(world.run().describe() == "success");
  CHECK(world.source.finds == answers + 4);
  CHECK(world.source.jobs.size() == 1);
}

TEST_CASE("a refused claim ends the job, and the reason is kept") {
  RunnerWorld world;
  world.source.claim_failures = {Error{Fault::refused, "topic is not active"}};
  const auto story = world.run();
  CHECK(story.ended);
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "claim-refused");
  CHECK(world.steps.ran.empty());
}

TEST_CASE("a claim that meets refused credentials is kept, and made once they are accepted") {
  RunnerWorld world;
  unsigned told = 0;
  world.claim_credentials_refused = [&](const Error& error) {
    CHECK(error.message == "the signature is wrong");
    // Its regular try is twenty minutes away.
    if (++told == 1) boost::asio::post(world.loop, [&] { world.runner->hurry_claim(); });
    if (told == 2) boost::asio::post(world.loop, [&] { world.runner->cancel("operator", "not needed"); });
  };
  world.source.claim_failures = {Error{Fault::credentials, "the signature is wrong"}};
  SECTION("they are") {
    CHECK(world.run().describe() == "success");
    CHECK(told == 1);
    CHECK(world.source.finds == 1);
    CHECK(world.source.jobs.size() == 1);
  }
  SECTION("they are not, and somebody gives up") {
    world.source.find_failures = {Error{Fault::credentials, "the signature is wrong"}};
    CHECK(world.run().describe() == "withdrawn");
    CHECK(told == 2);
    CHECK(world.source.jobs.empty());
  }
  CHECK(world.count(event::claim_refused) == 0);
}

TEST_CASE("a claim that is not granted before its window closes waits for the next one") {
  RunnerWorld world;
  bool open = true;
  world.may_claim = [&] { return open; };
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  world.source.on_ask = [&] { open = false; };
  SECTION("there is no job at the server") {
    const auto left = world.run();
    CHECK_FALSE(left.ended);
    CHECK(left.describe() == "waiting");
    CHECK(world.source.claims == 1);
    CHECK(world.source.jobs.empty());
    world.source.on_ask = nullptr;
    open = true;
    CHECK(world.run().describe() == "success");
    CHECK(world.source.jobs.size() == 1);
    CHECK(world.source.jobs.contains(left.claim_id));
  }
  SECTION("there is one") {
    world.source.failed_claim_happened = true;
    CHECK(world.run().describe() == "success");
    CHECK(world.count(event::claim_postponed) == 0);
  }
  SECTION("it is not known yet") {
    world.source.find_failures.assign(3, Error{Fault::retry_later, "x"});
    CHECK(world.run().describe() == "waiting");
    CHECK(world.source.finds == 4);
  }
}

TEST_CASE("in a closing stage status 75 is a warning, and runs nothing again") {
  RunnerWorld world;
  world.steps.endings["collect.acme"] = {{Kind::exited, 75, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "collect.acme") == 1);
  REQUIRE(story.warnings.size() == 1);
  CHECK(story.warnings[0].find("acme/collect exited with status 75") != std::string::npos);
}

TEST_CASE("status 75 runs a step again later, until its deadline") {
  RunnerWorld world;
  world.steps.endings["acquire.acme"] = {{Kind::exited, 75, {}}, {Kind::exited, 75, {}}, {Kind::exited, 0, {}}};
  SECTION("it gets what it waits for") {
    const auto story = world.run();
    CHECK(story.describe() == "success");
    CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "acquire.acme") == 3);
    CHECK(story.steps.at(2).id == "acquire.acme.try3");
    CHECK(world.steps.reasons.at(1) == "retry");
  }
  SECTION("its time is up") {
    world.retry_deadline = std::chrono::milliseconds{0};
    const auto story = world.run();
    CHECK(story.describe() == "error");
    CHECK(story.judgement->reason == "retry-later");
  }
}

TEST_CASE("while the journal cannot be written nothing goes on, and then nothing is missing") {
  for (unsigned nth = 1; nth <= 3; ++nth) {
    RunnerWorld world;
    world.journal.fail_append = nth;
    const auto story = world.run();
    CHECK(story.describe() == "success");
    CHECK(world.degraded == 1);
    CHECK(world.count(event::step_started) == 9);
    CHECK(world.count(event::job_ended) == 1);
  }
}

TEST_CASE("stages without hooks are told too, since servers show them") {
  RunnerWorld world;
  world.steps.plugins.clear();
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(story.stages.size() == 8);
  CHECK(story.stage(job::Stage::install)->outcome == "empty");
}

TEST_CASE("a step that got lost is an error of the lab, never a success") {
  for (const Kind kind : {Kind::lost, Kind::cancelled}) {  // A step that was cancelled although nobody asked for it.
    RunnerWorld world;
    world.steps.endings["test.acme"] = {{kind, 0, "the guardian died"}};
    const auto story = world.run();
    CHECK(story.describe() == "error");
    CHECK(story.judgement->reason == "step-lost");
  }
}

TEST_CASE("a download that never ends is stopped when the job's time is up") {
  RunnerWorld world{{.name = "nightly", .source = "fake", .timeout = std::chrono::milliseconds{20}}};
  world.source.fetch_hangs = true;
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "timeout");
  CHECK_THAT(story.judgement->message, holds("the job's time was up"));
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("each retry of a download is in its log, is shown, and is told to the agent unless it just was") {
  RunnerWorld world;
  const std::string first = "downloading a: attempt 1, next in 1.0s: reset", second = "downloading a: attempt 2, next in 2.0s: reset";
  world.source.stalls = {first, second, first, ""};
  std::vector<std::string> shown, told;
  auto options = world.options();
  options.step_shows = [&](const std::string&, const std::string& step_id, std::string_view kind, boost::json::object what) {
    if (step_id == "pre-run.outpost.download" && kind == "status") shown.push_back(job::text_at(what, "text"));
  };
  options.download_stalled = [&](const std::string& job_id, std::string_view why) { told.push_back(job_id + " " + std::string{why}); };
  pipeline::JobRunner fresh{{world.journal, world.source, world.steps, world.collector, world.workers, world.clock}, std::move(options), world.told()};
  await(world.loop, world.finish(fresh));
  CHECK(world.told().describe() == "success");
  CHECK(shown == world.source.stalls);
  CHECK(told == std::vector<std::string>{"job-1 " + first});
  const auto log = read_file(world.directory.path / "job-1/logs/pre-run.outpost.download.log");
  CHECK_THAT(log, holds(first + "\n" + second + "\n"));
  CHECK(log.find(first) == log.rfind(first));  // That it still waits is no retry.
}

TEST_CASE("a download is cancelled like a step") {
  RunnerWorld world;
  world.source.fetch_hangs = true;
  world.checkpoint = [&](std::string_view point) {
    if (point != "step.started" || world.source.fetches > 0 || world.steps.ran.size() != 1) return;
    boost::asio::post(world.loop, [&] { world.runner->cancel("operator", "enough"); });
  };
  CHECK(world.run().describe() == "killed");
}

TEST_CASE("a plugin that disappeared does not keep the others from closing the job") {
  RunnerWorld world{{.name = "nightly", .source = "fake", .plugins = {"acme", "gone"}}};
  world.checkpoint = [&](std::string_view point) {
    if (point == "job.verdict") world.steps.missing_plugin = "gone";
  };
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "release.acme") == 1);
  CHECK(story.warnings.size() == 4);  // One for each closing stage.
}

TEST_CASE("a job that is cancelled before it exists at the server is withdrawn") {
  RunnerWorld world;
  world.source.claim_failures = {Error{Fault::retry_later, "connection refused"}};
  SECTION("before the server was asked") {
    world.checkpoint = [&](std::string_view point) {
      if (point == "claim.requested") world.runner->cancel("operator", "not needed");
    };
    CHECK(world.run().describe() == "withdrawn");
    CHECK(world.source.claims == 0);
  }
  SECTION("while the server is away") {
    world.source.find_failures = {Error{Fault::retry_later, "x"}, Error{Fault::retry_later, "x"}};
    world.source.on_ask = [&] {
      if (world.source.finds == 1) world.runner->cancel("operator", "not needed");
    };
    CHECK(world.run().describe() == "withdrawn");
    CHECK(world.source.claims == 1);
    CHECK(world.source.jobs.empty());
  }
  SECTION("and ends as killed when it turns out to exist") {
    world.source.failed_claim_happened = true;
    world.source.find_failures = {Error{Fault::retry_later, "x"}};
    world.source.on_ask = [&] {
      if (world.source.finds == 1) world.runner->cancel("operator", "not needed");
    };
    CHECK(world.run().describe() == "killed");
    CHECK(world.steps.ran == std::vector<std::string>{"collect.acme", "release.acme", "cleanup.acme"});
  }
  CHECK(world.count(event::cancel_requested) == 1);
}

TEST_CASE("an agent that stops leaves an uncertain claim to its next start, whoever had cancelled the job before") {
  RunnerWorld world;
  world.source.claim_failures = {Error{Fault::retry_later, "connection reset"}};
  world.source.failed_claim_happened = true;
  world.source.find_failures.assign(100, Error{Fault::retry_later, "x"});
  const bool cancelled_before = GENERATE(false, true);
  world.source.on_ask = [&] {
    if (world.source.finds == 1 && cancelled_before) world.runner->cancel("operator", "not needed");
    if (world.source.finds == 3) world.runner->cancel("agent", "agent stopped");
  };
  const auto left = world.run();
  CHECK_FALSE(left.ended);
  CHECK(left.describe() == "claiming");
  CHECK(world.source.finds == 3);

  world.source.find_failures.clear();
  const auto story = world.run();
  CHECK(story.describe() == (cancelled_before ? "killed" : "success"));
  CHECK(world.source.jobs.size() == 1);
}

TEST_CASE("a job's slot is written down with its claim, and its steps are made ready for it") {
  RunnerWorld world;
  auto options = world.options();
  options.slot = 7;
  pipeline::JobRunner runner{{world.journal, world.source, world.steps, world.collector, world.workers, world.clock}, std::move(options), world.told()};
  await(world.loop, RunnerWorld::finish(runner));
  CHECK(world.told().slot == 7);
  CHECK(world.steps.prepared == std::vector<unsigned>{7});
}

TEST_CASE("what a step took is part of its end, as far as it was measured") {
  RunnerWorld world;
  world.steps.figures = {.cpu_us = 1500, .memory_peak = 4096};
  world.run();
  const auto ends = *world.journal.read({.job_id = "job-1", .types = {std::string{job::event::step_ended}}});
  REQUIRE_FALSE(ends.empty());
  const auto& figures = ends.back().data.at("figures").as_object();
  CHECK(job::number_at(figures, "cpu_us") == 1500);
  CHECK(job::number_at(figures, "memory_peak") == 4096);
  CHECK_FALSE(figures.contains("oom_kills"));
}

TEST_CASE("who is to be told of a success is told of nothing else, and the other way round") {
  for (const bool good : {true, false}) {
    RunnerWorld world;
    for (const auto stage : {job::Stage::success, job::Stage::failure}) world.steps.plugins[stage] = {"first", "second"};
    if (!good) world.steps.endings["acquire.acme"] = {{Kind::exited, 77, {}}};
    world.steps.endings[good ? "success.first" : "failure.first"] = {{Kind::exited, 1, {}}};
    const auto story = world.run();
    CHECK(story.describe() == (good ? "success" : "error"));
    const std::string stage = good ? "success" : "failure";
    const auto& ran = world.steps.ran;
    CHECK(std::vector<std::string>(ran.end() - 5, ran.end()) ==
          std::vector<std::string>{"collect.acme", stage + ".first", stage + ".second", "release.acme", "cleanup.acme"});
    CHECK(story.warnings.size() == 1);
    CHECK_FALSE(story.started(good ? job::Stage::failure : job::Stage::success));
    CHECK(*(world.steps.reasons.end() - 3) == (good ? "normal" : "prior-failure"));
  }
}

TEST_CASE("what release could not free, nobody else gets until somebody has looked at it") {
  RunnerWorld world{{.name = "nightly", .source = "fake", .resources = {"cluster4"}}};
  world.steps.endings["release.acme"] = {{Kind::timed_out, 0, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "success");
  const std::string why = "release of job job-1 failed: acme/release was stopped because its time was up";
  CHECK(world.not_released == std::vector<std::string>{why});
  const auto events = *world.journal.read({.types = {std::string{event::claims_paused}}});
  REQUIRE(events.size() == 1);
  CHECK(events.front().data == boost::json::object{{"resource", "cluster4"}, {"reason", why}});
}

TEST_CASE("while a hook that takes too long has its grace, those of on-timeout look at it") {
  RunnerWorld world;
  world.steps.plugins[job::Stage::on_timeout] = {"first", "second"};
  world.steps.endings["test.acme"] = {{Kind::timed_out, 0, {}}};
  world.steps.endings["on-timeout.first"] = {{Kind::exited, 1, {}}};
  Wakeup both_ran{world.loop.get_executor()};
  world.checkpoint = [&](std::string_view point) {
    if (point == "step.exited" && world.steps.ran.back() == "on-timeout.second") both_ran.notify();
  };
  world.steps.on_grace = [&]() -> boost::asio::awaitable<void> { co_await both_ran.wait(); };
  const auto story = world.run();
  CHECK(story.judgement->reason == "timeout");
  CHECK(story.warnings.empty());
  const auto test = std::find(world.steps.ran.begin(), world.steps.ran.end(), "test.acme");
  REQUIRE(test != world.steps.ran.end());
  CHECK(std::vector<std::string>(test + 1, test + 3) == std::vector<std::string>{"on-timeout.first", "on-timeout.second"});
  CHECK(world.steps.reasons[5] == "timeout");
  CHECK(world.steps.limits["on-timeout.first"].first <= world.steps.limits["test.acme"].second);
  std::vector<std::string> ends;
  for (const auto& event : *world.journal.read({.types = {std::string{event::step_ended}}})) ends.push_back(event.step_id);
  const auto place = [&](const char* id) { return std::find(ends.begin(), ends.end(), id) - ends.begin(); };
  CHECK(place("on-timeout.second") < place("test.acme"));
}

TEST_CASE("where a slot has one command at a time, on-cancel follows the hook that was stopped") {
  RunnerWorld world;
  world.steps.side_by_side = false;
  world.steps.plugins[job::Stage::on_cancel] = {"acme"};
  world.steps.plugins[job::Stage::on_timeout] = {"acme"};
  world.steps.hangs = "install.acme";
  world.steps.on_hang = [&] { world.runner->cancel("agent", "agent stopped"); };
  const auto story = world.run();
  CHECK(story.describe() == "killed");
  CHECK(world.steps.ran == std::vector<std::string>{"acquire.acme", "pre-run.acme", "install.acme", "on-cancel.acme", "collect.acme",
                                                    "release.acme", "cleanup.acme"});
  CHECK(world.steps.reasons[3] == "agent-stop");
}

TEST_CASE("each hook that is stopped has its own on-timeout, a hook that ends by itself none") {
  RunnerWorld world;
  world.steps.plugins[job::Stage::on_timeout] = {"acme"};
  world.steps.rules["install.acme"].keep_going = true;
  for (const char* stage : {"install.acme", "test.acme", "collect.acme"}) world.steps.endings[stage] = {{Kind::timed_out, 0, {}}};
  const auto story = world.run();
  std::vector<std::string> ids;
  for (const auto& step : story.steps)
    if (step.stage == job::Stage::on_timeout) ids.push_back(step.id);
  CHECK(ids == std::vector<std::string>{"on-timeout.acme", "on-timeout.acme.try2"});
}

TEST_CASE("a hook that fills the disk above its limit is stopped: an error of the lab, not of the product") {
  RunnerWorld world;
  world.workspace_interval = std::chrono::milliseconds{1};
  world.steps.rules["install.acme"].disk_limit = 64 * 1024;
  world.steps.rules["pre-run.acme"].disk_limit = 64 * 1024;
  world.steps.plugins[job::Stage::on_cancel] = {"acme"};
  world.steps.hangs = "install.acme";
  world.steps.on_hang = [&] { write_file(world.directory.path / "job-1/workspace/large", std::string(256 * 1024, 'x')); };
  const auto story = world.run();
  CHECK(story.describe() == "error");
  CHECK(story.judgement->reason == "disk-limit");
  CHECK(story.judgement->message == "install: acme/install was stopped because it filled the disk (the workspace had 256.0 KiB, its limit is 64.0 KiB)");
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "on-cancel.acme") == 0);
  CHECK(world.steps.ran.back() == "cleanup.acme");
}

TEST_CASE("an operator's hook can decline a job before the server is asked for it") {
  RunnerWorld world;
  world.steps.plugins[job::Stage::admit] = {"first", "second"};
  world.steps.endings["admit.second"] = {{Kind::exited, 1, {}}};
  world.steps.reports["admit.second"] = "looking\nthe lab is being rebuilt\n";
  const auto story = world.run();
  CHECK(story.ended);
  CHECK(story.withdrawn == "declined by second/admit: the lab is being rebuilt");
  CHECK(world.steps.ran == std::vector<std::string>{"admit.first", "admit.second"});
  CHECK(world.source.claims == 0);
  CHECK(world.types() == std::vector<std::string>{"job.queued", "job.declined", "job.withdrawn"});
  CHECK_FALSE(std::filesystem::exists(world.directory.path / "job-1"));
}

TEST_CASE("a job that is admitted is asked about once; who answers later is asked again for a while") {
  RunnerWorld world;
  world.steps.plugins[job::Stage::admit] = {"acme"};
  world.steps.endings["admit.acme"] = {{Kind::exited, 75, {}}, {Kind::exited, 75, {}}, {Kind::exited, 0, {}}};
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "admit.acme") == 3);
  CHECK(world.steps.reasons[1] == "retry");
  for (const auto& step : story.steps) CHECK(step.stage != job::Stage::admit);

  RunnerWorld never;
  never.retry_deadline = std::chrono::milliseconds{0};
  never.steps.plugins[job::Stage::admit] = {"acme"};
  never.steps.endings["admit.acme"] = {{Kind::exited, 75, {}}};
  CHECK(never.run().withdrawn == "declined by acme/admit: output of admit.acme");
}

TEST_CASE("a hook of admit that hangs is no yes, and a cancel or the end of the agent ends it") {
  RunnerWorld late;
  late.steps.plugins[job::Stage::admit] = {"acme"};
  late.steps.endings["admit.acme"] = {{Kind::timed_out, 0, {}}};
  CHECK(late.run().withdrawn == "declined by acme/admit: was stopped because its time was up, after: output of admit.acme");
  for (const char* by : {"operator", "agent"}) {
    RunnerWorld world;
    world.steps.plugins[job::Stage::admit] = {"acme"};
    world.steps.hangs = "admit.acme";
    world.steps.on_hang = [&] { world.runner->cancel(by, "enough"); };
    const auto story = world.run();
    CHECK(world.source.claims == 0);
    CHECK(story.ended == (std::string{by} == "operator"));
  }
}

TEST_CASE("what was asked for before a restart is not declined any more") {
  RunnerWorld world;
  world.steps.plugins[job::Stage::admit] = {"acme"};
  world.steps.endings["admit.acme"] = {{Kind::exited, 0, {}}, {Kind::exited, 1, {}}};
  world.source.claim_failures = {{Fault::retry_later, "no answer"}};
  world.failed_claim_then_stop();
  const auto story = world.run();
  CHECK(story.describe() == "success");
  CHECK(std::count(world.steps.ran.begin(), world.steps.ran.end(), "admit.acme") == 1);
}
