// The agent dies at random instants, many times during one job; the machine is started anew below it.

#include "faults/fault_lab.hpp"

#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <random>
#include <thread>

using namespace outpost;
using namespace outpost::test;

namespace {

/// Without systemd the hook ends with the agent; what was in its pipe then nobody has taken.
constexpr std::uint64_t pipe_size = 64 * 1024;

struct Toll {
  std::uint64_t printed = 0, taken = 0, at_server = 0;
  int kills = 0, jobs = 0;
  std::chrono::steady_clock::duration slowest_restart{};
};

void kill_through_one_job(std::mt19937& random, int kills, std::chrono::milliseconds first_life, Toll& toll) {
  FaultLab lab;
  const std::string output = payload(60u << 20, static_cast<unsigned>(random()));
  lab.printing_hook("install", output, 40'000, std::chrono::milliseconds{10});
  lab.printing_hook("collect", payload(200'000, 7), 20'000, std::chrono::milliseconds{20});
  lab.hook("release", "#!/bin/sh\necho released\n");
  lab.hook("cleanup", "#!/bin/sh\necho clean\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("the agent to have taken what the hook prints", [&] { return lab.taken_from_pipe("install.acme") > 0; });
  std::uint64_t taken = 0;
  for (int kill = 0; kill < kills; ++kill) {
    // Not to wait for something: the instant is what is random.
    const auto most = kill == 0 ? first_life : std::chrono::milliseconds{400};
    std::this_thread::sleep_for(
        std::chrono::milliseconds{std::uniform_int_distribution<long>{1, most.count()}(random)});
    lab.stop_agent(SIGKILL);
    ++toll.kills;
    if (kill == 0) taken = lab.taken_from_pipe("install.acme");
    const Stopwatch restart;
    lab.start_agent();
    lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
    toll.slowest_restart = std::max(toll.slowest_restart, restart.elapsed());
  }
  lab.finished_job();

  CHECK(lab.jobs().size() == 1);
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  CHECK(content.states.back() == "error");
  CHECK_THAT(content.verdict_comment, holds("agent restarted while install.acme was running"));
  const std::string& log = content.logs.at("install/acme/install");
  const std::string printed = read_file(lab.directory.path / "install.out");
  CHECK(taken > 0);
  CHECK(log.size() >= taken);
  CHECK(output.starts_with(log));
  CHECK(log.size() + pipe_size + 40'000 >= printed.size());
  lab.until("no process to be left", [&] { return lab.orphans().empty(); });
  CHECK(lab.stop_agent(SIGTERM) == 0);
  toll.printed += printed.size();
  toll.taken += taken;
  toll.at_server += log.size();
  ++toll.jobs;
}

}  // namespace

TEST_CASE("F03: an agent that is killed at random instants, many times during one job, loses and doubles nothing",
          "[F03]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  Toll toll;
  const int jobs = scaled(5, 20), kills = scaled(6, 10);
  for (int round = 0; round < jobs; ++round)
    kill_through_one_job(random, kills, std::chrono::milliseconds{scaled(1500, 20'000)}, toll);
  figure("F03", "kills", std::to_string(toll.kills) + " in " + std::to_string(toll.jobs) + " jobs",
         is_soak() ? "200" : "scaled");
  figure(
      "F03", "taken from the pipe and lost",
      in_bytes(static_cast<std::int64_t>(toll.taken) - static_cast<std::int64_t>(std::min(toll.taken, toll.at_server))),
      "0");
  figure("F03", "printed, in the pipe when the hook was ended with the agent",
         in_bytes(static_cast<std::int64_t>(toll.printed - toll.at_server)), "at most a pipe for each job");
  figure("F03", "up again after, at most", in_seconds(toll.slowest_restart), "1 s (figure)");
}

TEST_CASE("F05: a machine that is started anew in the middle of a hook makes an error, and the lab is released",
          "[F05]") {
  FaultLab lab;
  lab.printing_hook("install", payload(60u << 20), 4'000, std::chrono::milliseconds{10});
  lab.hook("collect", "#!/bin/sh\necho \"$OUTPOST_REASON\"\n");
  lab.hook("release", "#!/bin/sh\necho released\n");
  lab.configure("    resources: [cluster4]\n", "resources: {cluster4: {hosts: [10.0.0.4]}}\n");
  // Another boot id, and a clock since boot that begins anew: what namespaces can make another machine's.
  const std::string boot = (lab.directory.path / "boot_id").string();
  write_file(boot, "01234567-89ab-cdef-0123-456789abcdef\n");
  const Names rebooted{"/usr/bin/unshare",
                       "--mount",
                       "--time",
                       "--boottime",
                       "-300",
                       "--fork",
                       "--kill-child",
                       "/bin/sh",
                       "-c",
                       "mount --bind " + boot + " /proc/sys/kernel/random/boot_id && exec \"$@\"",
                       "sh"};
  auto probe = rebooted;
  probe.emplace_back("/bin/true");
  if (Process{probe, lab.directory.path / "probe.log"}.wait() != 0) {
    skip("F05: a machine that is started anew is made of a mount and a time namespace, which are not allowed here: " +
         read_file(lab.directory.path / "probe.log"));
    return;
  }
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("the agent to have taken what the hook prints", [&] { return lab.taken_from_pipe("install.acme") > 0; });
  lab.stop_agent(SIGKILL);
  const auto taken = lab.taken_from_pipe("install.acme");
  lab.until("all processes to be gone", [&] { return lab.orphans().empty(); });
  auto command = rebooted;
  command.insert(command.end(), {OUTPOST_DAEMON, "--config", (lab.directory.path / "agent/outpost.yml").string()});
  const Stopwatch start;
  lab.start_agent({}, command);
  lab.until("the release", [&] { return !lab.log_of(lab.the_job(), "release/acme/release").empty(); });
  figure("F05", "released after", start.text(), "at most 30 s (figure)");
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states.back() == "error");
  CHECK_THAT(content.verdict_comment, holds("the machine was restarted while install.acme was running"));
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  std::string log = content.logs.at("install/acme/install");
  // Nobody knows what a machine that went down had not synced: a line says so.
  const std::string mark = "[gap: unknown bytes, the machine went down while the step was running]\n";
  REQUIRE(log.ends_with(mark));
  log.resize(log.size() - mark.size());
  const std::string whole = payload(60u << 20);
  if (!whole.starts_with(log)) log.pop_back();  // The mark has a line of its own.
  CHECK(taken > 0);
  CHECK(log.size() >= taken);
  CHECK(whole.starts_with(log));
  figure("F05", "taken from the pipe and lost",
         in_bytes(static_cast<std::int64_t>(taken - std::min<std::uint64_t>(taken, log.size()))), "0");
  CHECK(lab.status().at("resources").at("cluster4").at("held_by").is_null());
  const double seconds = lab.key_values(content.id).at("job_seconds");
  CHECK(seconds > 0);
  CHECK(seconds < 24 * 3600.0);
}
