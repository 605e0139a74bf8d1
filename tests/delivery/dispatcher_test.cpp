// What a dispatcher does when all goes well: which events, which items, which order.

#include "site.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::test;
using journal::DeliveryState;
using Keys = std::vector<std::string>;

TEST_CASE("A new reporter is registered and starts with what comes from now on", "[delivery]") {
  Site site;
  site.append(queued("old", {{"old-1", {}, {}}}));
  site.start();
  const auto events = site.journal.read({.types = {"reporter.registered"}}).value();
  REQUIRE(events.size() == 1);
  CHECK(events[0].data.at("reporter") == "fake");
  CHECK(events[0].data.at("type") == "fake");
  CHECK(events[0].data.at("from") == "now");
  site.append(queued("new", {{"new-1", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"new-1"});

  site.kill();
  site.start();
  CHECK(site.journal.read({.types = {"reporter.registered"}}).value().size() == 1);
}

TEST_CASE("Items are sent as soon as their event is in the journal, and the server's name for them is kept",
          "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}, {"b", {}, {}}}));
  CHECK(site.received() == Keys{"a", "b"});
  CHECK(site.row("a").state == DeliveryState::delivered);
  CHECK(site.row("a").remote_ref == "remote-a");
  CHECK(site.row("a").attempts == 1);
  CHECK(site.row("a").seq == site.journal.last());
  CHECK(site.server.asked.empty());
  CHECK(site.alarms.empty());
  CHECK(site.settled());
  const auto status = site.dispatcher->status();
  CHECK(status.delivered == 2);
  CHECK(status.waiting == 0);
  CHECK(status.last_contact);
  CHECK_FALSE(status.next_attempt);
  CHECK(status.last_error.empty());
}

TEST_CASE("A dispatcher with nothing to do sets no timer", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.time.due == delivery::Moment::max());
}

TEST_CASE("Events of jobs that are bound to others only move the cursor", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("theirs", {{"x", {}, {}}}, "another"));
  site.append(event("step.ended", "theirs", {{"y", {}, {}}}));
  site.append(event("agent.started", "", {{"z", {}, {}}}));
  site.append(queued("ours", {{"a", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"a"});
  CHECK(site.journal.cursor("fake").value() == site.journal.last());
  CHECK(site.reporter.stories.size() == 1);
}

TEST_CASE("The reporter sees the story before the event, the same after a restart in the middle of a job",
          "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  site.append(event(job::event::claim_requested, "job-1"));
  job::Event started = event(job::event::stage_started, "job-1");
  started.data["stage"] = "install";
  site.append(started);
  site.append(event("step.ended", "job-1"));
  const auto told = site.reporter.stories;
  REQUIRE(told.size() == 4);
  CHECK(told.begin()->second == "0 waiting");
  CHECK(told.rbegin()->second == "4 running: install");
  site.kill();
  site.append(event("step.ended", "job-1"));
  site.start();
  // The cursor may lag: what is expanded again is told the same.
  for (const auto& [seq, story] : told) CHECK(site.reporter.stories[seq] == story);
  CHECK(site.reporter.stories[6] == "5 running: install");
}

TEST_CASE("An item waits for what it needs and is given the server's names for it", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1", {{"state", {}, {}}, {"file", {"state"}, {}}}));
  site.append(event("step.ended", "job-1", {{"late", {"state", "file"}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"state", "file", "late"});
  const pipeline::Refs expected{{"state", "remote-state"}, {"file", "remote-file"}};
  CHECK(site.server.received[2].refs == expected);
}

TEST_CASE("An item that follows another is sent after it, also when that is parked", "[delivery]") {
  Site site;
  site.server.script["first"] = {{pipeline::Parked{"too large"}, false}};
  site.start();
  site.append(queued("job-1", {{"first", {}, {}}, {"second", {}, {"first"}}, {"third", {}, {"second"}}}));
  CHECK(site.settled());
  CHECK(site.server.sent == Keys{"first", "second", "third"});
  CHECK(site.received() == Keys{"second", "third"});
}

TEST_CASE("What needs a parked item is parked with a reason that names it, the rest goes on", "[delivery]") {
  Site site;
  site.server.script["state"] = {{pipeline::Parked{"409: job is final\x1b[31m"}, false}};
  site.start();
  site.append(queued("job-1", {{"state", {}, {}}, {"file", {"state"}, {}}, {"kv", {"file"}, {}}, {"other", {}, {}}}));
  site.append(event("step.ended", "job-1", {{"later", {"kv"}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"other"});
  CHECK(site.row("state").state == DeliveryState::parked);
  CHECK(site.row("state").reason == "409: job is final\\x1b[31m");
  CHECK(site.row("file").state == DeliveryState::parked);
  CHECK(site.row("file").reason.find("needs state, which is parked: 409") == 0);
  CHECK(site.row("kv").reason.find("needs state, which is parked: 409") == 0);
  CHECK(site.row("later").reason.find("needs state, which is parked: 409") == 0);
  REQUIRE(site.alarms.size() == 1);
  CHECK(site.alarms[0].kind == "parked");
  CHECK(site.alarms[0].key == "fake/parked/state");
  CHECK(site.alarms[0].message.find("2 items that need it") != std::string::npos);
  CHECK(site.dispatcher->status().parked == 4);
}

TEST_CASE("An item that needs something nobody made is parked, not forgotten", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1", {{"a", {"ghost"}, {}}, {"b", {}, {"ghost"}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"b"});
  CHECK(site.row("a").state == DeliveryState::parked);
  CHECK(site.row("a").reason.find("ghost") != std::string::npos);
}

TEST_CASE("Several items are on the way at once, never more than allowed", "[delivery]") {
  Site site;
  site.options.parallel = 3;
  site.start();
  std::vector<ItemSpec> items;
  for (int number = 0; number < 20; ++number) items.push_back({"item-" + std::to_string(number), {}, {}});
  site.append(queued("job-1", items));
  CHECK(site.settled());
  CHECK(site.server.received.size() == 20);
  CHECK(site.server.most_in_flight == 3);
}

TEST_CASE("A key that comes again is not sent again", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  site.append(event("step.ended", "job-1", {{"a", {}, {}}, {"b", {}, {}}, {"b", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"a", "b"});
}

TEST_CASE("A reporter that fails on one event costs an alarm, not the events after it", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  job::Event bad = event("step.ended", "job-1");
  bad.data["bug"] = true;
  site.append(bad);
  site.append(event("step.ended", "job-1", {{"a", {}, {}}}));
  CHECK(site.settled());
  CHECK(site.received() == Keys{"a"});
  REQUIRE(site.alarms.size() == 2);
  CHECK(site.alarms[0].raised);
  CHECK(site.alarms[0].kind == "expand");
  CHECK(site.alarms[0].message.find("step.ended") != std::string::npos);
  CHECK_FALSE(site.alarms[1].raised);
  CHECK(site.alarms[1].key == site.alarms[0].key);
}

TEST_CASE("The alarm of an event that could not be expanded ends with the next of its type, and with no other", "[delivery]") {
  Site site;
  site.start();
  site.append(queued("job-1"));
  const auto fail_on = [&](const char* type) {
    job::Event bad = event(type, "job-1");
    bad.data["bug"] = true;
    site.append(bad);
  };
  fail_on("step.ended");
  fail_on("stage.ended");
  site.append(event("step.started", "job-1", {{"a", {}, {}}}));
  REQUIRE(site.alarms.size() == 2);
  site.append(event("stage.ended", "job-1"));
  REQUIRE(site.alarms.size() == 3);
  CHECK_FALSE(site.alarms[2].raised);
  CHECK(site.alarms[2].key == "fake/expand/stage.ended");
  fail_on("stage.ended");
  REQUIRE(site.alarms.size() == 4);
  CHECK(site.alarms[3].raised);
}

TEST_CASE("Waiting for one job does not wait for another", "[delivery]") {
  Site site;
  site.server.stubborn["slow"] = 0;
  site.start();
  site.append(queued("job-1", {{"slow", {}, {}}}));
  site.append(queued("job-2", {{"quick", {}, {}}}));
  CHECK(site.settled("job-2"));
  CHECK_FALSE(site.settled("job-1"));
  CHECK_FALSE(site.settled());
  CHECK(site.dispatcher->status().waiting == 1);
  CHECK(site.dispatcher->status().next_attempt);
}

TEST_CASE("A long history is taken in from the journal, in order and completely", "[delivery]") {
  Site site;
  site.start();
  site.kill();
  site.append(queued("job-1"));
  for (int number = 0; number < 1000; ++number)
    site.append(event("step.ended", "job-1", {{"item-" + std::to_string(number), {}, {}}}));
  site.options.parallel = 1;
  site.start();
  CHECK(site.settled());
  REQUIRE(site.server.received.size() == 1000);
  for (std::size_t number = 0; number < 1000; ++number)
    REQUIRE(site.server.received[number].key == "item-" + std::to_string(number));
}

TEST_CASE("Ten thousand waiting items leave the loop free, and all arrive once", "[delivery]") {
  Site site;
  std::vector<journal::Expansion> waiting(1);
  for (int number = 0; number < 10000; ++number) {
    journal::Item item;
    item.key = "item-" + std::to_string(number);
    item.job_id = "job-1";
    if (number % 10 != 0) item.needs = {"item-" + std::to_string(number - number % 10)};
    waiting[0].items.push_back(std::move(item));
  }
  boost::asio::co_spawn(*site.loop, site.journal.expand_all("fake", 1, waiting), boost::asio::detached);
  site.poll();
  site.server.down = true;
  site.start();
  CHECK(site.dispatcher->status().waiting == 10000);

  // An outage of ten minutes: a few requests, one at a time after the first ones, not one for each item.
  const auto give_up = site.time.now + std::chrono::minutes{10};
  while (site.time.now < give_up && site.time.step()) site.poll();
  CHECK(site.dispatcher->status().link_down);
  CHECK(site.server.requests() >= 10);
  CHECK(site.server.requests() < 60);

  site.server.down = false;
  const auto back = site.time.now;
  REQUIRE(site.settle());
  // The next probe, then what had failed within 5 s.
  CHECK(site.time.now - back <= std::chrono::seconds{36});
  CHECK(site.server.received.size() == 10000);
  CHECK(site.dispatcher->status().delivered == 10000);
  for (int number = 0; number < 10000; number += 997) CHECK(site.server.count("item-" + std::to_string(number)) == 1);
}
