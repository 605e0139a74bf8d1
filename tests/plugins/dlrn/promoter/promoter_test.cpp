#include "plugins/dlrn/promoter/promoter.hpp"
#include "plugins/dlrn/promoter/dlrn_place.hpp"

#include "fakes.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::promoter;
using namespace outpost::test;
using Outcome = TargetReport::Outcome;

namespace {

struct World {
  FakeJournal journal;
  FakeBuilder builder;
  FakePlace containers{"containers"};
  DlrnPlace dlrn{builder, std::chrono::milliseconds{0}};
  std::vector<Place*> places{&containers, &dlrn};
  FixedClock clock;
  Release release;

  World() {
    release.name = "master";
    release.api_url = "https://trunk.example.org/api";
    release.targets = {{.label = "current-tripleo", .candidate_label = "tripleo-ci-testing", .criteria = {"a"}},
                       {.label = "current-tripleo-rdo", .candidate_label = "current-tripleo", .criteria = {"b"}}};
  }
  RunReport run(PromoterOptions options = {}) {
    Promoter promoter{{journal, builder, places, clock}, release, std::move(options)};
    return *await(promoter.run());
  }
};

std::string of(char digit) { return Candidate{.build = build(digit)}.full_hash(); }

}  // namespace

TEST_CASE("a hash goes through two stages in one run") {
  World world;
  world.builder.add("tripleo-ci-testing", build('1'));
  world.builder.votes_on[of('1')] = {vote("a"), vote("b")};
  const auto report = world.run();
  INFO(to_text(report));
  REQUIRE(report.targets.size() == 2);
  CHECK(report.targets[0].outcome == Outcome::promoted);
  CHECK(report.targets[1].outcome == Outcome::promoted);
  CHECK(report.went_well());
  CHECK(world.builder.label("current-tripleo-rdo") == of('1'));
  CHECK(to_text(report).find("promoted 2 hashes") != std::string::npos);
  const auto again = world.run();
  CHECK(again.targets[0].outcome == Outcome::nothing_new);
  CHECK(again.went_well());
}

TEST_CASE("the newest candidate that has passed is promoted, and none older") {
  World world;
  for (const char digit : {'1', '2', '3'}) world.builder.add("tripleo-ci-testing", build(digit));
  world.builder.votes_on[of('1')] = {vote("a")};
  world.builder.votes_on[of('2')] = {vote("a")};
  const auto report = world.run();
  CHECK(world.builder.label("current-tripleo") == of('2'));
  CHECK(report.targets[0].candidates.size() == 2);
  CHECK(report.targets[0].candidates[0].judgement.missing() == std::vector<std::string>{"a"});
  CHECK(world.run().targets[0].outcome == Outcome::not_yet);
  CHECK(world.builder.label("current-tripleo") == of('2'));
}

TEST_CASE("duplicates do not shrink the window of candidates") {
  World world;
  world.release.newest = 2;
  world.builder.add("tripleo-ci-testing", build('1'));
  for (int again = 0; again < 150; ++again) world.builder.add("tripleo-ci-testing", build('2'));
  world.builder.votes_on[of('1')] = {vote("a")};
  CHECK(world.run().targets[0].outcome == Outcome::promoted);
}

TEST_CASE("a dry run names the one hash that it would promote and each step, and writes nothing") {
  World world;
  for (const char digit : {'1', '2'}) {
    world.builder.add("tripleo-ci-testing", build(digit));
    world.builder.votes_on[of(digit)] = {vote("a")};
  }
  const auto report = world.run({.dry_run = true});
  CHECK(report.targets[0].outcome == Outcome::would_promote);
  CHECK(report.targets[0].message == of('2'));
  CHECK(report.targets[0].candidates.size() == 1);
  CHECK(report.targets[0].plan == std::vector<std::string>{"containers: current-tripleo := " + of('2'),
                                                           "dlrn: label current-tripleo := " + of('2')});
  CHECK(world.builder.promotions.empty());
  CHECK(world.containers.labels["current-tripleo"].empty());
  CHECK(world.journal.last() == 0);
}

