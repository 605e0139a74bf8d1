#include "agent/process/systemd/slot_directory.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <unistd.h>

#include <filesystem>

using namespace outpost::process;
using Values = SlotLimits::Values;

namespace {

const Values usual{{"MemoryMax", 1000}, {"TasksMax", 4096}};
const Values ours{{"TasksMax", 77}};

/// A unit for which we have set `ours` when it had `before`, as another process finds it.
SlotLimits limited(const Values& before) {
  SlotLimits limits;
  CHECK(limits.without_ours(before, usual) == before);
  limits.note_ours(ours);
  return SlotLimits::from_text(limits.to_text());
}

}  // namespace

TEST_CASE("a unit that nobody has changed has what all of its kind have, also when that changes") {
  auto limits = limited(usual);
  const Values present{{"MemoryMax", 1000}, {"TasksMax", 77}};
  CHECK(limits.without_ours(present, usual) == usual);
  const Values later{{"MemoryMax", 1000}, {"TasksMax", 100}};
  CHECK(limits.without_ours(present, later) == later);
}

TEST_CASE("what an administrator gave a unit before ours is known after them") {
  const Values own{{"MemoryMax", 1000}, {"TasksMax", 555}};
  auto limits = limited(own);
  CHECK(limits.without_ours({{"MemoryMax", 1000}, {"TasksMax", 77}}, usual) == own);
  limits.note_ours(own);  // It was given back.
  CHECK(limits.without_ours(own, usual) == own);
}

TEST_CASE("what an administrator gives a unit after ours counts, until it is taken away") {
  auto limits = limited(usual);
  const Values own{{"MemoryMax", 300}, {"TasksMax", 444}};
  CHECK(limits.without_ours(own, usual) == own);
  CHECK(limits.without_ours(usual, usual) == usual);
}

TEST_CASE("what we had set stays ours while nobody knows whether systemd has what we set then") {
  auto limits = limited(usual);
  limits.note_ours(usual);  // It was given back,
  limits.note_set(usual);
  const Values narrower{{"MemoryMax", 1000}, {"TasksMax", 100}}, present{{"MemoryMax", 1000}, {"TasksMax", 77}};
  CHECK(limits.without_ours(usual, narrower) == narrower);  // then an administrator gave all of its kind less,
  limits.note_ours(ours);
  auto next = SlotLimits::from_text(limits.to_text());
  SECTION("it has not") { CHECK(next.without_ours(usual, narrower) == narrower); }
  SECTION("it has") { CHECK(next.without_ours(present, narrower) == narrower); }
  SECTION("it has, and somebody sets what we had set before") {
    next.note_set(ours);
    next = SlotLimits::from_text(next.to_text());
    CHECK(next.without_ours(present, narrower) == narrower);
    CHECK(next.without_ours(usual, narrower) == usual);
  }
}

TEST_CASE("that nothing is known of the limits of a unit, and that nobody has noted anything, are two things") {
  const outpost::test::TemporaryDirectory slots;
  const SlotDirectory directory{slots.path, ::getgid()};
  const std::string unit = "outpost-step@1.service";
  CHECK_FALSE(directory.limits(unit));
  REQUIRE(directory.note_limits(unit, {}));
  REQUIRE(directory.limits(unit));
  CHECK(directory.limits(unit)->to_text().empty());
  REQUIRE(directory.note_limits(unit, limited(usual)));
  REQUIRE(directory.limits(unit));
  CHECK(directory.limits(unit)->to_text() == "ours TasksMax 77\n");
  CHECK_FALSE(directory.limits("outpost-step-offline@1.service"));
}

TEST_CASE("a file of limits that is none says nothing") {
  auto limits = SlotLimits::from_text("own TasksMax many\nours");
  CHECK(limits.without_ours(usual, usual) == usual);
  CHECK(SlotLimits::from_text("").to_text().empty());
}
