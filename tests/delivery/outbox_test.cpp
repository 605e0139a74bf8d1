#include "agent/delivery/outbox.hpp"

#include "agent/delivery/link.hpp"
#include "support/catch.hpp"

namespace {

using namespace outpost::delivery;
using namespace std::chrono_literals;

const Moment start{std::chrono::hours{10}};

std::vector<std::string> take_all(Outbox& outbox, Moment now) {
  std::vector<std::string> keys;
  while (auto* entry = outbox.take(now)) keys.push_back(entry->key);
  return keys;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("Items that wait for nothing go in the order in which they came", "[delivery]") {
  Outbox outbox;
  for (const char* key : {"c", "a", "b"}) outbox.add(key, "job", false, {});
  CHECK(take_all(outbox, start) == Keys{"c", "a", "b"});
  CHECK(outbox.next() == Moment::max());
  CHECK(outbox.size() == 3);
}

TEST_CASE("An item goes when all that it needs and follows is settled", "[delivery]") {
  Outbox outbox;
  outbox.add("state", "job", false, {});
  outbox.add("log-1", "job", false, {{"state"}, {}});
  outbox.add("log-2", "job", false, {{"state"}, {"log-1"}});
  CHECK(take_all(outbox, start) == Keys{"state"});
  outbox.settle("state", true);
  CHECK(take_all(outbox, start) == Keys{"log-1"});
  CHECK(outbox.settle("log-1", false).empty());
  CHECK(take_all(outbox, start) == Keys{"log-2"});
  outbox.settle("log-2", true);
  CHECK(outbox.size() == 0);
  CHECK(outbox.of_job("job") == 0);
}

TEST_CASE("A parked item takes along what needs it, however far away, and nothing else", "[delivery]") {
  Outbox outbox;
  outbox.add("a", "job", false, {});
  outbox.add("b", "job", false, {{"a"}, {}});
  outbox.add("c", "job", false, {{"b"}, {}});
  outbox.add("after-b", "job", false, {{}, {"b"}});
  outbox.add("other", "job", false, {});
  REQUIRE(outbox.take(start)->key == "a");
  const auto doomed = outbox.settle("a", false);
  REQUIRE(doomed.size() == 2);
  CHECK(doomed[0].key == "b");
  CHECK(doomed[0].because == "a");
  CHECK(doomed[1].key == "c");
  CHECK(doomed[1].because == "b");
  CHECK(take_all(outbox, start) == Keys{"after-b", "other"});
}

TEST_CASE("An item that was parked with what it needs, and is sent again with it, still waits for all", "[delivery]") {
  Outbox outbox;
  outbox.add("state", "job", false, {});
  outbox.add("piece", "job", false, {});
  outbox.add("log", "job", false, {{"state"}, {"piece"}});
  CHECK(take_all(outbox, start) == Keys{"state", "piece"});
  CHECK(outbox.settle("state", false).size() == 1);
  outbox.add("state", "job", true, {});
  outbox.add("log", "job", true, {{"state"}, {"piece"}});
  outbox.settle("piece", true);
  CHECK(take_all(outbox, start) == Keys{"state"});
  outbox.settle("state", true);
  CHECK(take_all(outbox, start) == Keys{"log"});
}

TEST_CASE("A delayed item comes back in time, after those that failed less", "[delivery]") {
  Outbox outbox;
  outbox.add("old", "job", false, {});
  outbox.add("new", "job", false, {});
  auto* old = outbox.take(start);
  old->failures = 1;
  outbox.put_back(*old, start + 10s);
  REQUIRE(outbox.take(start)->key == "new");
  CHECK(outbox.take(start + 9s) == nullptr);
  CHECK(outbox.next() == start + 10s);
  outbox.add("newer", "job", false, {});
  CHECK(take_all(outbox, start + 10s) == Keys{"newer", "old"});
}

TEST_CASE("Hastening never makes an item later", "[delivery]") {
  Outbox outbox;
  outbox.add("a", "job", false, {});
  auto* entry = outbox.take(start);
  entry->failures = 1;
  outbox.put_back(*entry, start + 10s);
  outbox.hasten([](const auto&) { return start + 60s; });
  CHECK(outbox.next() == start + 10s);
  outbox.hasten([](const auto&) { return start + 3s; });
  CHECK(outbox.next() == start + 3s);
}

TEST_CASE("The back-off doubles up to its cap, and full jitter spreads it from nothing on", "[delivery]") {
  CHECK(backoff(1, 1s, 300s, 0.5) == 500ms);
  CHECK(backoff(2, 1s, 300s, 0.5) == 1s);
  CHECK(backoff(9, 1s, 300s, 0.5) == 128s);
  CHECK(backoff(10, 1s, 300s, 0.5) == 150s);
  CHECK(backoff(4000000000U, 1s, 300s, 0.999999) <= 300s);
  CHECK(backoff(5, 1s, 300s, 0.0) == 0ms);
  CHECK(backoff(0, 1s, 300s, 0.5) == 500ms);
}

TEST_CASE("A link is down when several items fail in a row, not when one does", "[delivery]") {
  Link link{{3, 1s, 30s}};
  for (int round = 0; round < 10; ++round) link.failed("bad", start, 0.5);
  CHECK_FALSE(link.down());
  link.failed("b", start, 0.5);
  link.failed("c", start, 0.5);
  CHECK(link.down());
  CHECK(link.probe_at() == start + 500ms);
  for (int round = 0; round < 40; ++round) link.failed("d", start, 0.5);
  CHECK(link.probe_at() == start + 15s);
  CHECK(link.answered());
  CHECK_FALSE(link.down());
  CHECK_FALSE(link.answered());
}
