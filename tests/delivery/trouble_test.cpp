// What a dispatcher does when the server, the network, the credentials or the disk fail.

#include "site.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;
using journal::DeliveryState;
using Keys = std::vector<std::string>;

namespace {

FakeServer::Reply timed_out(bool arrived) { return {pipeline::RetryAfter{std::nullopt, "timed out"}, arrived}; }

}  // namespace

TEST_CASE("After an uncertain attempt the server is asked before the item is sent again", "[delivery]") {
  Site site;
  site.server.script["arrived"] = {timed_out(true)};
  site.server.script["lost"] = {timed_out(false)};
  site.start();
  site.append(queued("job-1", {{"arrived", {}, {}}, {"lost", {}, {}}}));
  CHECK(site.row("arrived").state == DeliveryState::attempting);
  CHECK_FALSE(site.settled());
  CHECK(site.dispatcher->status().last_error == "timed out");
  REQUIRE(site.settle());
  CHECK(site.server.sent == Keys{"arrived", "lost", "lost"});
  CHECK(site.server.asked == Keys{"arrived", "lost"});
  CHECK(site.server.count("arrived") == 1);
  CHECK(site.server.count("lost") == 1);
  CHECK(site.row("arrived").remote_ref == "remote-arrived");
  CHECK(site.dispatcher->status().last_error.empty());
}

TEST_CASE("Each failure waits longer, up to the cap", "[delivery]") {
  Site site;
  site.server.stubborn["bad"] = 0;
  site.start();
  site.append(queued("job-1", {{"bad", {}, {}}}));
  std::vector<std::chrono::seconds> waits;
  for (int round = 0; round < 12; ++round) {
    const auto before = site.time.now;
    REQUIRE(site.time.step());
    site.poll();
    waits.push_back(std::chrono::ceil<std::chrono::seconds>(site.time.now - before));
  }
  const std::vector<std::chrono::seconds> expected{1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s, 300s};
  CHECK(waits == expected);
}

TEST_CASE("A Retry-After is a minimum, even when others get through meanwhile", "[delivery]") {
  Site site;
  site.time.random = 0.0;
  site.server.script["a"] = {{pipeline::RetryAfter{120s, "429"}, false}};
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  REQUIRE(site.server.requests() == 1);
  site.advance(60s);
  site.append(event("step.ended", "job-1", {{"b", {}, {}}}));
  CHECK(site.server.count("b") == 1);
  site.advance(59s);
  CHECK(site.server.requests() == 2);
  site.advance(2s);
  CHECK(site.server.count("a") == 1);
}

TEST_CASE("When the server answers again, what waits is tried within five seconds", "[delivery]") {
  Site site;
  site.server.down = true;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}}));
  for (int round = 0; round < 14; ++round) {
    REQUIRE(site.time.step());
    site.poll();
  }
  REQUIRE(site.dispatcher->status().next_attempt.value() > site.clock.now() + 30s);
  site.server.down = false;
  site.append(event("step.ended", "job-1", {{"c", {}, {}}}));
  CHECK(site.received() == Keys{"c"});
  site.advance(5s);
  CHECK(site.settled());
  CHECK(site.server.received.size() == 3);
}

TEST_CASE("A bad item neither blocks the others nor is tried ever more often because they get through", "[delivery]") {
  Site site;
  site.server.stubborn["bad"] = 0;
  site.start();
  site.append(queued("job-1", {{"bad", {}, {}}}));
  for (int number = 0; number < 600; ++number) {
    const std::string key = "good-" + std::to_string(number);
    site.append(event("step.ended", "job-1", {{key, {}, {}}}));
    REQUIRE(site.server.count(key) == 1);
    site.advance(1s);
  }
  CHECK(site.server.stubborn["bad"] >= 5);
  CHECK(site.server.stubborn["bad"] <= 12);
}

TEST_CASE("Refused credentials raise one alarm and are tried three times an hour at most", "[delivery]") {
  Site site;
  site.server.refuses = true;
  site.options.parallel = 1;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}, {"c", {}, {}}}));
  CHECK(site.server.requests() == 1);
  CHECK(site.dispatcher->status().credentials_refused);
  REQUIRE(site.alarms.size() == 1);
  CHECK(site.alarms[0].raised);
  CHECK(site.alarms[0].kind == "credentials");
  CHECK(site.alarms[0].message.find("401 for this remoteci") != std::string::npos);
  CHECK(site.row("a").state == DeliveryState::pending);
  CHECK(site.row("a").reason == "401 for this remoteci");
  for (int minute = 0; minute < 120; ++minute) {
    site.append(event("step.ended", "job-1", {{"item-" + std::to_string(minute), {}, {}}}));
    site.advance(1min);
  }
  CHECK(site.server.requests() <= 1 + 6);
  CHECK(site.server.requests() >= 1 + 5);
  CHECK(site.alarms.size() == 1);
  CHECK(site.dispatcher->status().waiting == 123);

  site.server.refuses = false;
  site.dispatcher->credentials_changed();
  site.poll();
  REQUIRE(site.settled());
  CHECK(site.server.received.size() == 123);
  CHECK_FALSE(site.dispatcher->status().credentials_refused);
  REQUIRE(site.alarms.size() == 2);
  CHECK_FALSE(site.alarms[1].raised);
  CHECK(site.alarms[1].key == site.alarms[0].key);
  CHECK(site.server.asked.empty());  // What was refused did surely not arrive.
}

