// The server is away: while a job runs, when it ends, and with an agent that dies meanwhile.

#include "faults/fault_lab.hpp"

#include "support/catch.hpp"

#include <csignal>

using namespace outpost;
using namespace outpost::test;

namespace {

void add_result_and_artifact(FaultLab& lab) {
  lab.hook("test",
           "#!/bin/sh\necho testing\necho '<testsuite><testcase name=\"a\"/></testsuite>' > "
           "\"$OUTPOST_RESULTS/acme.xml\"\nprintf 'kept bytes' > \"$OUTPOST_ARTIFACTS/kept.bin\"\n");
}

}  // namespace

TEST_CASE("F01: a server that is away while a job prints 1 MB/s changes nothing but the time", "[F01]") {
  FaultLab lab;
  const std::string output = payload(scaled(8u << 20, 610u << 20));
  lab.printing_hook("install", output, 100'000, std::chrono::milliseconds{95});
  add_result_and_artifact(lab);
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("the first piece at the server",
            [&] { return lab.jobs().size() == 1 && !lab.log_of(lab.the_job(), "install/acme/install").empty(); });
  lab.network.close();
  const MemoryGrowth memory{lab.agent_pid()};
  const Stopwatch outage;
  lab.until("the hook to print all", [&] { return lab.has("install.printed"); }, std::chrono::minutes{scaled(5, 30)});
  figure("F01", "server away for", outage.text(), is_soak() ? "600 s" : "scaled");
  lab.network.open();
  const Stopwatch back;
  lab.finished_job();
  figure("F01", "converged after", back.text(), "at most 60 s (figure)");

  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F01", lab, content, {{"install/acme/install", output}, {"test/acme/test", "testing\n"}});
  CHECK(content.results == std::map<std::string, std::int64_t>{{"test/acme/acme", 1}});
  CHECK(content.files.at("kept.bin") == "kept bytes");
  figure("F01", "memory growth", in_bytes(memory.bytes()), "at most 16 MiB");
  CHECK(memory.bytes() <= 16 << 20);
}

TEST_CASE("F02: a server that is away when a job ends gets its verdict, also from an agent that was killed meanwhile",
          "[F02]") {
  FaultLab lab;
  add_result_and_artifact(lab);
  lab.hook("install", "#!/bin/sh\n: > " + (lab.directory.path / "runs").string() + "\nuntil [ -e " +
                          (lab.directory.path / "go").string() + " ]; do sleep 0.05; done\nseq 1 5000\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("the job to run and to be told so", [&] { return lab.has("runs") && lab.last_state() == "running"; });
  lab.network.close();
  write_file(lab.directory.path / "go", "");
  lab.until("the job to end here", [&] { return lab.status().at("jobs").at("running").as_array().empty(); });
  CHECK(lab.last_state() == "running");
  const int deaths = scaled(2, 20);
  for (int death = 0; death < deaths; ++death) {
    lab.stop_agent(SIGKILL);
    lab.start_agent();
    lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  }
  lab.network.open();
  const Stopwatch back;
  lab.until("the verdict", [&] { return lab.last_state() == "success"; });
  figure("F02", "verdict there after", back.text(), "at most 35 s: cap while away + 5 s (figure)");
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  std::string numbers;
  for (int number = 1; number <= 5000; ++number) numbers += std::to_string(number) + "\n";
  check_nothing_lost("F02", lab, content, {{"install/acme/install", numbers}, {"test/acme/test", "testing\n"}});
}
