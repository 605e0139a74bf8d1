#include "plugins/dlrn/promoter/dlrn_place.hpp"
#include "plugins/dlrn/promoter/promoter.hpp"

#include "fakes.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::promoter;
using namespace outpost::test;
using Outcome = TargetReport::Outcome;

namespace {

/// A release of two stages, with two places before the builder, whose candidate '2' has passed the first stage.
struct World {
  FakeJournal below;
  KillingJournal journal{below};
  FakeBuilder builder;
  std::vector<std::string> story;
  FakePlace containers{"containers"}, images{"images"};
  DlrnPlace dlrn{builder, std::chrono::milliseconds{0}};
  std::vector<Place*> places{&containers, &images, &dlrn};
  FixedClock clock;
  Release release;

  World() {
    release.name = "master";
    release.api_url = "https://trunk.example.org/api";
    release.targets = {{.label = "current-tripleo", .candidate_label = "tripleo-ci-testing", .criteria = {"a"}}};
    builder.add_batch("current-tripleo", '0');
    builder.add_batch("current-tripleo", '1');
    builder.add_batch("previous-current-tripleo", '0');
    builder.add_batch("tripleo-ci-testing", '1');
    builder.add_batch("tripleo-ci-testing", '2');
    builder.votes_on[aggregate('2')] = {vote("a")};
    for (FakePlace* place : {&containers, &images}) {
      place->labels["current-tripleo"] = aggregate('1');
      place->story = &story;
    }
  }

  RunReport run(PromoterOptions options = {}) {
    Promoter promoter{{journal, builder, places, clock}, release, std::move(options)};
    return *await(promoter.run());
  }
  /// What everybody can see of it.
  [[nodiscard]] std::string state() {
    std::string text =
        "containers " + containers.labels["current-tripleo"] + "\nimages " + images.labels["current-tripleo"] + "\n";
    for (const char* label : {"current-tripleo", "previous-current-tripleo"})
      text += std::string{label} + " " + builder.label(label) + " of " + std::to_string(builder.rows[label].size()) +
              " rows\n";
    return text;
  }
  [[nodiscard]] std::vector<Record> history() { return *read_history(below); }
};

/// How many events one promotion is, and what is there afterwards.
struct Uninterrupted {
  World world;
  unsigned events = 0;
  std::string state;

  explicit Uninterrupted(void (*prepare)(World&)) {
    prepare(world);
    world.run();
    events = static_cast<unsigned>(world.below.last());
    state = world.state();
  }
};

void kill_at_each_event(void (*prepare)(World&)) {
  Uninterrupted whole{prepare};
  REQUIRE(whole.events > 3);
  for (unsigned event = 1; event <= whole.events; ++event)
    for (const bool after : {false, true}) {
      INFO("killed " << (after ? "after" : "before") << " event " << event << " of " << whole.events);
      World world;
      prepare(world);
      world.journal.at = event;
      world.journal.after = after;
      CHECK_THROWS_AS(world.run(), Killed);
      world.run();
      CHECK(world.state() == whole.state);
      const auto history = world.history();
      for (const auto& record : history) CHECK(record.ended);
      CHECK(history.back().outcome ==
            whole.world.below.read({.types = {"promotion.ended"}})->back().data.at("outcome").as_string());
    }
}

}  // namespace

TEST_CASE("the builder's label goes last, and the one before it is kept") {
  World world;
  const auto report = world.run();
  REQUIRE(report.targets.size() == 1);
  INFO(to_text(report));
  CHECK(report.targets[0].outcome == Outcome::promoted);
  CHECK(world.story == std::vector<std::string>{"containers: move", "images: move"});
  CHECK(world.builder.promotions ==
        std::vector<std::string>{"previous-current-tripleo=" + aggregate('1'), "current-tripleo=" + aggregate('2')});
  const auto history = world.history();
  REQUIRE(history.size() == 1);
  CHECK(history[0].outcome == "promoted");
  CHECK(history[0].incumbent->full_hash() == aggregate('1'));
  CHECK(to_text(history).find("tripleo-ci-testing -> current-tripleo  " + aggregate('2') + "  promoted") !=
        std::string::npos);
}

TEST_CASE("killed at any event of a promotion, the next run ends where an uninterrupted one does") {
  kill_at_each_event([](World&) {});
}

TEST_CASE("killed at any event of a promotion that is put back, the next run ends where an uninterrupted one does") {
  const auto fail = [](World& world) {
    world.images.move_fails = Error{Fault::refused, "the disk of the image server is gone"};
    world.images.moves_half = true;
  };
  kill_at_each_event(fail);
}

TEST_CASE("when the last place fails, those before are put back in reverse order") {
  World world;
  world.builder.disturb = [](const std::string& label) -> std::optional<Error> {
    if (label == "current-tripleo") return Error{Fault::refused, "410: purged"};
    return std::nullopt;
  };
  const std::string before = world.builder.label("previous-current-tripleo");
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::failed);
  CHECK(report.targets[0].message.find("410: purged") != std::string::npos);
  CHECK(world.story ==
        std::vector<std::string>{"containers: move", "images: move", "images: restore", "containers: restore"});
  CHECK(world.containers.labels["current-tripleo"] == aggregate('1'));
  CHECK(world.images.labels["current-tripleo"] == aggregate('1'));
  CHECK(world.builder.label("current-tripleo") == aggregate('1'));
  CHECK(world.builder.label("previous-current-tripleo") == before);
  CHECK_FALSE(report.went_well());
}