TEST_CASE("Credentials that are refused when asking for an item leave it uncertain", "[delivery]") {
  Site site;
  site.server.script["a"] = {timed_out(true)};
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  site.server.refuses = true;
  site.time.step();
  site.poll();
  CHECK(site.dispatcher->status().credentials_refused);
  CHECK(site.row("a").state == DeliveryState::attempting);
  site.server.refuses = false;
  REQUIRE(site.settle());
  CHECK(site.server.sent.size() == 1);
  CHECK(site.server.count("a") == 1);
}

TEST_CASE("Something that changed at the server is sent again at once, five times in a row", "[delivery]") {
  Site site;
  for (int round = 0; round < 8; ++round) site.server.script["a"].push_back({pipeline::Reread{"stale etag"}, false});
  site.server.script["b"] = {{pipeline::Reread{"stale etag"}, false}};
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}}));
  CHECK(std::count(site.server.sent.begin(), site.server.sent.end(), "a") == 6);
  CHECK(std::count(site.server.sent.begin(), site.server.sent.end(), "b") == 2);
  CHECK(site.server.count("b") == 1);
  CHECK(site.row("a").attempts == 1);
  CHECK(site.dispatcher->status().last_error.find("stale etag") != std::string::npos);
  REQUIRE(site.settle());
  CHECK(site.server.count("a") == 1);
  CHECK(site.server.asked == Keys{"a"});
}

TEST_CASE("With a full disk nothing is sent that is not journaled, and all is sent once it has room", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  site.append(event("step.ended", "job-1", {{"a", {}, {}}, {"b", {"a"}, {}}}));
  REQUIRE(site.settled());
  site.server.script["held"] = {timed_out(false)};
  site.append(event("step.ended", "job-1", {{"held", {}, {}}}));
  const auto sent = site.server.sent.size();
  site.journal.disk_full = true;
  for (int round = 0; round < 50 && site.time.step(); ++round) site.poll();
  CHECK(site.server.sent.size() == sent);
  CHECK(site.server.asked.empty());
  CHECK(site.dispatcher->status().last_error.find("full") != std::string::npos);
  const auto writes = site.journal.writes;
  site.advance(60s);
  CHECK(site.journal.writes <= writes + 4);  // Tried, but not in a tight loop.
  site.journal.disk_full = false;
  REQUIRE(site.settle());
  CHECK(site.server.count("held") == 1);
}

TEST_CASE("An expansion that cannot be written is written later, before anything of it is sent", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  // The event was written, then the disk filled up.
  site.journal.dies = [&](std::string_view, bool) {
    site.journal.disk_full = true;
    return false;
  };
  site.append(event("step.ended", "job-1", {{"a", {}, {}}, {"b", {}, {"a"}}}));
  site.journal.dies = nullptr;
  CHECK(site.server.sent.empty());
  CHECK_FALSE(site.settled());
  for (int round = 0; round < 5; ++round) {
    REQUIRE(site.time.step());
    site.poll();
  }
  CHECK(site.server.sent.empty());
  site.journal.disk_full = false;
  REQUIRE(site.settle());
  CHECK(site.received() == Keys{"a", "b"});
}

TEST_CASE("A parked item that cannot be written is written later", "[delivery]") {
  Site site;
  site.server.script["a"] = {{pipeline::Parked{"no"}, false}};
  site.start();
  site.journal.dies = [&](std::string_view call, bool) {
    if (call == "mark_parked") site.journal.disk_full = true;
    return false;
  };
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {"a"}, {}}}));
  site.journal.dies = nullptr;
  CHECK(site.row("a").state == DeliveryState::attempting);
  site.journal.disk_full = false;
  REQUIRE(site.settle());
  CHECK(site.row("a").state == DeliveryState::parked);
  CHECK(site.row("b").state == DeliveryState::parked);
  CHECK(site.server.sent == Keys{"a"});
}

