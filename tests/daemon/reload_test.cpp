// Another configuration for an agent at work, and the last good one on disk.
#include "daemon/agent_world.hpp"

#include "agent/daemon/last_good.hpp"

#include <sys/stat.h>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

struct ReloadWorld : AgentWorld {
  ReloadWorld() { wanted = settings; }
  /// A reload that found `wanted`; the sources in `anew` are made again.
  void reload(const std::vector<std::string>& anew = {}) {
    daemon::Reconfiguration parts;
    parts.settings = wanted;
    parts.steps = borrowed_steps();
    for (const auto& name : anew) parts.integrations.push_back(integration(wanted.sources.at(name)));
    std::optional<Result<void>> done;
    boost::asio::co_spawn(*loop, agent->reconfigure(std::move(parts)), [&](std::exception_ptr error, Result<void> outcome) {
      thrown = error;
      done = std::move(outcome);
    });
    until([&] { return done.has_value(); });
    REQUIRE(*done);
  }
  void run_until_hook() {
    steps.hangs = "install.acme";
    start();
    until([this] { return !steps.ran.empty() && steps.ran.back() == "install.acme"; });
  }
  /// Something of the running job that the server has to be told.
  void say(const char* key) {
    job::Event event;
    event.type = "test.said";
    event.job_id = job_ids().at(0);
    event.data = {{"items", {{{"key", key}}}}};
    append(std::move(event));
  }
  std::size_t sources() { return agent->status().at("sources").as_array().size(); }
  config::Settings wanted;
};

}  // namespace

TEST_CASE("a job that a reload brings is asked for, and what it had seen before counts") {
  ReloadWorld world;
  world.start();
  world.until([&] { return world.count(event::job_ended) == 1; });
  SECTION("new") {
    world.wanted.jobs.push_back({.name = "weekly", .source = "fake", .topic = "T", .reporters = {"fake"}});
    world.reload();
    world.until([&] { return world.count(event::job_ended) == 2; });
    CHECK(world.story(1).job.definition.name == "weekly");
  }
  SECTION("changed") {
    world.wanted.jobs[0].comment = "other words";
    world.reload();
    world.poll();
    CHECK(world.job_ids().size() == 1);
    world.offer({"2", "1"});
    world.poll();
    world.until([&] { return world.count(event::job_ended) == 2; });
    CHECK(world.story(1).job.definition.comment == "other words");
  }
  SECTION("gone and back again") {
    world.wanted.jobs.clear();
    world.reload();
    world.wanted = world.settings;
    world.reload();
    world.poll();
    CHECK(world.job_ids().size() == 1);
  }
}

TEST_CASE("more slots take effect at once, fewer as jobs end") {
  ReloadWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  CHECK(world.state(1) == "waiting");
  world.wanted.slots = 2;
  world.steps.hangs.clear();
  world.reload();
  world.until([&] { return world.state(1) == "success"; });
  CHECK(world.state(0) == "running: install");
}

TEST_CASE("a source that is made anew takes over the deliveries and the running jobs of the old one") {
  ReloadWorld world;
  world.run_until_hook();
  world.server.holds = true;
  world.say("on its way");
  world.until([&] { return world.server.in_flight == 1; });
  world.wanted.sources.at("fake").url = "https://other";
  world.reload({"fake"});
  CHECK(world.sources() == 1);
  CHECK(world.server.count("on its way") == 0);
  world.server.holds = false;
  world.say("later");
  world.until([&] { return world.server.count("on its way") == 1 && world.server.count("later") == 1; });
  REQUIRE(world.cancel(world.job_ids()[0], "enough"));
  world.until([&] { return world.count(event::job_ended) == 1; });
  CHECK(world.state(0) == "killed");
}

TEST_CASE("a source that is gone lets its job end, and its waiting jobs are kept until it is back") {
  ReloadWorld world;
  world.run_until_hook();
  world.offer({"2", "1"});
  world.poll();
  world.wanted.sources.clear();
  world.wanted.jobs.clear();
  world.reload();
  CHECK(world.sources() == 1);
  CHECK(world.alarmed("orphan:" + world.job_ids()[1]));
  REQUIRE(world.cancel(world.job_ids()[0], "enough"));
  world.until([&] { return world.sources() == 0; });
  CHECK(world.state(0) == "killed");
  world.steps.hangs.clear();
  world.wanted = world.settings;
  world.reload({"fake"});
  world.until([&] { return world.state(1) == "success"; });
  CHECK_FALSE(world.alarmed("orphan:" + world.job_ids()[1]));
}

TEST_CASE("a source that comes back while it leaves is the new one, and claims again") {
  ReloadWorld world;
  world.run_until_hook();
  world.wanted.sources.clear();
  world.wanted.jobs.clear();
  world.reload();
  world.wanted = world.settings;
  world.reload({"fake"});
  CHECK(world.sources() == 1);
  CHECK_FALSE(world.agent->status().at("sources").at(0).at("leaving").as_bool());
  world.steps.hangs.clear();
  REQUIRE(world.cancel(world.job_ids()[0], "enough"));
  world.offer({"2", "1"});
  world.poll();
  world.until([&] { return world.count(event::job_ended) == 2; });
  CHECK(world.state(1) == "success");
}

TEST_CASE("the last good configuration comes back as it was, for its own file only") {
  TemporaryDirectory state;
  const daemon::LastGood good{*parse_rfc3339("2026-11-26T12:00:00Z"), {{"outpost.yml", "slots: 2\n"}, {"conf.d/10.yml", "# \xc3\xa9\n"}}};
  CHECK_FALSE(*daemon::read_last_good(state.path, "/etc/outpost/outpost.yml"));
  REQUIRE(daemon::keep_last_good(state.path, "/etc/outpost/outpost.yml", good));
  struct stat status{};
  REQUIRE(::stat((state.path / "last-good.json").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto read = daemon::read_last_good(state.path, "/etc/outpost/./outpost.yml");
  REQUIRE((read && *read));
  CHECK((*read)->since == good.since);
  REQUIRE((*read)->texts.size() == 2);
  CHECK((*read)->texts[1].text == good.texts[1].text);
  CHECK_FALSE(*daemon::read_last_good(state.path, "/elsewhere/outpost.yml"));
  write_file(state.path / "last-good.json", "{");
  CHECK(daemon::read_last_good(state.path, "/etc/outpost/outpost.yml").error().fault == Fault::malformed);
}