TEST_CASE("a failure of one target leaves the others alone") {
  World world;
  world.builder.add("tripleo-ci-testing", build('2'));
  world.builder.votes_fail.insert({of('2'), Error{Fault::retry_later, "502 <html>"}});
  world.builder.add("current-tripleo", build('1'));
  world.builder.votes_on[of('1')] = {vote("b")};
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::failed);
  CHECK(report.targets[0].message == "502 <html>");
  CHECK(report.targets[1].outcome == Outcome::promoted);
  CHECK_FALSE(report.went_well());
}

TEST_CASE("a build that the builder no longer knows is passed over") {
  World world;
  for (const char digit : {'1', '2'}) world.builder.add("tripleo-ci-testing", build(digit));
  world.builder.votes_fail.insert({of('2'), Error{Fault::refused, "400: unknown"}});
  world.builder.votes_on[of('1')] = {vote("a")};
  const auto report = world.run({.targets = {"current-tripleo"}});
  REQUIRE(report.targets.size() == 1);
  CHECK(report.targets[0].outcome == Outcome::promoted);
  CHECK(report.targets[0].warnings.size() == 1);
}

TEST_CASE("a label that does not exist is a clear failure") {
  World world;
  world.builder.add("current-tripleo", build('1'));
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::failed);
  CHECK(report.targets[0].message ==
        "nothing was ever promoted to tripleo-ci-testing at https://trunk.example.org/api; is the name of the label "
        "right?");
}

TEST_CASE("criteria that name unknown jobs promote nothing and say so") {
  World world;
  world.release.targets[0].criteria = {"periodic-standalon"};
  world.builder.add("tripleo-ci-testing", build('1'));
  world.builder.votes_on[of('1')] = {vote("periodic-standalone")};
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::not_yet);
  REQUIRE(report.targets[0].warnings.size() == 1);
  CHECK(report.targets[0].warnings[0].find("did you mean periodic-standalone?") != std::string::npos);
  CHECK(world.builder.promotions.empty());
}

TEST_CASE("a builder that is away fails every target and moves nothing") {
  World world;
  world.builder.offline = Error{Fault::retry_later, "connection refused"};
  const auto report = world.run();
  for (const auto& target : report.targets) CHECK(target.message == "connection refused");
  CHECK(world.journal.last() == 0);
}

TEST_CASE("a waived job is in the history with who waived it") {
  World world;
  world.builder.add("tripleo-ci-testing", build('1'));
  world.builder.votes_on[of('1')] = {vote("a", false)};
  PromoterOptions options;
  options.waivers = {{.target = "current-tripleo",
                      .job = "a",
                      .hash = of('1'),
                      .by = "jane",
                      .why = "bug 7",
                      .until = world.clock.now() + std::chrono::hours{1}}};
  CHECK(world.run(std::move(options)).targets[0].outcome == Outcome::promoted);
  const auto history = *read_history(world.journal);
  REQUIRE(history.size() == 1);
  CHECK(history[0].jobs.at(0).at("by").as_string() == "jane: bug 7");
}

TEST_CASE("a forced promotion asks no votes, and keeps who forced it") {
  World world;
  world.builder.add("tripleo-ci-testing", build('1'));
  Promoter promoter{{world.journal, world.builder, world.places, world.clock}, world.release, {}};
  Forced forced{{{.build = build('1')}, "tripleo-ci-testing", "current-tripleo"}, "jane: release day"};
  const auto report = *await(promoter.force(std::move(forced)));
  CHECK(report.targets[0].outcome == Outcome::promoted);
  CHECK(world.containers.labels["current-tripleo"] == of('1'));
  CHECK(read_history(world.journal)->front().by == "jane: release day");
}