TEST_CASE("A reporter can be registered only when the disk has room, and is then", "[delivery]") {
  Site site;
  site.journal.disk_full = true;
  site.start();
  CHECK_FALSE(site.journal.cursor("fake").value());
  REQUIRE(site.time.step());
  site.poll();
  CHECK_FALSE(site.journal.cursor("fake").value());
  site.journal.disk_full = false;
  site.time.step();
  site.poll();
  CHECK(site.journal.cursor("fake").value());
  site.append(queued("job-1", {{"a", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"a"});
}

TEST_CASE("Stopping cancels what is on the way, and the next start asks for it", "[delivery]") {
  Site site;
  site.start();
  site.server.holds = true;
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}}));
  REQUIRE(site.server.in_flight == 2);
  site.stop.emit(boost::asio::cancellation_type::terminal);
  site.poll();
  CHECK_FALSE(site.running);
  CHECK(site.row("a").state == DeliveryState::attempting);
  CHECK(site.row("b").state == DeliveryState::attempting);
  CHECK(site.server.received.empty());

  site.server.holds = false;
  site.kill();
  site.start();
  REQUIRE(site.settle());
  CHECK(site.server.asked == Keys{"a", "b"});
  CHECK(site.server.count("a") == 1);
  CHECK(site.server.count("b") == 1);
}

TEST_CASE("A dispatcher that was stopped can run again", "[delivery]") {
  Site site;
  site.start();
  site.server.down = true;
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {"a"}, {}}}));
  site.stop.emit(boost::asio::cancellation_type::terminal);
  site.poll();
  REQUIRE_FALSE(site.running);
  CHECK(site.time.due == delivery::Moment::max());
  site.server.down = false;
  boost::asio::co_spawn(*site.loop, site.dispatcher->run(), boost::asio::detached);
  site.append(event("step.ended", "job-1", {{"c", {"b"}, {}}}));
  REQUIRE(site.settle());
  CHECK(site.received() == Keys{"a", "b", "c"});
  CHECK(site.server.asked == Keys{"a"});
}

TEST_CASE("What surely never left this machine is not asked for before it is sent", "[delivery]") {
  Site site;
  site.server.script["a"] = {{pipeline::RetryAfter{30s, "the endpoint is held back", true}, false}};
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  CHECK(site.row("a").state == DeliveryState::pending);
  REQUIRE(site.settle());
  CHECK(site.server.asked.empty());
  CHECK(site.server.count("a") == 1);
}

TEST_CASE("A server that says when to come back is no outage", "[delivery]") {
  Site site;
  std::vector<ItemSpec> items;
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
    site.server.script[key] = {{pipeline::RetryAfter{60s, "429"}, false}};
    items.push_back({key, {}, {}});
  }
  site.start();
  site.append(queued("job-1", items));
  CHECK(site.server.requests() == 6);
  CHECK_FALSE(site.dispatcher->status().link_down);
  REQUIRE(site.settle());
  CHECK(site.server.most_in_flight == 4);
}

namespace {

Result<std::size_t> retry(Site& site, Keys keys) {
  std::optional<Result<std::size_t>> count;
  boost::asio::co_spawn(*site.loop, site.dispatcher->retry_parked(std::move(keys)),
                        [&](std::exception_ptr, Result<std::size_t> result) { count = std::move(result); });
  site.poll();
  return count.value();
}

}  // namespace

TEST_CASE("Parked items are sent again on request, with what they need and what needs them", "[delivery]") {
  Site site;
  const FakeServer::Reply no{pipeline::Parked{"too large"}, false};
  site.server.script["state"] = {no};
  site.server.script["other"] = {no};
  site.start();
  site.append(queued("job-1", {{"state", {}, {}}, {"log", {"state"}, {}}, {"other", {}, {}}}));
  REQUIRE(site.dispatcher->status().parked == 3);
  CHECK(retry(site, {"log", "nothing"}).error().fault == Fault::unavailable);
  CHECK(retry(site, {"log"}).value() == 2);
  REQUIRE(site.settle());
  CHECK(site.received() == Keys{"state", "log"});
  CHECK(site.server.asked == Keys{"state", "log"});  // It might have arrived in spite of the refusal.
  CHECK(site.row("other").state == DeliveryState::parked);
  CHECK_FALSE(site.alarms.back().raised);

  site.server.script["other"] = {no};  // Still.
  CHECK(retry(site, {}).value() == 1);
  REQUIRE(site.settle());
  CHECK(site.row("other").state == DeliveryState::parked);
  CHECK(site.alarms.back().raised);
  CHECK(site.alarms.back().key == "fake/parked/other");

  // Asked for just before a crash: it is sent after the restart.
  CHECK(retry(site, {}).value() == 1);
  site.kill();
  site.start();
  REQUIRE(site.settle());
  CHECK(site.server.count("other") == 1);
}

