// What hooks do: print a gigabyte, one endless line, bytes that are no text; leave processes; run out of time.

#include "faults/fault_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/job/event_types.hpp"
#include "support/catch.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <csignal>
#include <random>

using namespace outpost;
using namespace outpost::test;
using job::text_at;

namespace fs = std::filesystem;

namespace {

std::string cat_hook(const std::filesystem::path& file) { return "#!/bin/sh\nexec cat " + file.string() + "\n"; }

}  // namespace

TEST_CASE("F23: a hook that prints at full speed costs the agent no memory, and does not delay another job's log",
          "[F23]") {
  FaultLab lab;
  const auto block = payload(1 << 20);
  const unsigned blocks = scaled(64u, 1023u);  // Below the limit of a step, which is 1 GiB.
  write_file(lab.directory.path / "block", block);
  lab.hook("install",
           "#!/bin/bash\n[ \"$OUTPOST_JOB_NAME\" = loud ] || { for ((i = 0; i < 40; ++i)); do echo tick $i; sleep 0.1; "
           "done; exit 0; }\nfor ((i = 0; i < " +
               std::to_string(blocks) + "; ++i)); do cat " + (lab.directory.path / "block").string() + "; done\n");
  lab.configure("  - name: loud\n    source: dci\n    topic: ACME-1\n    components: [acme]\n    plugins: [acme]\n",
                "slots: 2\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  const MemoryGrowth memory{lab.agent_pid()};
  const Stopwatch time;
  lab.finished_job(2);
  lab.finished_job(1);
  figure("F23", "printed", in_bytes(static_cast<std::int64_t>(blocks) << 20), is_soak() ? "1 GiB" : "scaled");
  figure("F23", "printed, stored and delivered in", time.text(), "(figure)");
  figure("F23", "memory, peak of the whole agent", in_bytes(memory.peak()), "at most 64 MiB");
  CHECK(memory.peak() <= 64 << 20);
  REQUIRE(lab.jobs().size() == 2);
  for (const auto& job : lab.jobs()) {
    const std::string id = text_at(job, "id"), name = text_at(job, "name");
    INFO(name);
    const auto content = content_of(lab, id);
    CHECK(content.states == good_way);
    CHECK(content.doubled == Names{});
    CHECK(content.wrong == Names{});
    const std::string& log = content.logs.at("install/acme/install");
    if (name != "loud") {
      CHECK_THAT(log, holds("tick 0\n") && holds("tick 39\n"));
      continue;
    }
    const auto lost = static_cast<std::int64_t>(block.size()) * blocks - static_cast<std::int64_t>(log.size());
    figure("F23", "bytes lost", in_bytes(lost), "0");
    CHECK(lost == 0);
    bool same = true;
    for (std::size_t at = 0; at < log.size(); at += block.size())
      same = same && log.compare(at, block.size(), block) == 0;
    CHECK(same);
  }
}

TEST_CASE("F24: output is kept as it is: an endless line, bytes that are no text, colours, progress bars", "[F24]") {
  FaultLab lab;
  const auto line = std::string(scaled(16u << 20, 100u << 20), 'x');
  std::mt19937 random{3};
  std::string binary(2'000'000, '\0');
  for (char& byte : binary) byte = static_cast<char>(random());
  std::string odd = std::string{"NUL \0 here\n", 11} + "\x1b[1;31mred\x1b[0m \xff\xfe\xc3 \xed\xa0\x80 not UTF-8\n";
  for (int percent = 0; percent <= 100; ++percent) odd += "\rprogress " + std::to_string(percent) + " %";
  odd += "\r\n\x1b]0;title\x07\a\b\v\f\x7f";  // And no end of line.
  std::map<std::string, std::string> outputs{{"install", line}, {"certify", binary}, {"test", odd}};
  for (const auto& [stage, output] : outputs) {
    write_file(lab.directory.path / (stage + ".whole"), output);
    lab.hook(stage, cat_hook(lab.directory.path / (stage + ".whole")));
  }
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  const MemoryGrowth memory{lab.agent_pid()};
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F24", lab, content,
                     {{"install/acme/install", line}, {"certify/acme/certify", binary}, {"test/acme/test", odd}});
  figure("F24", "memory growth, one line of " + in_bytes(static_cast<std::int64_t>(line.size())),
         in_bytes(memory.bytes()), "at most 32 MiB");
  CHECK(memory.bytes() <= 32 << 20);
  // What people are shown has no control bytes in it.
  const std::string log = lab.agent_log();
  CHECK(std::none_of(log.begin(), log.end(),
                     [](unsigned char byte) { return byte < 0x20 && byte != '\n' && byte != '\t'; }));
}