TEST_CASE("going back is a promotion of what the label named before") {
  World world;
  for (const char digit : {'1', '2'}) {
    world.builder.add("tripleo-ci-testing", build(digit));
    world.builder.votes_on[of(digit)] = {vote("a")};
    world.run();
  }
  REQUIRE(world.builder.label("current-tripleo") == of('2'));
  REQUIRE(world.builder.label("previous-current-tripleo") == of('1'));
  Promoter promoter{{world.journal, world.builder, world.places, world.clock}, world.release, {}};
  CHECK(await(promoter.roll_back({"current-tripleo"}, "jane"))->targets[0].outcome == Outcome::promoted);
  CHECK(await(promoter.roll_back({"current-tripleo-rdo"}, "jane")).has_error());
  CHECK(world.builder.label("current-tripleo") == of('1'));
  CHECK(world.containers.labels["current-tripleo"] == of('1'));
  CHECK(world.builder.label("previous-current-tripleo") == of('2'));
}

namespace {

/// Two components, each with a job of its own.
struct ComponentWorld : World {
  ComponentWorld() {
    release.targets.clear();
    for (const char* component : {"compute", "network"})
      release.targets.push_back({.label = "promoted-components",
                                 .component = component,
                                 .candidate_label = "component-ci-testing",
                                 .criteria = {std::string{component} + "-job"}});
    places = {&dlrn};
  }
  void candidate(const std::string& component, char digit) {
    // Each promotion in a component is a row with the aggregate of all.
    builder.add("component-ci-testing", build(digit), aggregate(digit), component);
  }
  [[nodiscard]] std::string promoted(const std::string& component, const std::string& label = "promoted-components") {
    const Label of{label, component};
    const auto found = await(newest(builder, of));
    return found && *found ? (*found)->full_hash() : "";
  }
};

}  // namespace

TEST_CASE("hashes of a component are judged by its jobs and promoted alone, whatever the others are") {
  ComponentWorld world;
  world.candidate("compute", '1');
  world.candidate("network", '2');
  world.builder.votes_on[of('1')] = {vote("compute-job"), vote("network-job", false)};
  world.builder.votes_on[of('2')] = {vote("compute-job")};
  const auto report = world.run();
  INFO(to_text(report));
  REQUIRE(report.targets.size() == 2);
  CHECK(report.targets[0].target == "component/compute/promoted-components");
  CHECK(report.targets[0].outcome == Outcome::promoted);
  CHECK(report.targets[1].outcome == Outcome::not_yet);
  CHECK(world.promoted("compute") == of('1'));
  CHECK(world.promoted("network").empty());

  // The same aggregate in rows of others is no change of this label, and no candidate.
  world.builder.votes_on[of('2')].push_back(vote("network-job"));
  const auto next = world.run();
  CHECK(next.targets[0].outcome == Outcome::nothing_new);
  CHECK(next.targets[1].outcome == Outcome::promoted);
  CHECK(world.promoted("network") == of('2'));

  world.candidate("compute", '3');
  world.builder.votes_on[of('3')] = {vote("compute-job")};
  CHECK(world.run({.targets = {"component/network/promoted-components"}}).targets.size() == 1);
  CHECK(world.promoted("compute") == of('1'));
  CHECK(world.run({.targets = {"promoted-components"}}).targets.size() == 2);
  CHECK(world.promoted("compute") == of('3'));
  CHECK(world.promoted("compute", "previous-promoted-components") == of('1'));
  CHECK(world.promoted("network", "previous-promoted-components").empty());
}

TEST_CASE("an interrupted promotion of a component is gone on with as that component's") {
  ComponentWorld world;
  world.candidate("network", '9');
  for (const unsigned at : {1u, 2u, 3u, 4u}) {
    const char digit = static_cast<char>('0' + at);
    world.candidate("compute", digit);
    world.builder.votes_on[of(digit)] = {vote("compute-job")};
    KillingJournal killing{world.journal};
    killing.at = at;
    killing.after = true;
    Promoter promoter{{killing, world.builder, world.places, world.clock}, world.release, {}};
    try {
      static_cast<void>(await(promoter.run()));
    } catch (const Killed&) {
    }
    const auto report = world.run();
    INFO(to_text(report));
    CHECK(report.went_well());
    CHECK(world.promoted("compute") == of(digit));
    CHECK(world.promoted("network").empty());
    CHECK(read_history(world.journal)->back().ended);
  }
}
