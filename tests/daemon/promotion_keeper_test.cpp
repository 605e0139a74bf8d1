#include "agent/daemon/promotion_keeper.hpp"

#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fixed_clock.hpp"
#include "fakes/recording_runner.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace outpost;
using namespace outpost::daemon;
using namespace std::chrono_literals;
namespace json = boost::json;
using Outcome = PromotionRun::Outcome;

namespace {


/// As `outpost promote --json` prints it.
std::string report(bool went_well, std::string_view targets, std::string_view resumed = "") {
  return "containers: moving\n{\"release\":\"centos9-master\",\"went_well\":" + std::string{went_well ? "true" : "false"} +
         ",\"resumed\":[" + std::string{resumed} + "],\"targets\":[" + std::string{targets} + "]}\n";
}
constexpr const char* promoted = R"({"target":"current-tripleo","from":"testing","outcome":"promoted","message":"abc"})";
constexpr const char* not_yet = R"({"target":"current-tripleo","from":"testing","outcome":"criteria not met","message":"none",
"candidates":[{"jobs":[{"job":"a","state":"failed"},{"job":"b","state":"no vote"}]},{"jobs":[{"job":"a","state":"passed"},{"job":"b","state":"too old"}]}]})";
constexpr const char* broken = R"({"target":"current-tripleo","from":"testing","outcome":"failed","message":"registry is away"})";

std::string one_line(std::string text) {
  std::string out;
  for (const char byte : text) out += byte == '\n' ? ' ' : byte;
  return out;
}

/// A runner that waits until it is stopped, as a push that takes hours.
struct SlowRunner final : process::CommandRunner {
  test::RecordingRunner rest;
  unsigned running = 0;
  [[nodiscard]] bool overlaps() const override { return true; }
  [[nodiscard]] bool outlives() const override { return false; }
  boost::asio::awaitable<process::Left> look_for(process::Command) override { co_return process::Left::gone; }
  boost::asio::awaitable<Result<process::Finished>> adopt(process::Command command, process::Output& output) override {
    return rest.adopt(std::move(command), output);
  }
  [[nodiscard]] Result<std::optional<gid_t>> group_of(unsigned) const override { return std::optional<gid_t>{}; }
  boost::asio::awaitable<Result<process::Finished>> run(process::Command command, process::Output&) override {
    rest.commands.push_back(std::move(command));
    ++running;
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, 1h};
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    --running;
    co_return process::Finished{.ending = process::Cancelled{}, .leftovers = 0, .figures = {}, .output_lost = false};
  }
  boost::asio::awaitable<bool> is_part_of(process::Command, pid_t) override { co_return false; }
  [[nodiscard]] std::optional<std::filesystem::path> private_directory(unsigned) const override { return {}; }
  [[nodiscard]] std::string_view name() const override { return "slow"; }
};

struct World {
  boost::asio::io_context loop;
  test::TemporaryDirectory directory;
  test::FakeJournal journal;
  test::RecordingRunner runner;
  test::FixedClock clock;
  Workers workers;
  Logger logger;
  Alarms alarms{journal, clock, logger, loop.get_executor(), {}};

  PromotionKeeper make(process::CommandRunner* commands = nullptr) {
    return {{loop.get_executor(), journal, commands ? *commands : runner, workers, clock, logger, alarms},
            {.program = "/usr/bin/outpost", .state_directory = "/state/promoter", .credentials_directory = {}, .environment = {"PATH=/bin", "LANG=C"}}};
  }
  config::Promotion master() const {
    config::Promotion promotion;
    promotion.name = "master";
    promotion.config = "/etc/outpost/promoter/master.yaml";
    promotion.every = 168h;  // No second run, unless a test asks for it.
    return promotion;
  }
  /// Until `is_so`; only a hang lasts so long.
  void until(const std::function<bool()>& is_so) {
    const auto give_up = std::chrono::steady_clock::now() + 120s;
    loop.restart();
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"gave up waiting"};
      loop.run_one_for(20ms);
    }
  }
  json::object status_after(PromotionKeeper& keeper, std::size_t runs) {
    const auto count = [&] {
      const auto all = keeper.status();
      return all.empty() ? json::object{} : all.front().as_object();
    };
    until([&] {
      const auto now = count();
      std::uint64_t ended = 0;
      if (!now.empty())
        for (const auto& [outcome, number] : now.at("runs").as_object()) ended += number.to_number<std::uint64_t>();
      return ended >= runs && now.at("running") == false;
    });
    return count();
  }
  void end(PromotionKeeper& keeper) {
    bool ended = false;
    boost::asio::co_spawn(loop, keeper.stop(), [&](std::exception_ptr) { ended = true; });
    until([&] { return ended; });
  }
  std::vector<job::Event> told() { return *journal.read({.types = {std::string{job::event::promotion_run_ended}}}); }
};