TEST_CASE("what a place lacks is found before anything is moved") {
  World world;
  world.images.check_fails = Error{Fault::unavailable, "overcloud-full.tar is missing"};
  const auto report = world.run();
  CHECK(report.targets[0].message == "images: overcloud-full.tar is missing");
  CHECK(world.story.empty());
  CHECK(world.below.last() == 0);
}

TEST_CASE("a promotion by somebody else ends ours, and what they moved is theirs") {
  World world;
  world.containers.moving = [&] { world.builder.add_batch("current-tripleo", '3'); };
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::failed);
  CHECK(report.targets[0].message.find("overtaken") == 0);
  CHECK(world.containers.labels["current-tripleo"] == aggregate('1'));
  CHECK(world.images.labels["current-tripleo"] == aggregate('1'));
  CHECK(world.builder.label("current-tripleo") == aggregate('3'));
}

TEST_CASE("the same hash promoted again meanwhile is no interference") {
  World world;
  world.containers.moving = [&] { world.builder.add_batch("current-tripleo", '1'); };
  CHECK(world.run().targets[0].outcome == Outcome::promoted);
}

TEST_CASE("an answer of the builder that was lost is read back, not sent again") {
  World world;
  world.builder.also_done = true;
  world.builder.disturb = [](const std::string&) { return Error{Fault::retry_later, "504"}; };
  CHECK(world.run().targets[0].outcome == Outcome::promoted);
  CHECK(world.builder.promotions.size() == 2);
}

TEST_CASE("of two promoters the one that gets a 500 tries again") {
  World world;
  int refusals = 1;
  world.builder.disturb = [&](const std::string& label) -> std::optional<Error> {
    if (label == "current-tripleo" && refusals-- > 0) return Error{Fault::retry_later, "500: two at once"};
    return std::nullopt;
  };
  CHECK(world.run().targets[0].outcome == Outcome::promoted);
  CHECK(world.builder.promotions.size() == 2);
}

TEST_CASE("a builder that makes another aggregate of it is not believed") {
  World world;
  // The aggregate of what was promoted has another hash: one component stayed behind.
  struct Stubborn final : Builder {
    FakeBuilder& real;
    explicit Stubborn(FakeBuilder& builder) : real{builder} {}
    boost::asio::awaitable<Result<std::vector<dlrn::Promotion>>> history(Label label,
                                                                         std::size_t offset) override {
      return real.history(std::move(label), offset);
    }
    boost::asio::awaitable<Result<std::vector<dlrn::Vote>>> votes(Candidate candidate) override {
      return real.votes(std::move(candidate));
    }
    boost::asio::awaitable<Result<void>> promote(Candidate candidate, std::string, std::string to) override {
      real.add_batch(to, candidate.aggregate.front() == '2' ? '9' : candidate.aggregate.front());
      co_return Result<void>{};
    }
  } stubborn{world.builder};
  DlrnPlace dlrn{stubborn, std::chrono::milliseconds{0}};
  const Move move{{.aggregate = aggregate('2')}, "tripleo-ci-testing", "current-tripleo"};
  const auto before = await(dlrn.look(move));
  const auto moved = await(dlrn.move(move, *before));
  REQUIRE(moved.has_error());
  CHECK(moved.error().message.find("instead of " + aggregate('2')) != std::string::npos);
  CHECK(world.builder.label("current-tripleo") == aggregate('1'));
}

TEST_CASE("what cannot be put back yet stays open, and the next run goes on with it before anything else") {
  World world;
  world.images.move_fails = Error{Fault::retry_later, "connection reset"};
  world.containers.restore_fails = Error{Fault::retry_later, "registry is away"};
  const auto first = world.run();
  CHECK(first.targets[0].outcome == Outcome::open);
  CHECK_FALSE(first.went_well());
  CHECK(world.containers.labels["current-tripleo"] == aggregate('2'));
  world.images.move_fails.reset();
  world.containers.restore_fails.reset();
  const auto second = world.run();
  REQUIRE(second.resumed.size() == 1);
  CHECK(second.resumed[0].outcome == "rolled back");
  CHECK(second.targets[0].outcome == Outcome::promoted);
  CHECK(world.containers.labels["current-tripleo"] == aggregate('2'));
}

TEST_CASE("what can never be put back is said, and does not block for ever") {
  World world;
  world.images.move_fails = Error{Fault::retry_later, "connection reset"};
  world.containers.restore_fails = Error{Fault::refused, "the label was new"};
  const auto report = world.run();
  CHECK(report.targets[0].message.find("containers stays as it is: the label was new") != std::string::npos);
  CHECK(world.history().back().ended);
}

TEST_CASE("without a journal nothing is moved") {
  World world;
  world.below.disk_full = true;
  const auto report = world.run();
  CHECK(report.targets[0].outcome == Outcome::failed);
  CHECK(world.story.empty());
  CHECK(world.builder.promotions.empty());
}

TEST_CASE("a place that has left the configuration ends an interrupted promotion by putting it back") {
  World world;
  world.journal.at = 4;
  CHECK_THROWS_AS(world.run(), Killed);
  world.places = {&world.containers, &world.dlrn};
  world.builder.votes_on.clear();
  const auto report = world.run();
  REQUIRE(report.resumed.size() == 1);
  CHECK(report.resumed[0].outcome == "rolled back");
  CHECK(world.containers.labels["current-tripleo"] == aggregate('1'));
}
