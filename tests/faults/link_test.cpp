// A bad line: 1 Mbit/s, 500 ms there and back, every tenth packet lost. The second kernel has such lines.

#include "faults/fault_lab.hpp"
#include "faults/second_kernel.hpp"

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <algorithm>

using namespace outpost;
using namespace outpost::test;
using job::text_at;

TEST_CASE("F14: over a line that is slow, far and lossy polls go on, and everything arrives once", "[F14]") {
  if (const auto why = SecondKernel::why_not(); !why.empty()) return skip("F14: " + why);
  SampleLab lab;
  FaultProxy network{static_cast<std::uint16_t>(std::stoi(lab.url.substr(lab.url.rfind(':') + 1))),
                     SecondKernel::test_address};
  lab.configure("", "", "url: \"" + network.url() + "\"");
  const std::string output = payload(scaled(150'000, 6'000'000)), artifact = payload(scaled(40'000, 1'000'000), 2);
  write_file(lab.directory.path / "output", output);
  write_file(lab.directory.path / "artifact", artifact);
  const auto path = [&](const std::string& name) { return (lab.directory.path / name).string(); };
  // 10 kB/s, and no process for each piece: starting one is slow there.
  lab.hook("install", "#!/usr/bin/python3\nimport os, shutil, sys, time\ndata = open('" + path("output") +
                          "').read()\nfor at in range(0, len(data), 1000):\n    sys.stdout.write(data[at:at + 1000])\n "
                          "   sys.stdout.flush()\n"
                          "    time.sleep(0.1)\nshutil.copy('" +
                          path("artifact") + "', os.environ['OUTPOST_ARTIFACTS'] + '/kept.bin')\n");
  lab.feed("1.0", {});
  const SecondKernel machine{lab.directory.path / "machine",
                             "insmod /usr/lib/uml/modules/$(uname -r)/kernel/net/sched/sch_netem.ko || echo 'there is "
                             "no netem' > /mnt/out/broken\n"
                             "tc qdisc add dev vec0 root netem delay 500ms loss 10% rate 1mbit || echo 'netem does not "
                             "work' > /mnt/out/broken\n"
                             "export OUTPOST_CFG_STATE_DIRECTORY=/mnt/state OUTPOST_CFG_RUNTIME_DIRECTORY=/run/outpost "
                             "OUTPOST_CFG_SOURCES_DCI_POLL=2s\n" +
                                 std::string{OUTPOST_DAEMON} + " --config " + path("agent/outpost.yml") +
                                 " >> /mnt/out/log 2>&1\necho $? > /mnt/out/ended\n"};
  const Stopwatch time;
  const auto log = [&] {
    return "--- console\n" + machine.console() + "--- outpostd.log\n" + read_file(lab.directory.path / "machine/log");
  };
  const auto done = [&] {
    const auto jobs = lab.jobs();
    if (jobs.size() != 1) return false;
    // What is still missing shows as missing, or as a hole in a log.
    const auto content = content_of(lab, text_at(jobs[0], "id"));
    const auto printed = content.logs.find("install/acme/install");
    return content.keys.contains("steps") && content.wrong.empty() && printed != content.logs.end() &&
           printed->second.size() >= output.size() && content.files.contains("kept.bin");
  };
  try {
    lab.until("the job to be done", done, std::chrono::minutes{scaled(8, 60)});
  } catch (const std::runtime_error& error) {
    FAIL(error.what() << log());
  }
  INFO(log());
  CHECK_FALSE(std::filesystem::exists(lab.directory.path / "machine/broken"));
  CHECK_FALSE(std::filesystem::exists(lab.directory.path / "machine/ended"));
  REQUIRE(lab.jobs().size() == 1);
  const auto content = content_of(lab, text_at(lab.jobs()[0], "id"));
  CHECK(content.states == good_way);
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  CHECK((content.logs.at("install/acme/install") == output));  // Too long to be shown.
  CHECK(content.files.at("kept.bin") == artifact);
  figure("F14", "job done in", time.text(), "(figure)");
  figure("F14", "bytes lost",
         in_bytes(static_cast<std::int64_t>(output.size() - content.logs.at("install/acme/install").size())), "0");
  figure("F14", "doubled", std::to_string(content.doubled.size()), "0");

  // Polls while the job ran, and the longest time between two of them.
  std::vector<Timestamp> polls;
  for (const auto& request : lab.requests())
    if (text_at(request, "target").find("/components?") != std::string::npos)
      if (const auto moment = parse_rfc3339(text_at(request, "time") + "Z")) polls.push_back(*moment);
  REQUIRE(polls.size() >= 3);
  Timestamp::duration longest{};
  for (std::size_t poll = 1; poll < polls.size(); ++poll) longest = std::max(longest, polls[poll] - polls[poll - 1]);
  figure("F14", "polls, longest time between two", std::to_string(polls.size()) + ", " + in_seconds(longest),
         "every 2 s and the line's delay (figure)");
}
