#include "pipeline/runner_world.hpp"

#include "agent/base/hash.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <fcntl.h>

using namespace outpost;
using namespace outpost::test;
namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
namespace event = job::event;

namespace {

/// A step's call, with a file.
pipeline::StepCall call(const std::string& id, const std::string& verb, boost::json::object arguments, const std::filesystem::path& file) {
  return {id, verb, std::move(arguments), Descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC)}};
}

}  // namespace

TEST_CASE("a result that a step hands over is compared with the one before, has a name of its own and counts once") {
  const job::Definition nightly{.name = "nightly", .source = "dci"};
  RunnerWorld world{nightly};
  world.collector.left["test.acme"] = results(0);
  world.run();
  write_file(world.directory.path / "mine.xml", "<testsuite/>");
  world.collector.left.clear();
  world.collector.examined->total = 3;
  world.collector.examined->failures = 1;

  job::Event queued;
  queued.type = event::job_queued;
  queued.job_id = "job-2";
  queued.data = {{"definition", to_json(nightly)}, {"components", {to_json(job::Component{.id = "d", .type = "ocp"})}}, {"reporters", {"fake"}}};
  std::vector<job::Event> drafts{queued};
  REQUIRE(await(world.loop, world.journal.append(std::move(drafts))));
  world.steps.says = [&](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    if (id != "test.acme") co_return;
    for (const char* call_id : {"00000001", "00000001", "00000002"}) {
      auto handing = calls.answer(call(call_id, "junit", {{"name", "suite.xml"}}, world.directory.path / "mine.xml"));
      const auto answer = co_await std::move(handing);
      CHECK(answer);
    }
  };
  pipeline::JobRunner next{{world.journal, world.source, world.steps, world.collector, world.workers, world.clock}, world.options(),
                           job::replay(*world.journal.read({.job_id = "job-2"}))};
  await(world.loop, RunnerWorld::finish(next));

  const auto found = *world.journal.read({.job_id = "job-2", .types = {std::string{event::result_found}}});
  REQUIRE(found.size() == 2);
  CHECK(job::text_at(found[0].data, "name") == "suite");
  CHECK(job::text_at(found[1].data, "name") == "suite.2");
  REQUIRE(found[0].data.contains("comparison"));
  CHECK(job::text_at(found[0].data.at("comparison").as_object(), "job") == "job-1");
  CHECK_FALSE(found[1].data.contains("comparison"));
  REQUIRE(next.story().judgement);
  CHECK(next.story().judgement->reason == "tests-failed");
  CHECK(next.story().judgement->message.find("2 of 6 cases failed") != std::string::npos);
}

TEST_CASE("a file that a step hands over is kept without secrets, and its cases are named without") {
  RunnerWorld world;
  world.secrets = {"hunter22"};
  write_file(world.directory.path / "text", "a hunter22 b");
  write_file(world.directory.path / "binary", std::string{"\0hunter22\1", 10});
  write_file(world.directory.path / "clean", "nothing");
  world.collector.examined->total = 1;
  world.collector.examined->failures = 1;
  world.collector.examined->failed = {"s:c:hunter22"};
  world.steps.says = [&](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    if (id != "test.acme") co_return;
    for (const std::string name : {"text", "binary", "clean"}) {
      auto handing = calls.answer(call("of-" + name, "artifact", {{"name", name}}, world.directory.path / name));
      const auto answer = co_await std::move(handing);
      CHECK(answer);
    }
    auto handing = calls.answer(call("00000002", "junit", {{"name", "suite.xml"}}, world.directory.path / "text"));
    const auto answer = co_await std::move(handing);
    CHECK(answer);
  };
  world.run();
  const std::map<std::string, std::string> expected{{"text", "a *** b"}, {"binary", std::string{"\0********\1", 10}}, {"clean", "nothing"}};
  const auto found = *world.journal.read({.job_id = "job-1", .types = {std::string{event::artifact_found}}});
  CHECK(found.size() == expected.size());
  for (const auto& artifact : found) {
    const auto& blob = artifact.blobs.at(0);
    const auto content = read_file(world.options().jobs_directory / "job-1" / blob.path);
    CHECK(content == expected.at(job::text_at(artifact.data, "name")));
    CHECK(blob.size == content.size());
    CHECK(blob.sha256 == sha256_hex(content));
  }
  const auto results = *world.journal.read({.job_id = "job-1", .types = {std::string{event::result_found}}});
  REQUIRE(results.size() == 1);
  CHECK(results[0].data.at("failed") == boost::json::value{"s:c:***"});
}

