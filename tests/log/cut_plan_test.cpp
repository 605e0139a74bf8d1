#include "agent/log/cut_plan.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using outpost::log::CutPlan;

TEST_CASE("the interval grows from two seconds to a minute, and after 200 pieces there is none") {
  CutPlan plan;
  REQUIRE(plan.next());
  CHECK(*plan.next() == 2s);
  auto before = *plan.next();
  std::chrono::milliseconds total = 0ms;
  for (int made = 0; made < 200; ++made) {
    REQUIRE(plan.next());
    CHECK(*plan.next() >= before);
    CHECK(*plan.next() <= 60s);
    before = *plan.next();
    total += before;
    plan.piece_made();
  }
  CHECK(before == 60s);
  CHECK_FALSE(plan.next());
  CHECK(total > 3h);
}

TEST_CASE("without a piece the interval stays") {
  CutPlan plan;
  plan.piece_made();
  CHECK(plan.next() == 3s);
  CHECK(plan.next() == 3s);
}

TEST_CASE("a plan goes on where it was before a restart") {
  CutPlan whole, resumed{CutPlan::Limits{}, 5};
  for (int made = 0; made < 5; ++made) whole.piece_made();
  CHECK(whole.next() == resumed.next());
  CHECK_FALSE(CutPlan(CutPlan::Limits{}, 4'000'000'000U).next());
}

TEST_CASE("the limits can be chosen") {
  CutPlan plan{{.first = 10ms, .longest = 25ms, .growth = 2, .pieces = 3}};
  CHECK(plan.next() == 10ms);
  plan.piece_made();
  CHECK(plan.next() == 20ms);
  plan.piece_made();
  CHECK(plan.next() == 25ms);
  plan.piece_made();
  CHECK_FALSE(plan.next());
}