TEST_CASE("Somebody who asks for it has what waits tried at once, but not before a Retry-After", "[delivery]") {
  Site site;
  site.server.down = true;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}, {"c", {}, {}}, {"e", {}, {}}, {"f", {}, {}}}));
  for (int round = 0; round < 14; ++round) {
    REQUIRE(site.time.step());
    site.poll();
  }
  REQUIRE(site.dispatcher->status().link_down);
  const auto before = site.server.requests();
  site.dispatcher->try_now();
  site.poll();
  CHECK(site.server.requests() > before);  // Still down: one probe tells.
  SECTION("the server is back") {
    site.server.down = false;
    site.dispatcher->try_now();
    site.poll();
    site.advance(5s);
    CHECK(site.settled());
  }
  SECTION("the server has said when") {
    site.server.down = false;
    site.time.random = 0.0;
    site.server.script["d"] = {{pipeline::RetryAfter{120s, "429"}, false}};
    site.append(event("step.ended", "job-1", {{"d", {}, {}}}));
    site.advance(60s);
    site.dispatcher->try_now();
    site.poll();
    CHECK(site.server.count("d") == 0);
    site.advance(121s);
    CHECK(site.server.count("d") == 1);
  }
}

TEST_CASE("An item that fails for half an hour while others get through is an alarm until it does", "[delivery]") {
  Site site;
  site.server.stubborn["bad"] = 0;
  site.start();
  site.append(queued("job-1", {{"bad", {}, {}}, {"good", {}, {}}}));
  CHECK(site.row("good").state == DeliveryState::delivered);
  const auto begin = site.time.now;
  while (site.time.now - begin < 30min) {
    CHECK(site.alarms.empty());
    REQUIRE(site.time.step());
    site.poll();
  }
  REQUIRE_FALSE(site.alarms.empty());
  CHECK(site.alarms[0].raised);
  CHECK(site.alarms[0].key == "fake/stuck");
  CHECK(site.alarms[0].kind == "stuck");
  CHECK(site.alarms[0].message.find("item bad does not get through since 2") != std::string::npos);
  CHECK(site.alarms[0].message.find(site.row("bad").reason.empty() ? site.dispatcher->status().last_error : site.row("bad").reason) != std::string::npos);
  site.server.stubborn.clear();
  REQUIRE(site.settle());
  CHECK_FALSE(site.alarms.back().raised);
  CHECK(site.alarms.back().key == "fake/stuck");
}

TEST_CASE("However many items are stuck it is one alarm, which ends with the last of them", "[delivery]") {
  Site site;
  site.server.stubborn["one"] = site.server.stubborn["two"] = 0;
  site.start();
  site.append(queued("job-1", {{"one", {}, {}}, {"two", {}, {}}}));
  const auto begin = site.time.now;
  while (site.time.now - begin < 45min) {
    REQUIRE(site.time.step());
    site.poll();
  }
  REQUIRE_FALSE(site.alarms.empty());
  CHECK(site.alarms.back().message.find("so do 1 others") != std::string::npos);
  site.server.stubborn.erase("one");
  while (site.row("one").state != DeliveryState::delivered) {
    REQUIRE(site.time.step());
    site.poll();
  }
  CHECK(site.alarms.back().raised);
  CHECK(site.alarms.back().message.find("item two") != std::string::npos);
  CHECK(site.alarms.back().message.find("others") == std::string::npos);
  site.server.stubborn.clear();
  REQUIRE(site.settle());
  CHECK_FALSE(site.alarms.back().raised);
}

TEST_CASE("The alarm of what is stuck ends with a run that begins again, and comes again when it still is", "[delivery]") {
  Site site;
  site.server.stubborn["bad"] = 0;
  site.start();
  site.append(queued("job-1", {{"bad", {}, {}}}));
  const auto until_told = [&site] {
    const auto begin = site.time.now;
    while (site.alarms.empty() && site.time.now - begin < 45min) {
      REQUIRE(site.time.step());
      site.poll();
    }
    REQUIRE_FALSE(site.alarms.empty());
    CHECK(site.alarms[0].raised);
  };
  until_told();
  site.alarms.clear();
  site.stop.emit(boost::asio::cancellation_type::terminal);
  site.poll();
  REQUIRE_FALSE(site.running);
  bool gets_through = false;
  SECTION("it gets through") { gets_through = true; }
  SECTION("it does not") {}
  if (gets_through) site.server.stubborn.clear();
  boost::asio::co_spawn(*site.loop, site.dispatcher->run(), boost::asio::detached);
  site.poll();
  REQUIRE(site.alarms.size() == 1);
  CHECK_FALSE(site.alarms[0].raised);
  CHECK(site.alarms[0].key == "fake/stuck");
  CHECK(site.alarms[0].message.find("all items get through") == std::string::npos);
  site.alarms.clear();
  if (!gets_through) return until_told();
  REQUIRE(site.settle());
  CHECK(site.alarms.empty());
}