TEST_CASE("the same call that comes several times at once takes effect once, and each is answered when it has") {
  job::Definition nightly{.name = "nightly", .source = "dci"};
  RunnerWorld world{nightly};
  write_file(world.directory.path / "mine.xml", "<testsuite/>");
  world.collector.examined->total = 3;
  std::vector<std::size_t> journaled;  // What there was when a call had its answer.
  const auto told = [&] {
    return world.journal.read({.job_id = "job-1", .types = {std::string{event::step_told}, std::string{event::result_found}, std::string{event::artifact_found}}})->size();
  };
  world.steps.says = [&](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    if (id != "test.acme") co_return;
    const auto say = [&](std::string call_id, std::string verb, boost::json::object arguments) -> asio::awaitable<void> {
      auto answering = calls.answer(call(call_id, verb, std::move(arguments), world.directory.path / "mine.xml"));
      const auto answer = co_await std::move(answering);
      CHECK(answer);
      journaled.push_back(told());
    };
    const auto thrice = [&](std::string call_id, std::string verb, boost::json::object arguments) -> asio::awaitable<void> {
      const auto before = told();
      journaled.clear();
      co_await (say(call_id, verb, arguments) && say(call_id, verb, arguments) && say(call_id, verb, arguments));
      CHECK(journaled == std::vector<std::size_t>(3, before + 1));
    };
    const std::vector<std::pair<std::string, boost::json::object>> calls_to_make{
        {"metric", {{"name", "speed"}, {"value", 1}}}, {"junit", {{"name", "suite.xml"}}},     {"artifact", {{"name", "mine.txt"}}},
        {"redact", {{"text", "correct horse"}}},       {"timeout", {{"left_ms", 60'000}}},     {"lock", {{"name", "strip"}}}};
    for (std::size_t number = 0; number < calls_to_make.size(); ++number) {
      const auto& [verb, arguments] = calls_to_make[number];
      std::string call_id = "0000000" + std::to_string(number);
      std::string name = verb;
      boost::json::object given = arguments;
      co_await thrice(std::move(call_id), std::move(name), std::move(given));
    }
  };
  world.run();
}

TEST_CASE("a lock is the job's, beyond the step that has taken it, and nobody's when the job has ended") {
  RunnerWorld world;
  std::set<std::string> held;
  world.steps.says = [&](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    if (id == "collect.acme") held = world.told().locks;
    if (id != "install.acme") co_return;
    pipeline::StepCall locking{"0000000a", "lock", {{"name", "strip"}}, Descriptor{}};
    auto answering = calls.answer(std::move(locking));
    const auto answer = co_await std::move(answering);
    CHECK(answer);
  };
  const auto story = world.run();
  CHECK(held == std::set<std::string>{"strip"});
  CHECK(story.locks.empty());
}

TEST_CASE("that nothing is heard of a job's steps is one warning") {
  RunnerWorld world;
  world.steps.says = [](const std::string&, pipeline::StepCalls& calls) -> asio::awaitable<void> {
    calls.cannot_hear({Fault::unavailable, "cannot bind /there: Permission denied"});
    co_return;
  };
  const auto story = world.run();
  CHECK(story.judgement->verdict == job::Verdict::success);
  REQUIRE(story.warnings.size() == 1);
  CHECK(story.warnings[0].find("what hooks say by outpost-hook is not heard: cannot bind /there: Permission denied") != std::string::npos);
}
