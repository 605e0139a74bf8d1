#include "agent/daemon/self_examination.hpp"

#include "fakes/fixed_clock.hpp"
#include "fakes/recording_runner.hpp"
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

using namespace outpost;
using namespace std::chrono_literals;

namespace {

struct World {
  boost::asio::io_context loop;
  test::RecordingRunner runner;
  test::FixedClock clock;
  daemon::SelfExamination doctor{loop.get_executor(), runner, clock,
                                 {.program = "/usr/bin/outpost", .configuration = "/etc/outpost/outpost.yml", .environment = {"PATH=/bin"}}};

  World() {
    runner.prints = R"({"schema": "outpost-doctor", "version": 2, "verdict": "fail", "checks": []})";
    runner.ending = process::Exited{1};
  }
  /// Asks, and lets what that has begun come to its end.
  boost::json::object ask(std::chrono::seconds most_age) {
    auto found = doctor.found(most_age);
    loop.restart();
    loop.run();
    return found;
  }
};

}  // namespace

TEST_CASE("who asks first hears that it looks, who asks then what was found") {
  World world;
  const auto first = world.ask(300s);
  CHECK(first.at("running") == true);
  CHECK(first.at("report").is_null());
  CHECK(first.at("looked_at").is_null());
  REQUIRE(world.runner.commands.size() == 1);
  CHECK(world.runner.commands[0].arguments == std::vector<std::string>{"doctor", "--json", "--config", "/etc/outpost/outpost.yml"});
  CHECK(world.runner.commands[0].environment == std::vector<std::string>{"PATH=/bin"});
  const auto second = world.ask(300s);
  CHECK(second.at("running") == false);
  CHECK(second.at("report").at("verdict") == "fail");
  CHECK(second.at("looked_at") == "2026-11-20T22:12:12.000000Z");
  CHECK(world.runner.commands.size() == 1);
}

TEST_CASE("it looks again when what is known is too old, and not more often than it may") {
  World world;
  world.ask(300s);
  world.clock.time += 9s;
  CHECK(world.ask(0s).at("running") == false);
  world.clock.time += 2s;
  CHECK(world.ask(300s).at("running") == false);
  const auto again = world.ask(0s);
  CHECK(again.at("running") == true);
  CHECK(again.at("report").at("verdict") == "fail");  // What is known stays to be seen meanwhile.
  CHECK(world.runner.commands.size() == 2);
}

TEST_CASE("a look that comes to nothing says why, and what was found before stays") {
  World world;
  world.ask(300s);
  world.clock.time += 1h;
  world.runner.prints = "outpost: cannot open\x1b[31m";
  world.runner.ending = process::Exited{2};
  world.ask(300s);
  const auto found = world.ask(300s);
  CHECK(std::string{found.at("error").as_string()}.find("cannot open\\x1b") != std::string::npos);
  CHECK(found.at("report").at("verdict") == "fail");
  world.clock.time += 1h;
  world.runner.ending = process::TimedOut{};
  world.ask(300s);
  CHECK(std::string{world.ask(300s).at("error").as_string()}.find("5 minutes") != std::string::npos);
}
