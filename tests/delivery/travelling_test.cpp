// Items that leave in an archive too, while the dispatcher goes on trying to send them.

#include "site.hpp"
#include "support/catch.hpp"

#include <optional>

using namespace outpost;
using namespace outpost::test;
using journal::DeliveryState;
using Keys = std::vector<std::string>;

namespace {

/// Runs a call of the dispatcher to its end.
template <class Value>
Result<Value> ask(Site& site, boost::asio::awaitable<Result<Value>> call) {
  std::optional<Result<Value>> outcome;
  boost::asio::co_spawn(*site.loop, std::move(call), [&](std::exception_ptr error, Result<Value> value) {
    REQUIRE_FALSE(error);
    outcome = std::move(value);
  });
  site.poll();
  REQUIRE(outcome);
  return *outcome;
}

void travel(Site& site, Keys keys) { REQUIRE(ask(site, site.dispatcher->mark_travelling(std::move(keys)))); }
/// The archive is imported somewhere.
void arrive(Site& site, const std::string& key) { site.server.received.push_back({key, {}}); }

/// Three items wait for a server that is down, the third of them was never tried.
void cut_off(Site& site) {
  site.server.down = true;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}, {"after-a", {"a"}, {}}}));
  REQUIRE(ask(site, site.dispatcher->caught_up()));
  REQUIRE(site.row("after-a").state == DeliveryState::pending);
}

}  // namespace

TEST_CASE("What left in an archive is asked for before it is sent", "[delivery]") {
  Site site;
  cut_off(site);
  travel(site, {"a", "b", "after-a"});
  CHECK(site.row("after-a").state == DeliveryState::attempting);
  bool restarted = false;
  SECTION("by the same agent") {}
  SECTION("by the next one") { restarted = true; }
  if (restarted) site.kill();
  arrive(site, "a");
  arrive(site, "after-a");
  site.server.down = false;
  site.server.sent.clear();
  if (restarted) site.start();
  REQUIRE(site.settle());
  CHECK(site.server.sent == Keys{"b"});
  for (const char* key : {"a", "b", "after-a"}) CHECK(site.server.count(key) == 1);
  CHECK(site.row("after-a").remote_ref == "remote-after-a");
}

TEST_CASE("What left in an archive is asked for even after the server refused us meanwhile", "[delivery]") {
  Site site;
  cut_off(site);
  travel(site, {"a", "b", "after-a"});
  site.server.down = false;
  site.server.refuses = true;
  while (!site.dispatcher->status().credentials_refused) {
    REQUIRE(site.time.step());
    site.poll();
  }
  CHECK(site.row("a").state == DeliveryState::attempting);
  CHECK(site.row("b").state == DeliveryState::attempting);
  for (const char* key : {"a", "b", "after-a"}) arrive(site, key);
  site.server.sent.clear();
  site.server.refuses = false;
  site.dispatcher->credentials_changed();
  REQUIRE(site.settle());
  CHECK(site.server.sent.empty());
}

TEST_CASE("An attempt that was on its way while its item left does not make the item certain", "[delivery]") {
  Site site;
  site.server.script["a"] = {{pipeline::FixCredentials{"401"}, false}};
  site.start();
  site.append(queued("job-1"));
  // One turn of the loop at a time, up to the moment in which the request is out.
  std::vector<job::Event> drafts{event("step.ended", "job-1", {{"a", {}, {}}})};
  boost::asio::co_spawn(*site.loop, site.journal.append(std::move(drafts)), boost::asio::detached);
  site.loop->restart();
  while (site.server.in_flight == 0) REQUIRE(site.loop->poll_one() == 1);
  travel(site, {"a"});
  REQUIRE(site.dispatcher->status().credentials_refused);
  CHECK(site.row("a").state == DeliveryState::attempting);
  arrive(site, "a");
  site.dispatcher->credentials_changed();
  REQUIRE(site.settle());
  CHECK(site.server.sent == Keys{"a"});
  CHECK(site.server.asked == Keys{"a"});
}

TEST_CASE("What is known to have arrived is settled, and what needs it may go", "[delivery]") {
  Site site;
  cut_off(site);
  site.append(event("step.ended", "job-1", {{"last", {"after-a"}, {}}}));
  travel(site, {"a", "b", "after-a"});
  for (const char* key : {"a", "b", "after-a"}) {
    arrive(site, key);
    const auto settled = ask(site, site.dispatcher->mark_arrived(key, std::string{"there-"} + key));
    REQUIRE(settled);
    CHECK(*settled);
  }
  CHECK(site.row("b").remote_ref == "there-b");
  CHECK_FALSE(*ask(site, site.dispatcher->mark_arrived("a", "again")));
  CHECK_FALSE(*ask(site, site.dispatcher->mark_arrived("unknown", "x")));
  site.server.down = false;
  REQUIRE(site.settle());
  CHECK(site.server.count("last") == 1);
  CHECK(site.server.received.back().refs.at("after-a") == "there-after-a");
  for (const char* key : {"a", "b", "after-a"}) CHECK(site.server.count(key) == 1);
}

TEST_CASE("A parked item does not become delivered by hearsay", "[delivery]") {
  Site site;
  site.server.script["a"] = {{pipeline::Parked{"too large"}, false}};
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  REQUIRE(site.settle());
  CHECK_FALSE(*ask(site, site.dispatcher->mark_arrived("a", "ref")));
  CHECK(site.row("a").state == DeliveryState::parked);
}

TEST_CASE("Catching up with the journal fails when the rows cannot be written", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  REQUIRE(ask(site, site.dispatcher->caught_up()));
  site.append(event("step.ended", "job-1", {{"a", {}, {}}}));
  REQUIRE(ask(site, site.dispatcher->caught_up()));
  REQUIRE(site.settle());
  std::vector<job::Event> drafts{event("step.ended", "job-1", {{"b", {}, {}}})};
  boost::asio::co_spawn(*site.loop, site.journal.append(std::move(drafts)), boost::asio::detached);
  site.loop->restart();
  site.loop->poll_one();  // It is written; then the disk is full.
  site.journal.disk_full = true;
  const auto caught_up = ask(site, site.dispatcher->caught_up());
  REQUIRE_FALSE(caught_up);
  CHECK(caught_up.error().fault == Fault::retry_later);
}
