// The dispatcher on the real journal and with real time: nothing is faked but the server.

#include "agent/delivery/dispatcher.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "site.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;

namespace {

struct Agent {
  Agent(const std::filesystem::path& path, FakeServer& server)
      : owned{journal::SqliteJournal::open(path, {"host", "boot", "1"}, clock, loop.get_executor()).value()},
        reporter{server} {
    dispatcher = std::make_unique<delivery::Dispatcher>(
        "fake", *owned, *owned, reporter, clock, loop.get_executor(), delivery::system_timing(loop.get_executor()),
        delivery::Options{.backoff = 1ms, .cap = 20ms, .link_back = 5ms, .probe_cap = 5ms},
        [](const delivery::Alarm&) {});
  }
  ~Agent() {
    stop.emit(boost::asio::cancellation_type::terminal);
    loop.restart();
    while (running) loop.run_one();
  }

  void run() {
    REQUIRE(await(loop, dispatcher->prepare()));
    running = true;
    boost::asio::co_spawn(
        loop, dispatcher->run(),
        boost::asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr) { running = false; }));
  }
  void append(job::Event draft) {
    std::vector<job::Event> drafts{std::move(draft)};
    REQUIRE(await(loop, owned->append(std::move(drafts))));
  }
  void settle() {
    const auto wait = [this]() -> boost::asio::awaitable<bool> {
      co_await dispatcher->idle();
      co_return true;
    };
    REQUIRE(await(loop, wait()));
  }

  SystemClock clock;
  boost::asio::io_context loop;
  std::unique_ptr<journal::SqliteJournal> owned;
  FakeReporter reporter;
  std::unique_ptr<delivery::Dispatcher> dispatcher;
  boost::asio::cancellation_signal stop;
  bool running = false;
};

}  // namespace

TEST_CASE("A job is delivered through the real journal, across a stop and a bad link", "[delivery]") {
  TemporaryDirectory directory;
  FakeServer server;
  const auto path = directory.path / "journal.db";
  std::vector<std::string> expected;
  {
    Agent agent{path, server};
    agent.run();
    agent.append(queued("job-1", {{"new", {}, {}}}));
    agent.settle();
    CHECK(server.count("new") == 1);
    for (int number = 0; number < 30; ++number) {
      const std::string key = "item-" + std::to_string(number);
      expected.push_back(key);
      if (number % 5 == 0) server.script[key] = {{pipeline::RetryAfter{std::nullopt, "timed out"}, number % 2 == 0}};
      agent.append(event("step.ended", "job-1", {{key, {"new"}, {}}}));
    }
  }
  {
    Agent agent{path, server};
    agent.run();
    agent.append(event(job::event::job_ended, "job-1", {{"last", {"new"}, expected}}));
    agent.settle();
    CHECK(agent.dispatcher->status().delivered == 32);
    CHECK(agent.dispatcher->status().waiting == 0);
  }
  REQUIRE(server.received.size() == 32);
  CHECK(server.received.front().key == "new");
  CHECK(server.received.back().key == "last");
  for (const auto& key : expected) CHECK(server.count(key) == 1);
}
