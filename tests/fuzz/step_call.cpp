// What a hook says on the socket of its step: lines of a stranger, and what the agent writes down of them.
#include "promise.hpp"

#include "agent/job/event_types.hpp"
#include "agent/pipeline/step_desk.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fake_pipeline.hpp"
#include "plugins/hooks/call_line.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <memory>
#include <set>

namespace {

using namespace outpost;
namespace asio = boost::asio;
namespace event = job::event;

/// A job with one step that runs, and the desk that answers it. Its files would be nowhere, so there are none.
struct World {
  World() {
    job::Event queued, started;
    queued.type = event::job_queued;
    queued.job_id = started.job_id = "job-1";
    queued.data = {{"definition", to_json(job::Definition{.name = "nightly"})}};
    started.type = event::step_started;
    started.step_id = "test.acme";
    started.data = {{"stage", "test"}, {"plugin", "acme"}, {"hook", "test"}};
    record.note(event::job_queued, queued.data);
    record.note_of({job::Stage::test, "test.acme", "acme", "test"}, event::step_started, {});
    asio::co_spawn(loop, record.commit(), [](std::exception_ptr) {});
    loop.run();
    pipeline::StepDesk::Ways ways;
    ways.hide = [](const std::string&) {};
    ways.abort = [](const std::string& why) { fuzz::promise_message(why); };
    ways.is_cancelled = [] { return false; };
    ways.may_reboot = [] { return Result<void>{}; };
    ways.compare = [](std::vector<pipeline::FoundResult> results) -> asio::awaitable<std::vector<pipeline::FoundResult>> { co_return results; };
    ways.show = [](std::string_view, boost::json::object) {};
    log::Redactor redactor;
    redactor.add("hunter2-secret");
    const auto now = std::chrono::steady_clock::now();
    const pipeline::StepDesk::Times times{now, now + std::chrono::hours{1}, std::chrono::hours{1}, std::chrono::hours{2}, now + std::chrono::hours{3}};
    desk = std::make_unique<pipeline::StepDesk>(pipeline::StepDesk::Ports{record, workers, collector, locks}, std::move(ways),
                                                pipeline::Step{.stage = job::Stage::test, .plugin = "acme", .hook = "test"}, "test.acme",
                                                pipeline::JobDirectory{"/nonexistent"}, std::move(redactor), times);
  }

  void say(pipeline::StepCall call) {
    loop.restart();
    asio::co_spawn(loop, desk->answer(std::move(call)), [](std::exception_ptr thrown, const Result<boost::json::value>&) {
      fuzz::promise(!thrown, "a call never throws");
    });
    loop.run();
  }

  asio::io_context loop;
  test::FakeJournal journal;
  Workers workers;
  test::FakeCollector collector;
  pipeline::Locks locks{loop.get_executor()};
  pipeline::JobRecord record{journal, job::Story{.job = {.id = "job-1"}}, [](const Error&) {}};
  std::unique_ptr<pipeline::StepDesk> desk;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  std::string_view rest = fuzz::text_of(data, size);
  std::set<std::string> ids;
  while (!rest.empty()) {
    auto said = hooks::parse_call(fuzz::take_line(rest));
    if (!said) {
      fuzz::promise_message(said.error().message);
      continue;
    }
    fuzz::promise(!said->call.verb.empty() && said->call.id.size() >= 8 && said->call.id.size() <= 64, "a call has an id and a verb");
    ids.insert(said->call.id);
    world.say(std::move(said->call));
  }
  const auto events = world.journal.read({.limit = 100'000});
  std::size_t told = 0;
  for (const auto& each : *events) {
    if (each.type == event::step_told) ++told;
    const std::string written = boost::json::serialize(to_json(each));
    fuzz::promise(written.find("hunter2-secret") == std::string::npos, "no secret is written down");
    const auto read = job::event_from_json(boost::json::parse(written));
    fuzz::promise(read.has_value() && read->data == each.data, "what is written down is read again");
  }
  fuzz::promise(told <= ids.size(), "each call is written down once");
  return 0;
}