PromotionRun heard(std::string_view said, process::Ending ending) {
  PromotionEar ear{[](std::string_view) {}};
  // In pieces, as pipes give them.
  for (std::size_t at = 0; at < said.size(); at += 7) ear.take(said.substr(at, 7));
  return ear.understand(ending);
}

}  // namespace

TEST_CASE("what a run of the promoter came to is read from its report") {
  const auto good = heard(report(true, one_line(promoted)), process::Exited{0});
  CHECK(good.outcome == Outcome::well);
  CHECK(good.release == "centos9-master");
  REQUIRE(good.promoted.size() == 1);
  CHECK(good.promoted[0].hash == "abc");

  const auto waiting = heard(report(true, one_line(not_yet)), process::Exited{0});
  CHECK(waiting.outcome == Outcome::well);
  CHECK(waiting.promoted.empty());
  CHECK(waiting.targets.at(0).at("missing") == json::array{"b"});

  const auto bad = heard(report(false, one_line(broken)), process::Exited{1});
  CHECK(bad.outcome == Outcome::failed);
  CHECK(bad.message == "current-tripleo: failed: registry is away");

  const auto finished = heard(report(true, "", R"({"to":"current-tripleo","outcome":"promoted","candidate":{"full_hash":"old"}})"), process::Exited{0});
  REQUIRE(finished.promoted.size() == 1);
  CHECK(finished.promoted[0].hash == "old");
  CHECK(heard(report(false, "", R"({"to":"current-tripleo","outcome":"open"})"), process::Exited{1}).message.find("could neither be finished") != std::string::npos);
}

TEST_CASE("a run without a report says with its last words why") {
  CHECK(heard("outpost: another promoter of master may be running\n", process::Exited{promoter_is_busy}).outcome == Outcome::busy);
  const auto wrong = heard("master.yaml:2:1: api_url: \"x\" is no address\n", process::Exited{5});
  CHECK(wrong.outcome == Outcome::failed);
  CHECK(wrong.message == "master.yaml:2:1: api_url: \"x\" is no address");
  CHECK(heard("images: moving\x1b[31m", process::Killed{9}).message.find("outpost promote was killed; the last it said: images: moving") == 0);
  CHECK(heard("", process::TimedOut{}).message.find("did not end in time") != std::string::npos);
  CHECK(heard("", process::Exited{1}).message == "outpost promote ended with status 1");
  CHECK(heard("{\"half\": \n", process::Exited{1}).outcome == Outcome::failed);
  CHECK(heard("", process::Cancelled{}).outcome == Outcome::cancelled);
}

TEST_CASE("a promotion is run with its files, and with the variables of its credentials") {
  World world;
  world.runner.prints = report(true, one_line(promoted));
  auto promotion = world.master();
  promotion.waivers = "/etc/outpost/promoter/waivers-master.yml";
  promotion.timeout = 90min;
  promotion.credentials.file = world.directory.path / "dlrnapi.sh";
  test::write_file(promotion.credentials.file, "export DLRNAPI_PASSWORD='se cret'\nLANG=C.UTF-8\n");
  std::filesystem::permissions(promotion.credentials.file, std::filesystem::perms::owner_read);
  auto keeper = world.make();
  keeper.go_on_with({{"master", promotion}});
  const auto status = world.status_after(keeper, 1);
  REQUIRE(world.runner.commands.size() == 1);
  const auto& command = world.runner.commands[0];
  CHECK(command.program == "/usr/bin/outpost");
  CHECK(command.arguments == std::vector<std::string>{"promote", "--json", "--config", "/etc/outpost/promoter/master.yaml", "--state", "/state/promoter", "--waivers", "/etc/outpost/promoter/waivers-master.yml"});
  CHECK(command.environment == std::vector<std::string>{"PATH=/bin", "DLRNAPI_PASSWORD=se cret", "LANG=C.UTF-8"});
  CHECK(command.deadline == 90min);
  CHECK(status.at("outcome") == "well");
  CHECK(status.at("release") == "centos9-master");
  CHECK(status.at("last_run") == "2026-11-20T22:12:12.000000Z");
  CHECK(status.at("next_run") == "2026-11-27T22:12:12.000000Z");
  const auto& target = status.at("targets").at(0);
  CHECK(target.at("promoted") == 1);
  CHECK(target.at("last_hash") == "abc");
  world.end(keeper);
}

