#include "agent/process/systemd/slot_limits.hpp"

#include "support/catch.hpp"

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

TEST_CASE("a file of limits that is none says nothing") {
  auto limits = SlotLimits::from_text("own TasksMax many\nours");
  CHECK(limits.without_ours(usual, usual) == usual);
  CHECK(SlotLimits::from_text("").to_text().empty());
}
