// A table: die before and after every single write of delivery rows, start again, compare what the server got.

#include "site.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::test;
using journal::DeliveryState;

namespace {

const std::vector<job::Event>& story() {
  static const std::vector<job::Event> events{
      queued("job-1", {{"new", {}, {}}}),
      event(job::event::claim_requested, "job-1"),
      event(job::event::claim_granted, "job-1", {{"pre-run", {"new"}, {"new"}}, {"tag", {"new"}, {}}}),
      event("step.started", "job-1"),
      event("step.ended", "job-1", {{"log-0", {"pre-run"}, {}}, {"log-1", {"pre-run"}, {"log-0"}}}),
      event("result.found", "job-1",
            {{"junit", {"pre-run"}, {}}, {"poison", {}, {}}, {"needs-poison", {"poison"}, {}}}),
      queued("job-2", {{"theirs", {}, {}}}, "another"),
      event(job::event::verdict_reached, "job-1", {{"success", {"pre-run"}, {"pre-run", "log-1", "junit", "poison"}}}),
      event(job::event::job_ended, "job-1", {{"duration", {"new"}, {}}}),
  };
  return events;
}

/// Tells the whole story to an agent that dies at its n-th write (done: just after it took effect) and is started
/// again. False when it has fewer writes.
bool tell(Site& site, unsigned death, bool done) {
  bool died = false;
  site.journal.dies = [&](std::string_view, bool after) {
    if (died || site.journal.writes != death || after != done) return false;
    died = true;
    site.loop->stop();
    return true;
  };
  auto restart_if_dead = [&, restarted = false]() mutable {
    if (!died || restarted) return;
    restarted = true;
    site.kill();
    site.journal.lose_unsynced();
    site.start();
  };
  site.start();
  restart_if_dead();
  for (const auto& draft : story()) {
    site.append(draft);
    restart_if_dead();
  }
  for (int step = 0; step < 1000 && !site.settled(); ++step) {
    restart_if_dead();
    site.time.step();
    site.poll();
  }
  restart_if_dead();
  for (int step = 0; step < 1000 && !site.settled(); ++step) {
    site.time.step();
    site.poll();
  }
  return died;
}

void check(Site& site) {
  REQUIRE(site.settled());
  for (const char* key : {"new", "pre-run", "tag", "log-0", "log-1", "junit", "success", "duration"}) {
    INFO(key);
    CHECK(site.server.count(key) == 1);
    CHECK(site.row(key).state == DeliveryState::delivered);
    CHECK(site.row(key).remote_ref == "remote-" + std::string{key});
  }
  CHECK(site.server.count("poison") == 0);
  CHECK(site.server.count("needs-poison") == 0);
  CHECK(site.server.count("theirs") == 0);
  CHECK(site.row("poison").state == DeliveryState::parked);
  CHECK(site.row("needs-poison").state == DeliveryState::parked);
  CHECK(site.server.place("new") < site.server.place("pre-run"));
  CHECK(site.server.place("pre-run") < site.server.place("log-0"));
  CHECK(site.server.place("log-0") < site.server.place("log-1"));
  CHECK(site.server.place("log-1") < site.server.place("success"));
  CHECK(site.server.place("junit") < site.server.place("success"));
}

}  // namespace

TEST_CASE("An agent that dies at any write and starts again delivers each item once, in order", "[delivery]") {
  unsigned deaths = 0;
  for (const bool done : {false, true}) {
    for (unsigned death = 1;; ++death) {
      INFO("dies at write " << death << (done ? ", after it took effect" : ", before it takes effect"));
      Site site;
      site.server.script["log-0"] = {{pipeline::RetryAfter{std::nullopt, "timed out"}, true}};
      site.server.script["junit"] = {{pipeline::RetryAfter{std::nullopt, "timed out"}, false}};
      for (int round = 0; round < 4; ++round)
        site.server.script["poison"].push_back({pipeline::Parked{"never"}, false});
      const bool died = tell(site, death, done);
      check(site);
      if (!died) break;
      ++deaths;
    }
  }
  CHECK(deaths >= 40);
}