TEST_CASE("what was promoted is in the journal, and known after the next start") {
  World world;
  world.runner.prints = report(true, one_line(promoted));
  {
    auto keeper = world.make();
    keeper.go_on_with({{"master", world.master()}});
    world.status_after(keeper, 1);
    world.until([&] { return !world.told().empty(); });
    world.end(keeper);
  }
  REQUIRE(world.told().size() == 1);
  CHECK(world.told()[0].data.at("promoted").at(0).at("hash") == "abc");
  world.runner.prints = report(true, one_line(not_yet));
  auto keeper = world.make();
  REQUIRE(keeper.restore());
  keeper.go_on_with({{"master", world.master()}});
  const auto status = world.status_after(keeper, 1);
  CHECK(status.at("targets").at(0).at("last_hash") == "abc");
  CHECK(status.at("targets").at(0).at("promoted") == 0);
  // Nothing moved, nothing changed: nothing is written every ten minutes.
  CHECK(world.told().size() == 1);
  world.end(keeper);
}

TEST_CASE("a run that fails is an alarm until one goes well, or it is no longer wanted") {
  World world;
  world.runner.prints = report(false, one_line(broken));
  world.runner.ending = process::Exited{1};
  auto keeper = world.make();
  auto promotion = world.master();
  keeper.go_on_with({{"master", promotion}});
  const auto failed = world.status_after(keeper, 1);
  CHECK(failed.at("outcome") == "failed");
  REQUIRE(world.alarms.active().contains("promotion/master"));
  CHECK(world.alarms.active().at("promotion/master").message.find("registry is away") != std::string::npos);
  CHECK(failed.at("last_success").is_null());

  SECTION("somebody's own run changes nothing about it") {
    world.runner.prints = "outpost: another promoter of master may be running\n";
    world.runner.ending = process::Exited{promoter_is_busy};
    promotion.timeout = 1h;  // A change has it run at once.
    keeper.go_on_with({{"master", promotion}});
    const auto busy = world.status_after(keeper, 2);
    CHECK(busy.at("outcome") == "busy");
    CHECK(busy.at("targets").at(0).at("outcome") == "failed");
    CHECK(world.alarms.active().contains("promotion/master"));
  }
  SECTION("one that goes well ends it") {
    world.runner.prints = report(true, one_line(promoted));
    world.runner.ending = process::Exited{0};
    promotion.timeout = 1h;
    keeper.go_on_with({{"master", promotion}});
    world.status_after(keeper, 2);
    CHECK_FALSE(world.alarms.active().contains("promotion/master"));
  }
  SECTION("it is taken out of the configuration") {
    keeper.go_on_with({});
    CHECK(keeper.status().empty());
    CHECK_FALSE(world.alarms.active().contains("promotion/master"));
  }
  world.end(keeper);
}

TEST_CASE("credentials that cannot be read are a failure, and nothing is run") {
  World world;
  auto promotion = world.master();
  promotion.credentials.file = world.directory.path / "absent.sh";
  auto keeper = world.make();
  keeper.go_on_with({{"master", promotion}});
  const auto status = world.status_after(keeper, 1);
  CHECK(status.at("outcome") == "failed");
  CHECK(std::string{status.at("message").as_string()}.find("absent.sh") != std::string::npos);
  CHECK(world.runner.commands.empty());
  world.end(keeper);
}

TEST_CASE("a release that takes hours holds no other up, and is stopped with the daemon") {
  World world;
  SlowRunner slow;
  auto keeper = world.make(&slow);
  auto other = world.master();
  other.name = "wallaby";
  keeper.go_on_with({{"master", world.master()}, {"wallaby", other}});
  world.until([&] { return slow.running == 2; });
  for (const auto& each : keeper.status()) CHECK(each.at("running") == true);
  world.end(keeper);
  CHECK(slow.running == 0);
  CHECK(world.alarms.active().empty());
  CHECK(world.told().empty());
}
