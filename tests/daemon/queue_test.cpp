#include "agent/daemon/queue.hpp"

#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::daemon;

namespace {

job::Story waiting(std::string id, std::vector<std::string> resources = {}) {
  job::Story story;
  story.job.id = std::move(id);
  story.job.definition.resources = std::move(resources);
  return story;
}

/// One that held this slot before.
job::Story in_slot(unsigned slot, std::string id) {
  job::Story story = waiting(std::move(id));
  story.slot = slot;
  return story;
}

bool always(const job::Story&) { return true; }

std::string next_id(Queue& queue, const std::function<bool(const job::Story&)>& may_claim = always) {
  const auto story = queue.next(may_claim);
  return story ? story->job.id : "";
}

}  // namespace

TEST_CASE("no more jobs run than there are slots, in the order of the queue") {
  Queue queue{2};
  for (const char* id : {"a", "b", "c"}) queue.add(waiting(id));
  CHECK(next_id(queue) == "a");
  CHECK(next_id(queue) == "b");
  CHECK(next_id(queue) == "");
  queue.release("a");
  CHECK(next_id(queue) == "c");
  CHECK(queue.waiting().empty());
}

TEST_CASE("a resource has one holder until its job has ended") {
  Queue queue{3};
  queue.add(waiting("a", {"cluster"}));
  queue.add(waiting("b", {"cluster"}));
  queue.add(waiting("c", {"other"}));
  CHECK(next_id(queue) == "a");
  CHECK(next_id(queue) == "c");
  CHECK(next_id(queue) == "");
  CHECK(queue.holders().at("cluster") == "a");
  queue.release("a");
  CHECK(next_id(queue) == "b");
}

TEST_CASE("nobody overtakes a job that waits for a resource") {
  Queue queue{3};
  queue.hold(waiting("running", {"x"}));
  queue.add(waiting("first", {"x", "y"}));
  queue.add(waiting("second", {"y"}));
  CHECK(next_id(queue) == "");
  queue.release("running");
  CHECK(next_id(queue) == "first");
  CHECK(next_id(queue) == "");
  queue.release("first");
  CHECK(next_id(queue) == "second");
}

TEST_CASE("a job whose window is closed keeps nobody waiting") {
  Queue queue{1};
  queue.add(waiting("night", {"x"}));
  queue.add(waiting("day", {"x"}));
  CHECK(next_id(queue, [](const job::Story& story) { return story.job.id == "day"; }) == "day");
  CHECK(queue.waiting().size() == 1);
}

TEST_CASE("a job resumed after a restart holds what it had, even beyond the slots") {
  Queue queue{1};
  queue.hold(waiting("a", {"x"}));
  queue.hold(waiting("b", {"y"}));
  CHECK(queue.busy() == 2);
  queue.add(waiting("c"));
  CHECK(next_id(queue) == "");
  queue.release("a");
  CHECK(next_id(queue) == "");
  queue.release("b");
  CHECK(next_id(queue) == "c");
}

TEST_CASE("each running job has a slot of its own, the lowest that is free") {
  Queue queue{3};
  for (const char* id : {"a", "b", "c", "d"}) queue.add(waiting(id));
  for (const char* id : {"a", "b", "c"}) CHECK(next_id(queue) == id);
  CHECK(queue.slot_of("a") == 1);
  CHECK(queue.slot_of("b") == 2);
  CHECK(queue.slot_of("c") == 3);
  queue.release("b");
  CHECK(next_id(queue) == "d");
  CHECK(queue.slot_of("d") == 2);
}

TEST_CASE("a job that ran before a restart keeps its slot, and nobody else gets it") {
  Queue queue{2};
  queue.hold(in_slot(2, "resumed"));
  CHECK(queue.slot_of("resumed") == 2);
  queue.add(waiting("new"));
  CHECK(next_id(queue) == "new");
  CHECK(queue.slot_of("new") == 1);
}

TEST_CASE("jobs from before a restart with fewer slots have some all the same") {
  Queue queue{1};
  queue.hold(in_slot(5, "high"));
  queue.hold(waiting("without"));
  CHECK(queue.slot_of("high") == 5);
  CHECK(queue.slot_of("without") == 1);
  queue.hold(in_slot(5, "again"));
  CHECK(queue.slot_of("again") == 2);
}

TEST_CASE("a job that is claimed anew gets any slot") {
  Queue queue{2};
  queue.add(in_slot(2, "postponed"));
  CHECK(next_id(queue) == "postponed");
  CHECK(queue.slot_of("postponed") == 1);
}