TEST_CASE("F26: artifacts of every kind neither hold up the job nor fill memory; what is no file is listed", "[F26]") {
  FaultLab lab;
  const unsigned small = scaled(1000u, 50'000u);
  const std::string big = scaled(std::string{"48M"}, std::string{"20G"});
  lab.hook("test", "#!/bin/bash\ncd \"$OUTPOST_ARTIFACTS\" || exit 70\nmkdir many odd\nfor ((i = 0; i < " +
                       std::to_string(small) + "; ++i)); do printf '%s' \"file $i\" > many/$i; done\ntruncate -s " +
                       big +
                       " big.bin\nln -s loop odd/loop\nln -s .. odd/up\nln -s /etc/passwd odd/passwd\nmkfifo odd/fifo\n"
                       "mknod odd/null c 1 3 || :\nprintf x > $'odd/new\\nline'\nprintf kept > odd/kept\nprintf grow > "
                       "grow\nprintf gone > gone\nexit 0\n");
  lab.hook("collect", "#!/bin/sh\necho collected\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  const MemoryGrowth memory{lab.agent_pid()};
  const auto descriptors = fs::path{"/proc"} / std::to_string(lab.agent_pid()) / "fd";
  std::ptrdiff_t most = 0;
  bool vanished = false;
  const Stopwatch time;
  // One file grows, another goes away, whenever they are there; both while the agent works on them.
  lab.until(
      "the job to end",
      [&] {
        if (!lab.agent_is_running()) throw std::runtime_error{"the agent ended: " + lab.agent_log()};
        std::error_code error;
        most = std::max(most, std::distance(fs::directory_iterator{descriptors, error}, fs::directory_iterator{}));
        for (const auto& job : fs::directory_iterator{lab.directory.path / "agent/state/jobs", error})
          for (const auto& step : fs::directory_iterator{job.path() / "steps", error}) {
            const auto artifacts = step.path() / "artifacts";
            if (!fs::exists(artifacts / "gone")) continue;
            if (std::ofstream grow{artifacts / "grow", std::ios::app}; fs::exists(artifacts / "grow")) grow << "more";
            vanished = vanished || fs::remove(artifacts / "gone", error);
          }
        const auto jobs = lab.jobs();
        return jobs.size() == 1 && lab.all_is_delivered(text_at(jobs.front(), "id"));
      },
      std::chrono::minutes{scaled(5, 120)});
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  std::size_t there = 0, changed = 0;
  for (unsigned number = 0; number < small; ++number) {
    const auto found = content.files.find("many/" + std::to_string(number));
    there += found != content.files.end();
    changed += found != content.files.end() && found->second != "file " + std::to_string(number);
  }
  CHECK(there == small);
  CHECK(changed == 0);
  CHECK(content.files.at("odd/kept") == "kept");
  for (const auto& [name, file] : content.files) CHECK(file.find("root:") == std::string::npos);  // /etc/passwd
  const auto story = lab.local("/api/v1/jobs").at("jobs").at(0).as_object();
  const auto whole = lab.local("/api/v1/jobs/" + text_at(story, "job_id"));
  const std::string warnings = boost::json::serialize(whole.at("job").at("warnings"));
  CHECK_THAT(warnings, holds("odd/fifo") && holds("odd/loop") && holds("odd/passwd") && holds("odd/null"));
  figure("F26", "files, arrived in", std::to_string(content.files.size()) + ", " + time.text(), "(figure)");
  figure("F26", "memory, peak of the whole agent", in_bytes(memory.peak()), "at most 64 MiB");
  CHECK(memory.peak() <= 64 << 20);
  figure("F26", "descriptors at most", std::to_string(most), "256");
  CHECK(most <= 256);
}

TEST_CASE("F34: a process that a hook leaves behind with its output open does not keep the step from ending", "[F34]") {
  FaultLab lab;
  const std::string pids = (lab.directory.path / "pids").string();
  lab.hook("install", "#!/bin/bash\necho before\nsleep 600 & echo $! >> " + pids + "\n(setsid sleep 601 & echo $! >> " +
                          pids + ")\n(trap '' TERM HUP; exec sleep 602) & echo $! >> " + pids + "\necho after\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F34", lab, content, {{"install/acme/install", "before\nafter\n"}});
  CHECK_THAT(content.verdict_comment, holds("3 ") && holds("left"));
  unsigned alive = 0;
  for (const auto& pid : split(read_file(pids), '\n'))
    if (!pid.empty() && ::kill(std::stoi(std::string{pid}), 0) == 0) ++alive;
  figure("F34", "left alive of 3", std::to_string(alive), "0");
  CHECK(alive == 0);
  const auto story = lab.local("/api/v1/jobs").at("jobs").at(0).as_object();
  const auto steps = lab.local("/api/v1/jobs/" + text_at(story, "job_id")).at("job").at("steps").as_array();
  for (const auto& step : steps)
    if (step.at("stage").as_string() == "install") {
      const auto seconds = *parse_rfc3339(std::string{step.at("ended_at").as_string()}) -
                           *parse_rfc3339(std::string{step.at("started_at").as_string()});
      figure("F34", "the step took", in_seconds(seconds), "at most 5 s more than the hook (figure)");
      CHECK(seconds < std::chrono::minutes{5});  // They would sleep ten.
    }
}

TEST_CASE(
    "F35: the verdict of a job that ran out of time is in the journal before anything is collected from a dead lab",
    "[F35]") {
  FaultLab lab;
  lab.configure("    timeout: 2s\n    grace: 1s\n");
  lab.hook("test", "#!/bin/sh\necho testing\nexec sleep 600\n");
  lab.hook("collect", "#!/bin/sh\necho \"$OUTPOST_RESULT_SO_FAR\"\n: > " +
                          (lab.directory.path / "collecting").string() + "\nexec sleep 600\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the lab to be dead while it is collected from", [&] { return lab.has("collecting"); });
  lab.stop_agent(SIGKILL);
  job::Seq verdict = 0, collect = 0;
  for (const auto& event : events_of(lab)) {
    if (event.type == job::event::verdict_reached) {
      verdict = event.seq;
      CHECK(text_at(event.data, "verdict") == "failure");
      CHECK(text_at(event.data, "reason") == "timeout");
    }
    if (event.type == job::event::stage_started && text_at(event.data, "stage") == "collect") collect = event.seq;
  }
  figure("F35", "verdict, collect begun: events number", std::to_string(verdict) + ", " + std::to_string(collect),
         "in this order");
  CHECK(verdict > 0);
  CHECK(verdict < collect);
  lab.start_agent();
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == Names{"new", "pre-run", "running", "post-run", "failure"});
  CHECK(content.doubled == Names{});
  CHECK_THAT(content.verdict_comment, holds("time"));
  CHECK(content.logs.at("test/acme/test").starts_with("testing\n"));
}
