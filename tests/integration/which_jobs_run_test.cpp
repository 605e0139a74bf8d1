// Which jobs run, when, and how many at once: the real outpostd against the sample control server.

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "integration/sample_lab.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

std::string components_of(SampleLab& lab, const std::string& job) {
  Names names;
  const auto row = lab.admin("GET", "/jobs/" + job);
  for (const auto& component : row.at("job").at("components").as_array())
    names.emplace_back(component.at("version").as_string());
  return join(names, ",");
}

/// The jobs in one part of the agent's status ("running", "waiting").
std::size_t count(SampleLab& lab, const std::string& part) {
  return lab.status().at("jobs").at(part).as_array().size();
}

/// A second definition for the same topic.
std::string second_job(const std::string& more) {
  return more + "  - name: weekly\n    source: dci\n    topic: ACME-1\n    components: [acme]\n    plugins: [acme]\n" +
         more;
}

}  // namespace

TEST_CASE("Before the first start a topic has history: backlog says what of it runs", "[job]") {
  SampleLab lab;
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  for (const auto* version : {"1.0", "1.1", "1.2"}) lab.feed(version, {});

  SECTION("newest: the newest only") {
    lab.start_agent();
    const std::string id = text_at(lab.finished_job(), "id");
    CHECK(components_of(lab, id) == "1.2");
    lab.feed("1.3", {});
    CHECK(components_of(lab, text_at(lab.finished_job(2), "id")) == "1.3");
    CHECK(lab.jobs().size() == 2);
  }
  SECTION("none: nothing of it, but what comes then") {
    lab.configure("    backlog: none\n");
    lab.start_agent();
    lab.until("the first poll", [&] {
      return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_poll").empty();
    });
    CHECK(lab.jobs().empty());
    lab.feed("1.3", {});
    CHECK(components_of(lab, text_at(lab.finished_job(), "id")) == "1.3");
    CHECK(lab.jobs().size() == 1);
  }
  SECTION("all: each, oldest first") {
    lab.configure("    backlog: all\n");
    lab.start_agent();
    lab.finished_job(3);
    Names versions;
    for (const auto& job : lab.jobs()) versions.push_back(components_of(lab, text_at(job, "id")));
    CHECK(versions == Names{"1.0", "1.1", "1.2"});
  }
}

TEST_CASE("Of the components that appear while a job of the same selection waits only the newest runs", "[job]") {
  SampleLab lab;
  const fs::path running = lab.directory.path / "running", go = lab.directory.path / "go";
  lab.hook("install", waiting_hook(running, go));
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the first job to run", [&] { return fs::exists(running); });
  const auto waiting_for = [&](const std::string& version) {
    lab.until(version + " to wait", [&] {
      const auto waiting = lab.status().at("jobs").at("waiting").as_array();
      return waiting.size() == 1 &&
             waiting[0].at("components").at(0).at("name").as_string().find(version) != std::string::npos;
    });
  };
  lab.feed("1.1", {});
  waiting_for("1.1");
  lab.feed("1.2", {});
  waiting_for("1.2");
  write_file(go, "");
  const std::string id = text_at(lab.finished_job(2), "id");
  CHECK(components_of(lab, id) == "1.2");
  CHECK(lab.jobs().size() == 2);
  CHECK(count(lab, "waiting") == 0);
  // The older one is not forgotten: it is told as withdrawn.
  const auto all = lab.local("/api/v1/jobs").at("jobs").as_array();
  REQUIRE(all.size() == 3);
  CHECK_THAT(std::string{all[1].at("state").as_string()}, holds("withdrawn"));
}

TEST_CASE("Outside of its windows a job waits and is not claimed", "[job]") {
  SampleLab lab;
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  const std::time_t now = std::time(nullptr);
  std::tm today{};
  ::gmtime_r(&now, &today);
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  lab.configure("    windows: [\"" + std::string{days[(today.tm_wday + 3) % 7]} + " 00:00-24:00 UTC\"]\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the job to wait", [&] { return lab.agent_is_up() && count(lab, "waiting") == 1; });
  const auto polls = [&] {
    const auto all = lab.requests();
    return std::count_if(all.begin(), all.end(), [](const auto& one) {
      return text_at(one, "target").find("/components") != std::string::npos && text_at(one, "method") == "GET";
    });
  };
  const auto before = polls();
  lab.until("two more polls", [&] { return polls() >= before + 2; });
  CHECK(lab.jobs().empty());
  CHECK(count(lab, "running") == 0);
  CHECK(lab.stop_agent(SIGTERM) == 0);
  lab.configure();  // Always open, and the queued job is remembered.
  lab.start_agent();
  CHECK(lab.states(text_at(lab.finished_job(), "id")) == good_way);
  CHECK(lab.jobs().size() == 1);
}

TEST_CASE("Two jobs on one resource never run at the same time, even when there is a second slot", "[job]") {
  SampleLab lab;
  const fs::path lock = lab.directory.path / "lock", running = lab.directory.path / "running",
                 go = lab.directory.path / "go";
  lab.hook("acquire", "#!/bin/sh\nmkdir " + lock.string() + "\n");
  lab.hook("install", waiting_hook(running, go));
  lab.hook("release", "#!/bin/sh\nrmdir " + lock.string() + "\n");
  lab.configure(second_job("    resources: [cluster4]\n"), "resources: {cluster4: {hosts: [10.0.0.4]}}\nslots: 2\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("one to run and one to wait",
            [&] { return fs::exists(running) && count(lab, "running") == 1 && count(lab, "waiting") == 1; });
  const auto status = lab.status();
  CHECK(status.at("resources").at("cluster4").at("held_by") == status.at("jobs").at("running").at(0).at("job_id"));
  CHECK(lab.jobs().size() == 1);  // Slot and resources come first, then the claim.
  write_file(go, "");
  lab.finished_job(2);
  for (const auto& job : lab.jobs()) CHECK(lab.states(text_at(job, "id")) == good_way);
}

TEST_CASE("With two slots two jobs run side by side", "[job]") {
  SampleLab lab;
  const std::string d = lab.directory.path.string();
  // Each waits for the other: one after the other they would never end well.
  lab.hook("install", "#!/bin/sh\ntouch " + d +
                          "/met.$OUTPOST_JOB_NAME\nn=0\n"
                          "while ! [ -e " +
                          d + "/met.nightly -a -e " + d +
                          "/met.weekly ]; do sleep 0.05; n=$((n+1)); [ $n -lt 1200 ] || exit 77; done\n");
  lab.configure(second_job(""), "slots: 2\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job(2);
  lab.finished_job(1);
  for (const auto& job : lab.jobs()) CHECK(lab.states(text_at(job, "id")) == good_way);
}
