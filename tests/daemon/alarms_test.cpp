#include "agent/daemon/alarms.hpp"

#include "agent/job/event_types.hpp"
#include "fakes/fake_http_client.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/recording_runner.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <chrono>

using namespace outpost;
using namespace outpost::daemon;

namespace {

struct World {
  boost::asio::io_context loop;
  test::FakeJournal journal;
  test::FakeHttpClient client{[](const http::Request&) { return test::FakeReply{}; }};
  test::RecordingRunner commands;
  SystemClock clock;
  Logger logger;

  std::vector<std::chrono::milliseconds> pauses{std::chrono::milliseconds{1}, std::chrono::milliseconds{1}};

  Alarms make() { return {journal, clock, logger, loop.get_executor(), {"https://hook.example/alarm", {"mail", "-s", "Outpost", "root"}, {std::shared_ptr<void>{}, &client}, &commands, pauses}}; }
  void settle() {
    loop.restart();
    loop.run();
  }
};

}  // namespace

TEST_CASE("an alarm is told once, by every way there is") {
  World world;
  Alarms alarms = world.make();
  alarms.raise("parked:x", "parked", "item x cannot be delivered");
  alarms.raise("parked:x", "parked", "item x still cannot be delivered");
  world.settle();
  REQUIRE(world.client.requests.size() == 1);
  CHECK(world.client.requests[0].method == "POST");
  const auto told = boost::json::parse(std::get<std::string>(world.client.requests[0].body));
  CHECK(told.at("kind") == "parked");
  CHECK(told.at("message") == "item x cannot be delivered");
  REQUIRE(world.commands.commands.size() == 1);
  const auto& command = world.commands.commands[0];
  CHECK(std::vector<std::string>(command.arguments.end() - 4, command.arguments.end()) == std::vector<std::string>{"mail", "-s", "Outpost", "root"});
  CHECK(alarms.active().at("parked:x").message == "item x still cannot be delivered");
}

TEST_CASE("an alarm survives a restart until it is cleared") {
  World world;
  {
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "first");
    alarms.raise("b", "degraded", "second");
    alarms.clear("a");
    alarms.clear("never raised");
    world.settle();
  }
  Alarms again = world.make();
  REQUIRE(again.restore());
  CHECK(again.active().size() == 1);
  CHECK(again.active().contains("b"));
  again.raise("b", "degraded", "second");
  world.settle();
  CHECK(world.client.requests.size() == 2);  // Both from before the restart.
}

TEST_CASE("control bytes of a server do not reach whoever reads the alarm") {
  World world;
  Alarms alarms = world.make();
  alarms.raise("a", "degraded", "bad \x1b[31m name");
  world.settle();
  CHECK(alarms.active().at("a").message == "bad \\x1b[31m name");
}

TEST_CASE("an acknowledged alarm is neither shown nor told again until it was cleared, also after a restart") {
  World world;
  {
    Alarms alarms = world.make();
    CHECK_FALSE(alarms.acknowledge("a"));
    alarms.raise("a", "parked", "item a is parked");
    CHECK(alarms.acknowledge("a"));
    CHECK(alarms.active().empty());
    alarms.raise("a", "parked", "item a is parked");
    CHECK(alarms.active().empty());
    world.settle();
  }
  Alarms again = world.make();
  REQUIRE(again.restore());
  again.raise("a", "parked", "item a is parked");
  CHECK(again.active().empty());
  again.clear("a");
  again.raise("a", "parked", "item a is parked again");
  CHECK(again.active().size() == 1);
  world.settle();
  CHECK(world.client.requests.size() == 2);
}

TEST_CASE("what to do is told with the alarm, for a parked item down to the item") {
  World world;
  Alarms alarms = world.make();
  alarms.raise("dci/parked/file/a b@1", "parked", "too large");
  world.settle();
  const std::string fix = "outpost reporter retry dci 'file/a b@1'";
  REQUIRE(world.client.requests.size() == 1);
  CHECK(boost::json::parse(std::get<std::string>(world.client.requests[0].body)).at("fix").as_string() == fix);
  REQUIRE(world.commands.commands.size() == 1);
  const auto& environment = world.commands.commands[0].environment;
  CHECK(std::any_of(environment.begin(), environment.end(), [&](const auto& one) { return one.starts_with("OUTPOST_ALARM_TEXT=") && one.find("\nTo do: " + fix + "\n") != one.npos; }));
  CHECK(alarms.to_json().at(0).at("fix").as_string() == fix);
  CHECK(fix_of({"dci/stuck", "stuck", "", {}}) == "outpost spool list dci");
}

TEST_CASE("a way that fails is tried again a few times, by itself") {
  World world;
  unsigned failures = 0;
  world.client = test::FakeHttpClient{[&](const http::Request&) {
    test::FakeReply reply;
    if (failures-- > 0) reply.status = 503;
    return reply;
  }};
  SECTION("until it works") {
    failures = 2;
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "x");
    world.settle();
    CHECK(world.client.requests.size() == 3);
    CHECK(world.commands.commands.size() == 1);
  }
  SECTION("and given up") {
    failures = 100;
    world.commands.ending = process::Exited{1};
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "x");
    world.settle();
    CHECK(world.client.requests.size() == 3);
    CHECK(world.commands.commands.size() == 3);
  }
  SECTION("but not when it is refused") {
    world.client = test::FakeHttpClient{[](const http::Request&) { return test::FakeReply{.status = 404, .headers = {}, .body = {}, .break_after = {}, .error = {}}; }};
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "x");
    world.settle();
    CHECK(world.client.requests.size() == 1);
  }
  SECTION("nor when the alarm is over") {
    failures = 100;
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "x");
    alarms.clear("a");
    world.settle();
    CHECK(world.client.requests.size() == 1);
  }
}

TEST_CASE("nobody waits for an alarm that cannot be told when the daemon stops") {
  World world;
  world.client = test::FakeHttpClient{};  // Refuses every connection.
  world.pauses = {std::chrono::hours{24}};
  {
    Alarms alarms = world.make();
    alarms.raise("a", "degraded", "x");
    world.loop.restart();
    while (world.client.requests.empty()) world.loop.run_one();
    world.loop.poll();
  }
  CHECK(world.client.requests.size() == 1);  // The loop is left with its timer in it, as main() does.
}
