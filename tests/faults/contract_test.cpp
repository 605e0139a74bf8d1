// What hooks rely on, while jobs are cancelled, plugins replaced, and holders of locks die.

#include "faults/fault_lab.hpp"

#include "agent/job/event.hpp"
#include "agent/job/event_types.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <random>
#include <sstream>
#include <thread>

using namespace outpost;
using namespace outpost::test;
using job::text_at;

namespace event = job::event;
namespace fs = std::filesystem;

namespace {

const Names forward_stages{"acquire", "pre-run", "install", "certify", "test"};

/// bash that waits for a file of the lab.
std::string wait_for(const FaultLab& lab, const std::string& file) {
  return "until [ -e " + (lab.directory.path / file).string() + " ]; do sleep 0.05; done\n";
}

/// bash that says something into a file of the lab.
std::string say(const FaultLab& lab, const std::string& what, const std::string& file) {
  return "echo \"" + what + "\" >>" + (lab.directory.path / file).string() + "\n";
}

Names lines_of(const FaultLab& lab, const std::string& file) {
  Names lines;
  if (!lab.has(file)) return lines;
  std::istringstream text{read_file(lab.directory.path / file)};
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// The exit status of `outpost job cancel`.
int cancel(FaultLab& lab, const std::string& our_id) {
  Process command{
      {OUTPOST_COMMAND, "job", "cancel", "--config", (lab.directory.path / "agent/outpost.yml").string(), our_id},
      lab.directory.path / "cancel.out"};
  return command.wait();
}

/// The ids here of the jobs that run, by name.
std::map<std::string, std::string> running_jobs(FaultLab& lab) {
  std::map<std::string, std::string> ids;
  const auto status = lab.status();
  for (const auto& job : status.at("jobs").at("running").as_array())
    ids[text_at(job.as_object(), "name")] = text_at(job.as_object(), "job_id");
  return ids;
}

// ---- F07
// -------------------------------------------------------------------------------------------------------------

/// A lab whose hooks wait until they are stopped, those of one stage; the closing ones say why they run.
struct CancelledLab : FaultLab {
  CancelledLab() {
    for (const auto& stage : forward_stages)
      hook(stage, "#!/bin/bash\nhere=" + directory.path.string() + "\n[ \"$(<$here/where)\" = " + stage +
                      " ] || exit 0\n: >$here/begun\nsleep 600 &\nwait\n");
    for (const auto* stage : {"collect", "release", "cleanup"})
      hook(stage, "#!/bin/bash\n" + say(*this, std::string{stage} + " $OUTPOST_REASON $OUTPOST_RESULT_SO_FAR",
                                        "closed.$OUTPOST_JOB_ID"));
    configure("    grace: 1s\n");
  }
};

void expect_closed(CancelledLab& lab, const std::string& id, bool cancelled) {
  const std::string how = cancelled ? " cancel cancelled" : " normal success";
  CHECK(lines_of(lab, "closed." + id) == Names{"collect" + how, "release" + how, "cleanup" + how});
  CHECK(lab.states(id).back() == (cancelled ? "killed" : "success"));
}

// ---- F37
// -------------------------------------------------------------------------------------------------------------

/// A lab whose jobs all want one lock, each when the test says so. The first that has it keeps it until it is told to
/// end, and writes down who waits; what becomes of the next is up to the test.
struct LockedLab : FaultLab {
  explicit LockedLab(const Names& more_jobs) {
    hook("install", "#!/bin/bash\nname=$OUTPOST_JOB_NAME here=" + directory.path.string() +
                        "\nuntil [ -e $here/ask-$name ]; do sleep 0.05; done\noutpost-hook resource lock strip || exit "
                        "77\n: >$here/holds-$name\n"
                        "until [ -e $here/end-$name ]; do outpost-hook resource list >$here/locks.new; mv "
                        "$here/locks.new $here/locks; sleep 0.05; done\n"
                        "[ \"$(<$here/end-$name)\" != kill ] || kill -9 $$\n");
    hook("release",
         "#!/bin/bash\nif [[ $(outpost-hook resource list) == *'\"name\":\"strip\"'*\"$OUTPOST_LOCAL_JOB_ID\"* ]]; "
         "then " +
             say(*this, "$OUTPOST_JOB_NAME", "kept") + "fi\n");
    std::string jobs;
    for (const auto& name : more_jobs)
      jobs += "  - {name: " + name + ", source: dci, topic: ACME-1, components: [acme], plugins: [acme], grace: 1s}\n";
    configure("    grace: 1s\n" + jobs, "slots: 8\n");
  }

  void ask(const std::string& name) { write_file(directory.path / ("ask-" + name), ""); }
  void end(const std::string& name, const std::string& how = "well") {
    write_file(directory.path / ("end-" + name), how);
  }
  void until_it_holds(const std::string& name) {
    until(name + " to have the lock", [&] { return has("holds-" + name); });
  }
  void until_so_many_wait(int count) {
    const std::string waiting = "\"waiting\":" + std::to_string(count);
    until(std::to_string(count) + " to wait",
          [&] { return has("locks") && read_file(directory.path / "locks").find(waiting) != std::string::npos; });
  }
  std::string id_at_server(const std::string& name) {
    for (const auto& job : jobs())
      if (text_at(job, "name") == name) return text_at(job, "id");
    return {};
  }
};

/// Follows the lock through the journal: whoever gets it does so when nobody has it. Returns who got it, by job id, and
/// notes how long after the end of the job before.
Names holders(const std::vector<job::Event>& events, std::chrono::nanoseconds& longest) {
  Names order;
  std::string holder;
  std::chrono::nanoseconds freed{};
  for (const auto& each : events) {
    const auto verb = each.type == event::step_told ? text_at(each.data, "verb") : "";
    if (verb == "lock") {
      CHECK((holder.empty() || holder == each.job_id));
      if (holder.empty() && freed.count() > 0)
        longest = std::max(longest, std::chrono::nanoseconds{each.monotonic_ns} - freed);
      if (holder.empty()) order.push_back(each.job_id);
      holder = each.job_id;
    } else if (each.job_id == holder && (verb == "unlock" || each.type == event::job_ended)) {
      holder.clear();
      freed = std::chrono::nanoseconds{each.monotonic_ns};
    }
  }
  CHECK(holder.empty());
  return order;
}

}  // namespace

TEST_CASE(
    "F07: a job that is cancelled at any moment is collected from, released and cleaned up, and its hooks know why",
    "[F07]") {
  CancelledLab lab;
  lab.start_agent();
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  const int runs = scaled(12, 200);
  for (int run = 1; run <= runs; ++run) {
    // Each stage in turn; then any moment between the claim and the end.
    const bool at_random = run % 6 == 0;
    const std::string stage = forward_stages[static_cast<std::size_t>(run) % forward_stages.size()];
    CAPTURE(run, stage, at_random);
    fs::remove(lab.directory.path / "begun");
    write_file(lab.directory.path / "where", at_random ? "nowhere\n" : stage + "\n");
    lab.feed("1." + std::to_string(run), {{"notes.txt", "read me\n"}});
    const auto count = static_cast<std::size_t>(run);
    if (at_random)
      lab.until("the job to be there", [&] { return lab.jobs().size() == count; });
    else
      lab.until("the hook to wait", [&] { return lab.has("begun"); });
    // Not to wait for something: the instant is what is random.
    if (at_random)
      std::this_thread::sleep_for(std::chrono::milliseconds{std::uniform_int_distribution<long>{0, 300}(random)});
    const auto ids = running_jobs(lab);
    if (ids.contains("nightly")) {
      const int status = cancel(lab, ids.at("nightly"));
      if (!at_random) CHECK(status == 0);  // It may have ended by itself meanwhile.
    }
    const std::string id = text_at(lab.finished_job(count), "id");
    const bool cancelled = lab.states(id).back() == "killed";
    if (!at_random) CHECK(cancelled);
    expect_closed(lab, id, cancelled);
    CHECK(lab.orphans() == Names{});
  }
  figure("F07", "cancelled, collected from, released and cleaned up",
         std::to_string(runs) + " of " + std::to_string(runs), is_soak() ? "200 of 200" : "scaled");
}

TEST_CASE(
    "F36: a job runs the plugin as it was at its claim, whatever happens to its folder, and the journal says which",
    "[F36]") {
  FaultLab lab;
  const fs::path plugin = lab.directory.path / "plugins/acme";
  const auto publish = [&](const std::string& version) {
    write_file(plugin / "plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: " + version + "\n");
    lab.hook("install", "#!/bin/bash\n: >" + (lab.directory.path / ("begun-" + version)).string() + "\n" +
                            wait_for(lab, "go-" + version) + "echo install " + version + "\n");
    for (const auto* stage : {"test", "collect"})
      lab.hook(stage, "#!/bin/bash\necho \"${0##*/} $OUTPOST_PLUGIN_VERSION\" \"$(<\"$OUTPOST_PLUGIN_DIR/data\")\" " +
                          version + "\n");
    write_file(plugin / "data", "data of " + version);
  };
  publish("1.0.0");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the hook to run", [&] { return lab.has("begun-1.0.0"); });
  // In place, hook for hook; then all of it is gone for a while; then there is a new one.
  lab.hook("test", "#!/bin/sh\necho changed; exit 1\n");
  write_file(plugin / "data", "changed");
  fs::remove_all(plugin);
  publish("2.0.0");
  write_file(lab.directory.path / "go-1.0.0", "");
  const std::string first = text_at(lab.finished_job(), "id");
  CHECK(lab.states(first).back() == "success");
  CHECK(lab.log_of(first, "install/acme/install") == "install 1.0.0\n");
  CHECK(lab.log_of(first, "test/acme/test") == "test 1.0.0 data of 1.0.0 1.0.0\n");
  CHECK(lab.log_of(first, "collect/acme/collect") == "collect 1.0.0 data of 1.0.0 1.0.0\n");

  // The next takes the new one, and keeps it although the agent dies and finds another.
  lab.feed("1.1", {});
  lab.until("the next hook to run", [&] { return lab.has("begun-2.0.0"); });
  lab.stop_agent(SIGKILL);
  publish("3.0.0");
  lab.start_agent();
  const std::string second = text_at(lab.finished_job(2), "id");
  CHECK(lab.states(second).back() == "error");
  CHECK(lab.log_of(second, "collect/acme/collect") == "collect 2.0.0 data of 2.0.0 2.0.0\n");
  CHECK(lab.stop_agent(SIGTERM) == 0);

  std::map<std::string, std::string> digests;
  for (const auto& each : events_of(lab))
    if (each.type == event::plugins_taken) {
      const auto& taken = each.data.at("plugins").at(0).as_object();
      digests[text_at(taken, "version")] = text_at(taken, "digest");
    }
  REQUIRE(digests.size() == 2);
  CHECK(digests.at("1.0.0").size() >= 64);
  CHECK(digests.at("1.0.0") != digests.at("2.0.0"));
}

TEST_CASE(
    "F37: a lock goes on, in the order of asking, when the hook that took it is killed, its job cancelled or at its "
    "end",
    "[F37]") {
  LockedLab lab{{"b", "c", "d"}};
  lab.feed("1.0", {});
  lab.start_agent();
  lab.ask("nightly");
  lab.until_it_holds("nightly");
  int waiting = 0;
  for (const auto* name : {"b", "c", "d"}) {
    lab.ask(name);
    lab.until_so_many_wait(++waiting);
  }
  const auto ids = running_jobs(lab);
  REQUIRE(ids.size() == 4);
  lab.end("nightly", "kill");
  lab.until_it_holds("b");
  CHECK_FALSE(lab.has("holds-c"));
  CHECK_FALSE(lab.has("holds-d"));
  CHECK(cancel(lab, ids.at("c")) == 0);  // While it waits.
  lab.until_so_many_wait(1);
  CHECK(cancel(lab, ids.at("b")) == 0);  // While it holds.
  lab.until_it_holds("d");
  lab.end("d");
  lab.finished_job(4);
  lab.until("all jobs to have ended", [&] { return running_jobs(lab).empty(); });
  CHECK_FALSE(lab.has("holds-c"));
  CHECK(lines_of(lab, "kept") == Names{"nightly", "b", "d"});  // The job's, until that has ended.
  const std::map<std::string, std::string> expected{
      {"nightly", "error"}, {"b", "killed"}, {"c", "killed"}, {"d", "success"}};
  for (const auto& [name, verdict] : expected) {
    CAPTURE(name);
    lab.until("the verdict", [&] { return lab.states(lab.id_at_server(name)).back() == verdict; });
  }
  CHECK(lab.stop_agent(SIGTERM) == 0);
  std::chrono::nanoseconds longest{};
  CHECK(holders(events_of(lab), longest) == Names{ids.at("nightly"), ids.at("b"), ids.at("d")});
  figure("F37", "free after the end of its job, at most", in_seconds(longest), "1 s (figure)");
}

TEST_CASE("F37: a lock outlives the agent that is killed, and is free when its job has ended", "[F37]") {
  LockedLab lab{{"b"}};
  lab.feed("1.0", {});
  lab.start_agent();
  lab.ask("nightly");
  lab.until_it_holds("nightly");
  lab.ask("b");
  lab.until_so_many_wait(1);
  const auto before = running_jobs(lab);
  lab.stop_agent(SIGKILL);
  lab.start_agent();
  lab.finished_job(2);
  lab.until("both to have ended", [&] { return lab.agent_is_up() && running_jobs(lab).empty(); });
  CHECK(lines_of(lab, "kept") == Names{"nightly"});
  CHECK_FALSE(lab.has("holds-b"));
  // The next jobs find it free.
  for (const auto* name : {"nightly", "b"}) lab.end(name);
  fs::remove(lab.directory.path / "holds-nightly");
  lab.feed("1.1", {});
  lab.until_it_holds("nightly");
  lab.until_it_holds("b");
  lab.finished_job(4);
  lab.until("all to have ended", [&] { return running_jobs(lab).empty(); });
  CHECK(lab.stop_agent(SIGTERM) == 0);
  std::chrono::nanoseconds longest{};
  const auto order = holders(events_of(lab), longest);
  REQUIRE(order.size() == 3);
  CHECK(order.front() == before.at("nightly"));
}
