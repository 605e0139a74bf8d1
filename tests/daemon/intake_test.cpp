#include "agent/daemon/intake.hpp"

#include "support/catch.hpp"

#include <set>

using namespace outpost;
using namespace outpost::daemon;

namespace {

std::vector<job::Component> components(std::initializer_list<const char*> ids) {
  std::vector<job::Component> list;
  for (const char* id : ids) list.push_back({.id = id});
  return list;
}

Intake plan(const std::vector<pipeline::Candidates>& candidates, std::set<std::string> seen, bool first, Backlog backlog) {
  return plan_intake({.candidates = candidates, .seen = [&](const std::string& id) { return seen.contains(id); }, .first_poll = first, .backlog = backlog});
}

std::vector<std::string> ids(const std::vector<job::Component>& set) {
  std::vector<std::string> list;
  for (const auto& component : set) list.push_back(component.id);
  return list;
}

}  // namespace

TEST_CASE("with history there at the first start, only the newest runs") {
  const auto intake = plan({{"ocp", components({"3", "2", "1"})}}, {}, true, Backlog::newest);
  REQUIRE(intake.sets.size() == 1);
  CHECK(ids(intake.sets[0]) == std::vector<std::string>{"3"});
  CHECK(intake.seen.size() == 3);
  REQUIRE(intake.superseded.size() == 2);
  CHECK(intake.superseded[0].reason == "backlog");
  CHECK(intake.superseded[0].by == "3");
}

TEST_CASE("a backlog of none runs nothing, and everything counts as seen") {
  const auto intake = plan({{"ocp", components({"2", "1"})}}, {}, true, Backlog::none);
  CHECK(intake.sets.empty());
  CHECK(intake.seen.size() == 2);
  CHECK(intake.superseded.size() == 2);
}

TEST_CASE("a backlog of all runs each component once, oldest first, with the best of the other selections") {
  const auto intake = plan({{"ocp", components({"3", "2", "1"})}, {"rhel", components({"b", "a"})}}, {}, true, Backlog::all);
  REQUIRE(intake.sets.size() == 4);
  CHECK(ids(intake.sets[0]) == std::vector<std::string>{"1", "b"});
  CHECK(ids(intake.sets[1]) == std::vector<std::string>{"2", "b"});
  CHECK(ids(intake.sets[2]) == std::vector<std::string>{"3", "a"});
  CHECK(ids(intake.sets[3]) == std::vector<std::string>{"3", "b"});
  CHECK(intake.backlog);
  CHECK(intake.superseded.empty());
}

TEST_CASE("later, several new components at once make one job; the older are superseded") {
  const auto intake = plan({{"ocp", components({"4", "3", "2"})}}, {"2", "1"}, false, Backlog::all);
  REQUIRE(intake.sets.size() == 1);
  CHECK(ids(intake.sets[0]) == std::vector<std::string>{"4"});
  REQUIRE(intake.superseded.size() == 1);
  CHECK(intake.superseded[0].component_id == "3");
  CHECK(intake.superseded[0].reason == "newer");
  CHECK_FALSE(intake.backlog);
}

TEST_CASE("a new component of any selection makes one job with the best of each") {
  const auto intake = plan({{"ocp", components({"2"})}, {"rhel", components({"b"})}}, {"2", "a"}, false, Backlog::newest);
  REQUIRE(intake.sets.size() == 1);
  CHECK(ids(intake.sets[0]) == std::vector<std::string>{"2", "b"});
}

TEST_CASE("nothing new is nothing to do, a late old component is noted and does not run") {
  CHECK(plan({{"ocp", components({"2"})}}, {"2"}, false, Backlog::newest).sets.empty());
  const auto late = plan({{"ocp", components({"2", "1"})}}, {"2"}, false, Backlog::newest);
  CHECK(late.sets.empty());
  REQUIRE(late.superseded.size() == 1);
  CHECK(late.superseded[0].by == "2");
}

TEST_CASE("a selection without a match waits, and nothing counts as seen meanwhile") {
  const auto intake = plan({{"ocp", components({"2"})}, {"rhel", {}}}, {}, true, Backlog::newest);
  CHECK(intake.unmatched == "rhel");
  CHECK(intake.seen.empty());
  CHECK(intake.sets.empty());
}
