// The agent dies and comes back: whatever the moment, the server ends up with one job, each item once, one verdict.

#include "integration/job_content.hpp"
#include "integration/sample_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/job/event_types.hpp"
#include "agent/job/stage.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <optional>
#include <random>
#include <thread>

namespace {

namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

const std::string own_log = "pre-run/outpost/download";

void write_small_job(SampleLab& lab) {
  lab.hook("install", "#!/bin/sh\nseq 1 2000\n");
  lab.hook("test",
           "#!/bin/sh\necho testing\necho '<testsuite><testcase name=\"a\"/><testcase "
           "name=\"b\"><skipped/></testcase></testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n"
           "printf 'kept bytes' > \"$OUTPOST_ARTIFACTS/kept.bin\"\n");
  lab.hook("collect", "#!/bin/sh\necho collecting\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
}

/// What the server has of its one job; checks what holds after any crash: one job, nothing twice, states in their order
/// with one verdict at the end.
JobContent content_of(SampleLab& lab) {
  const auto jobs = lab.jobs();
  REQUIRE(jobs.size() == 1);
  JobContent content = test::content_of(lab, text_at(jobs.front(), "id"));
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  CHECK(content.states.back() != "killed");
  CHECK(number_at(lab.status().at("reporters").at(0).as_object(), "parked") == 0);
  return content;
}

void check_same(const JobContent& now, const JobContent& undisturbed, bool download_repeated) {
  CHECK(now.states == undisturbed.states);
  CHECK(now.verdict_comment == undisturbed.verdict_comment);
  CHECK(now.tags == undisturbed.tags);
  CHECK(now.files == undisturbed.files);
  CHECK(now.results == undisturbed.results);
  CHECK(now.keys == undisturbed.keys);
  auto logs = now.logs, expected = undisturbed.logs;
  if (download_repeated) {
    // The agent's own step is run again, and says so in a log of its own.
    CHECK(logs.contains(own_log + "#2"));
    logs.erase(own_log);
    logs.erase(own_log + "#2");
    expected.erase(own_log);
  }
  CHECK(logs == expected);
}

JobContent undisturbed_run() {
  SampleLab lab;
  write_small_job(lab);
  lab.start_agent();
  lab.finished_job();
  JobContent content = content_of(lab);
  REQUIRE(content.states == Names{"new", "pre-run", "running", "post-run", "success"});
  REQUIRE(content.logs.size() == 4);
  REQUIRE(content.files.size() == 2);
  return content;
}

/// What was going on when the agent died, as its journal has it.
struct Scene {
  std::string own, hook, closing;  ///< The step that was running: the agent's own, a hook's, one of a closing stage.
  std::string last;                ///< The last event.
};

Scene scene_of(SampleLab& lab) {
  boost::asio::io_context loop;
  const SystemClock clock;
  auto journal = journal::SqliteJournal::open(lab.directory.path / "agent/state/journal.db", {"host", "boot", "test"},
                                              clock, loop.get_executor());
  if (!journal) throw std::runtime_error{journal.error().message};
  Scene scene;
  std::map<std::string, job::Event> running;
  const auto events = (*journal)->read({});
  if (!events) throw std::runtime_error{events.error().message};
  for (const auto& event : *events) {
    if (event.type == job::event::step_started) running[event.step_id] = event;
    if (event.type == job::event::step_ended) running.erase(event.step_id);
    scene.last = event.type;
  }
  for (const auto& [id, event] : running) {
    const auto stage = job::parse_stage(text_at(event.data, "stage"));
    (text_at(event.data, "plugin") == "outpost" ? scene.own
     : stage && always_runs(*stage)             ? scene.closing
                                                : scene.hook) = id;
  }
  return scene;
}

/// After the agent was started again and everything was delivered.
void check_aftermath(SampleLab& lab, const Scene& scene, const JobContent& undisturbed) {
  INFO("the last event was " << scene.last << ", the running step " << scene.own << scene.hook << scene.closing);
  const JobContent now = content_of(lab);
  if (!scene.hook.empty()) {
    CHECK(now.states.back() == "error");
    CHECK_THAT(now.verdict_comment, holds("agent restarted while " + scene.hook + " was running"));
    CHECK(now.tags.back() == "reason:agent-restarted");
    CHECK(now.logs.contains("collect/acme/collect"));
  } else if (!scene.closing.empty()) {
    // The verdict stands; what was lost is a warning.
    CHECK(now.states == undisturbed.states);
    CHECK_THAT(now.verdict_comment, holds("agent restarted"));
    CHECK(now.files == undisturbed.files);
    CHECK(now.results == undisturbed.results);
  } else {
    check_same(now, undisturbed, !scene.own.empty());
  }
}

/// Kills the agent at the n-th event for n = first, first + step, ...; returns how many times it died.
unsigned crash_at_each_event(unsigned first, unsigned step) {
  const JobContent undisturbed = undisturbed_run();
  unsigned deaths = 0;
  for (unsigned n = first;; n += step) {
    INFO("killed at event " << n);
    SampleLab lab;
    write_small_job(lab);
    lab.start_agent({}, {OUTPOST_CRASH_AGENT, (lab.directory.path / "agent/outpost.yml").string(), std::to_string(n)});
    lab.until("the crash or the end", [&] {
      if (!lab.agent_is_running()) return true;
      const auto jobs = lab.jobs();
      return jobs.size() == 1 && lab.all_is_delivered(text_at(jobs.front(), "id"));
    });
    if (lab.stop_agent(SIGTERM) == 0) {
      CHECK(scene_of(lab).last == job::event::agent_stopping);
      return deaths;
    }
    ++deaths;
    const Scene scene = scene_of(lab);
    lab.start_agent();
    lab.finished_job();
    check_aftermath(lab, scene, undisturbed);
    CHECK(lab.stop_agent(SIGTERM) == 0);
  }
}

}  // namespace

// Two halves, so that they can run side by side.
TEST_CASE("The agent may be killed at any odd event of a job: everything arrives once", "[crash]") {
  CHECK(crash_at_each_event(1, 2) >= 15);
}

TEST_CASE("The agent may be killed at any even event of a job: everything arrives once", "[crash]") {
  CHECK(crash_at_each_event(2, 2) >= 15);
}

TEST_CASE("The agent may be killed at any instant: everything arrives once", "[crash]") {
  const JobContent undisturbed = undisturbed_run();
  const auto seed = std::random_device{}();
  std::mt19937 random{seed};
  for (int round = 0; round < 20; ++round) {
    SampleLab lab;
    write_small_job(lab);
    lab.start_agent();
    // Not to wait for something: the instant is what is random.
    const auto life = std::chrono::milliseconds{std::uniform_int_distribution{5, 400}(random)};
    std::this_thread::sleep_for(life);
    lab.stop_agent(SIGKILL);
    INFO("seed " << seed << ", round " << round << ", killed after " << life.count() << " ms");
    Scene scene;
    if (std::filesystem::exists(lab.directory.path / "agent/state/journal.db")) scene = scene_of(lab);
    lab.start_agent();
    lab.finished_job();
    check_aftermath(lab, scene, undisturbed);
  }
}

TEST_CASE("A request that the server carried out although the agent died waiting for the answer is not made again",
          "[crash]") {
  const JobContent undisturbed = undisturbed_run();
  SampleLab lab;
  write_small_job(lab);
  const auto held = [](const std::string& path) {
    return R"([{"method": "POST", "path": ")" + path + R"(", "delay_after_ms": 600000}])";
  };
  const auto job = [&] { return text_at(lab.jobs().front(), "id"); };
  std::string path;
  std::function<bool()> carried_out;

  SECTION("POST /jobs") {
    path = "/api/v1/jobs";
    carried_out = [&] { return lab.jobs().size() == 1; };
  }
  SECTION("POST /jobstates") {
    path = "/api/v1/jobstates";
    carried_out = [&] { return lab.jobs().size() == 1 && !lab.states(job()).empty(); };
  }
  SECTION("POST /files") {
    path = "/api/v1/files";
    carried_out = [&] { return lab.jobs().size() == 1 && !lab.files(job()).empty(); };
  }
  SECTION("POST /jobs/<id>/kv") {
    path = "/api/v1/jobs/*/kv";
    carried_out = [&] { return lab.jobs().size() == 1 && !lab.key_values(job()).empty(); };
  }
  lab.set_faults(held(path));
  lab.start_agent();
  lab.until("the server to carry it out", carried_out);
  if (path == "/api/v1/jobs") {
    lab.stop_agent(SIGKILL);
  } else {
    // The steps go on meanwhile; their end is not what is tested.
    lab.until("the job to end", [&] { return lab.status().at("jobs").at("running").as_array().empty(); });
    lab.stop_agent(SIGKILL);
  }
  lab.set_faults("[]");
  const Scene scene = scene_of(lab);
  lab.start_agent();
  lab.finished_job();
  check_aftermath(lab, scene, undisturbed);
}

TEST_CASE("Answers that are lost after the server did what was asked make nothing arrive twice", "[crash]") {
  const JobContent undisturbed = undisturbed_run();
  SampleLab lab;
  write_small_job(lab);
  lab.set_faults(R"([{"method": "POST", "path": "/api/v1/jobs", "nth": [1], "drop": true, "execute": true},
                     {"method": "POST", "path": "/api/v1/jobstates", "nth": [1, 3, 5], "drop": true, "execute": true},
                     {"method": "POST", "path": "/api/v1/files", "nth": [1, 2, 4], "drop": true, "execute": true},
                     {"method": "POST", "path": "/api/v1/jobs/*/kv", "nth": [1, 3], "drop": true, "execute": true}])");
  lab.start_agent();
  lab.finished_job();
  check_same(content_of(lab), undisturbed, false);
  std::map<std::string, int> lost;
  for (const auto& request : lab.requests())
    if (request.contains("dropped"))
      ++lost[text_at(request, "target").ends_with("/kv") ? "kv" : text_at(request, "target")];
  CHECK(lost ==
        std::map<std::string, int>{{"/api/v1/jobs", 1}, {"/api/v1/jobstates", 3}, {"/api/v1/files", 3}, {"kv", 2}});
}

TEST_CASE("A tag is there once although the answer to its writing was lost", "[crash]") {
  SampleLab lab;
  write_small_job(lab);
  lab.hook("install", "#!/bin/sh\nexit 1\n");
  lab.set_faults(R"([{"method": "PUT", "path": "/api/v1/jobs/*", "nth": [1], "drop": true, "execute": true}])");
  lab.start_agent();
  lab.finished_job();
  CHECK(content_of(lab).tags == Names{"outpost:*", "reason:step-failed"});
}
