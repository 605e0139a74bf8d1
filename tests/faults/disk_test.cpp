// Disks: full of logs, filled by a hook, failing below the agent.

#include "faults/fault_lab.hpp"
#include "faults/machine_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <sys/mount.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <set>

using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

namespace fs = std::filesystem;

namespace {

/// A file system of its own for the agent's state.
struct SmallDisk {
  explicit SmallDisk(FaultLab& lab, const std::string& size) : path{lab.directory.path / "agent/state"} {
    fs::create_directories(path);
    if (::mount("tmpfs", path.c_str(), "tmpfs", 0, ("size=" + size + ",mode=0750").c_str()) != 0)
      why_not = std::strerror(errno);
  }
  ~SmallDisk() {
    if (why_not.empty()) ::umount2(path.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] std::uint64_t free() const { return fs::space(path).available; }
  fs::path path;
  std::string why_not;
};

std::string no_disk(const SmallDisk& disk) {
  return "a file system of its own for the state cannot be mounted: " + disk.why_not;
}

const std::string small_limits = "disk: {keep_free: 8MiB, reserve: 4MiB, check: 200ms}\n";
const std::string many_pieces = "live_first: 100ms, live_longest: 100ms, live_pieces: 100000";

/// The bytes of a log that are there and those that its marks say are missing; `exact` when they are what was printed,
/// byte for byte and in its order.
struct Kept {
  std::uint64_t kept = 0, missing = 0;
  unsigned marks = 0;
  std::set<std::string> reasons;
  bool exact = false;
};

/// Output, and how many bytes a mark says are missing behind it.
struct Part {
  std::string output;
  std::optional<std::uint64_t> missing;
};

/// Whether parts from the n-th on are the rest of what was printed. A mark that begins in the middle of a line has
/// ended that, so one byte may be its own.
bool are_the_rest(const std::vector<Part>& parts, std::size_t number, const std::string& printed, std::uint64_t at) {
  if (number == parts.size()) return at == printed.size();
  const auto& [output, missing] = parts[number];
  for (const std::size_t own : {0, 1}) {
    if (own > 0 && (!missing || !output.ends_with('\n'))) break;
    const auto size = output.size() - own;
    if (at + size <= printed.size() && printed.compare(at, size, output, 0, size) == 0 &&
        are_the_rest(parts, number + 1, printed, at + size + missing.value_or(0)))
      return true;
  }
  return false;
}

Kept kept_of(SampleLab& lab, const std::string& job, const std::string& step, const std::string& printed) {
  std::map<std::size_t, std::string> pieces;
  for (const auto& file : lab.files(job)) {
    const std::string name = text_at(file, "name"), prefix = step + ".log@";
    if (name.starts_with(prefix)) pieces[std::stoull(name.substr(prefix.size()))] = lab.content(text_at(file, "id"));
  }
  Kept kept;
  std::vector<Part> parts(1);
  const auto mark = [&](const std::string& line) {
    parts.back().missing = std::stoull(line.substr(6));
    parts.emplace_back();
    const auto reason = line.find(", ") + 2;
    kept.reasons.insert(line.substr(reason, line.rfind(']') - reason));
  };
  std::string log;
  const auto take_lines = [&] {
    for (std::size_t at = 0; at < log.size();) {
      const auto end = std::min(log.find('\n', at), log.size() - 1) + 1;
      const std::string line = log.substr(at, end - at);
      at = end;
      if (line.starts_with("[gap: "))
        mark(line);
      else
        parts.back().output += line;
    }
    log.clear();
  };
  for (const auto& [offset, piece] : pieces) {
    // One that was given up is nothing but a mark, which may stand in the middle of a line.
    const bool given_up = piece.starts_with("[gap: ") && piece.find('\n') == piece.size() - 1;
    if (!given_up) {
      log += piece;
      continue;
    }
    take_lines();
    mark(piece);
  }
  take_lines();
  for (const auto& part : parts) {
    kept.kept += part.output.size();
    kept.missing += part.missing.value_or(0);
    kept.marks += part.missing.has_value();
  }
  kept.exact = are_the_rest(parts, 0, printed, 0);
  return kept;
}

void check_kept(const std::string& fault, const Kept& kept, const std::string& printed) {
  const auto told = [](std::uint64_t bytes) { return in_bytes(static_cast<std::int64_t>(bytes)); };
  figure(fault, "printed " + told(printed.size()) + ": kept, missing with " + std::to_string(kept.marks) + " marks",
         told(kept.kept) + ", " + told(kept.missing), "");
  const auto silent = static_cast<std::int64_t>(printed.size()) - static_cast<std::int64_t>(kept.kept + kept.missing);
  figure(fault, "missing without a mark", in_bytes(kept.exact ? 0 : silent), "0");
  CHECK(kept.exact);
  CHECK(kept.marks > 0);
}

/// Makes system calls of a running process fail, as a broken disk does.
class BrokenDisk {
 public:
  BrokenDisk(FaultLab& lab, const std::string& calls)
      : tracer_{{"/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e",
                 "inject=" + calls + ":error=EIO", "-p", std::to_string(lab.agent_pid())},
                lab.directory.path / "strace.log"} {}
  void repair() {
    tracer_.signal(SIGTERM);
    tracer_.wait();
  }
  [[nodiscard]] bool works() { return tracer_.is_running(); }

 private:
  Process tracer_;
};

}  // namespace

TEST_CASE("F19: a disk that is full of logs loses some of them, says where and how much, and nothing else", "[F19]") {
  FaultLab lab;
  const SmallDisk disk{lab, "96m"};
  if (!disk.why_not.empty()) return skip("F19: " + no_disk(disk));
  // Nobody looks at the disk but who finds it full, so all that is missing was dropped for that reason.
  lab.configure("", "disk: {keep_free: 8MiB, reserve: 4MiB, check: 1h}\nlogs: {" + many_pieces + "}\n");
  const std::string output = payload(200u << 20);
  constexpr std::size_t first = 24u << 20;
  write_file(lab.directory.path / "output", output);
  const auto path = [&](const std::string& name) { return (lab.directory.path / name).string(); };
  lab.hook("install", "#!/bin/sh\nhead -c " + std::to_string(first) + " " + path("output") + "\nuntil [ -e " +
                          path("go") + " ]; do sleep 0.05; done\nexec tail -c +" + std::to_string(first + 1) + " " +
                          path("output") + "\n");
  lab.hook("test", "#!/bin/sh\necho '<testsuite><testcase name=\"a\"/></testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the server to have what was printed so far", [&] {
    std::int64_t there = 0;
    if (lab.jobs().size() == 1)
      for (const auto& file : lab.files(lab.the_job())) there += number_at(file, "size");
    return there >= static_cast<std::int64_t>(first) - 1024;
  });
  lab.network.close();
  write_file(lab.directory.path / "go", "");
  lab.until("the job to end here", [&] { return lab.status().at("jobs").at("running").as_array().empty(); });
  figure("F19", "free when the job had ended", in_bytes(static_cast<std::int64_t>(disk.free())), "");
  CHECK(lab.agent_is_running());
  CHECK_THAT(lab.agent_log(), holds(" that the servers have were freed") && holds("; output is dropped"));
  lab.network.open();
  lab.finished_job();
  const std::string id = lab.the_job();
  CHECK(lab.states(id) == good_way);
  CHECK(lab.results(id).size() == 1);
  check_kept("F19", kept_of(lab, id, "install/acme/install", output), output);
}

TEST_CASE("F19: logs beyond the limit of the spool are given up, the oldest first, and marks stand for them", "[F19]") {
  FaultLab lab;
  lab.configure("", "disk: {check: 100ms}\nspool: {limit: 1MiB}\nlogs: {" + many_pieces + "}\n");
  const std::string output = payload(4'000'000);
  lab.printing_hook("install", output, 50'000, std::chrono::milliseconds{20});
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the hook to print", [&] { return lab.has("install.begun") && lab.last_state() == "running"; });
  lab.network.close();
  lab.until("logs to be given up, and the job to end here", [&] {
    return !lab.alarms("data-loss").empty() && lab.status().at("jobs").at("running").as_array().empty();
  });
  lab.network.open();
  lab.finished_job();
  const std::string id = lab.the_job();
  CHECK(lab.states(id) == good_way);
  const auto kept = kept_of(lab, id, "install/acme/install", output);
  check_kept("F19", kept, output);
  CHECK(kept.reasons == std::set<std::string>{"spool-full"});
  lab.until("the alarm to be over", [&] { return lab.alarms("data-loss").empty(); });
}

TEST_CASE("F19: below the free space that is to stay no job is claimed, and one is as soon as there is room", "[F19]") {
  FaultLab lab;
  const SmallDisk disk{lab, "64m"};
  if (!disk.why_not.empty()) return skip("F19: " + no_disk(disk));
  lab.configure("", small_limits);
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  const fs::path ballast = disk.path / "ballast";
  write_file(ballast, std::string(disk.free() - (6u << 20), 'x'));
  lab.feed("1.0", {});
  lab.until("the job to wait and the alarm", [&] {
    return !lab.alarms("degraded").empty() && lab.status().at("jobs").at("waiting").as_array().size() == 1;
  });
  CHECK(lab.jobs().empty());
  fs::remove(ballast);
  lab.finished_job();
  CHECK(lab.last_state() == "success");
  CHECK(lab.alarms("degraded").empty());
}

TEST_CASE("F20: a hook that fills the disk is told so; the agent goes on and its job's verdict arrives", "[F20]") {
  FaultLab lab;
  const SmallDisk disk{lab, "64m"};
  if (!disk.why_not.empty()) return skip("F20: " + no_disk(disk));
  lab.configure("", small_limits);
  const auto path = [&](const std::string& name) { return (lab.directory.path / name).string(); };
  lab.hook("install", "#!/bin/sh\ndd if=/dev/zero of=\"$OUTPOST_WORKSPACE/fill\" bs=1M 2> " + path("dd") +
                          " || status=$?\necho filled\nexit $status\n");
  lab.hook("collect", "#!/bin/sh\necho collected\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  CHECK_THAT(read_file(path("dd")), holds("No space left on device"));
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states.size() >= 4);
  CHECK((content.states.back() == "failure" || content.states.back() == "error"));
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  figure("F20", "verdict with a full disk", content.states.back(), "failure or error, delivered");
  // The workspace is gone with its job: there is room for the next one.
  lab.hook("install", "#!/bin/sh\necho fine\n");
  lab.feed("1.1", {});
  const std::string next = text_at(lab.finished_job(2), "id");
  CHECK(content_of(lab, next).states == good_way);
}

TEST_CASE("F21: with a disk that fails nothing new is begun and nothing is lost; all goes on when it works again",
          "[F21]") {
  FaultLab lab;
  lab.configure("", "disk: {check: 200ms}\n");
  const std::string output = payload(400'000);
  write_file(lab.directory.path / "output", output);
  const auto path = [&](const std::string& name) { return (lab.directory.path / name).string(); };
  lab.hook("install", "#!/bin/sh\n: > " + path("runs") + "\nuntil [ -e " + path("go") +
                          " ]; do sleep 0.05; done\ncat " + path("output") + "\n: > " + path("printed") + "\n");
  lab.hook("test", "#!/bin/sh\n: > " + path("tested") + "\necho testing\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the job to run", [&] { return lab.has("runs") && lab.last_state() == "running"; });
  // Files, not what the loop wakes itself with.
  BrokenDisk broken{lab, "fsync,fdatasync,pwrite64,splice"};
  lab.until("the agent to be degraded",
            [&] { return !broken.works() || (lab.agent_is_up() && text_at(lab.status(), "state") == "degraded"); });
  if (!broken.works()) return skip("F21: strace cannot make system calls fail here: " + read_file(path("strace.log")));
  figure("F21", "EIO: says", text_at(lab.status(), "state"), "degraded");
  write_file(lab.directory.path / "go", "");
  lab.feed("1.1", {});
  lab.until("the journal, the log and the directory to be named", [&] { return lab.alarms("degraded").size() == 3; });
  CHECK_THAT(lab.agent_log(), holds("the step waits until the disk is back") && holds("Input/output error"));
  CHECK(lab.jobs().size() == 1);
  CHECK_FALSE(lab.has("printed"));
  CHECK_FALSE(lab.has("tested"));
  broken.repair();
  const Stopwatch repaired;
  lab.finished_job(2);
  figure("F21", "EIO: both jobs done after the repair", repaired.text(), "(figure)");
  const auto content = content_of(lab, text_at(lab.jobs().front(), "id"));
  CHECK(content.states == good_way);
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
  CHECK((content.logs.at("install/acme/install") == output));
  figure("F21", "EIO: bytes lost",
         in_bytes(static_cast<std::int64_t>(output.size() - content.logs.at("install/acme/install").size())), "0");
  lab.until("the alarms to be over", [&] { return lab.alarms("degraded").empty(); });
  CHECK(lab.agent_is_running());
}

TEST_CASE("F21: a file system that turns read-only is waited for in the same way", "[F21]") {
  if (const auto why = SecondKernel::why_not(); !why.empty()) return skip("F21: " + why);
  MachineLab lab{256u << 20};
  lab.lab.configure("", "disk: {check: 200ms, keep_free: 16MiB, reserve: 4MiB}\n",
                    "url: \"" + lab.network.url() + "\"");
  const std::string output = payload(400'000);
  write_file(lab.path("output"), output);
  lab.lab.hook("install", "#!/bin/sh\n: > /run/runs\nuntil [ -e " + lab.path("go") + " ]; do sleep 0.05; done\ncat " +
                              lab.path("output") + "\n");
  lab.lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.lab.feed("1.0", {});
  const auto machine = lab.boot();
  lab.until("the job to run", [&] {
    const auto jobs = lab.lab.jobs();
    return jobs.size() == 1 && lab.lab.states(text_at(jobs[0], "id")) == Names{"new", "pre-run", "running"};
  });
  lab.make_read_only();
  const auto says = [&] {
    const auto status = lab.status();
    return status.is_null() ? std::string{} : text_at(status.as_object(), "state");
  };
  lab.until("the agent to be degraded", [&] { return says() == "degraded"; });
  write_file(lab.path("go"), "");
  lab.lab.feed("1.1", {});
  lab.until("the step to wait", [&] {
    return lab.agent_log().find("Read-only file system; the step waits until the disk is back") != std::string::npos;
  });
  figure("F21", "read-only: says", says(), "degraded");
  CHECK(lab.lab.jobs().size() == 1);
  lab.make_writable();
  lab.until("both jobs to be done", [&] { return lab.lab.jobs().size() == 2 && lab.is_at_rest(); });
  CHECK(says() == "idle");
  for (const auto& job : lab.lab.jobs()) {
    const auto content = content_of(lab.lab, text_at(job, "id"));
    CHECK(content.states == good_way);
    CHECK(content.doubled == Names{});
    CHECK(content.wrong == Names{});
    CHECK((content.logs.at("install/acme/install") == output));
    figure("F21", "read-only: bytes lost",
           in_bytes(static_cast<std::int64_t>(output.size() - content.logs.at("install/acme/install").size())), "0");
  }
}

TEST_CASE("F21: an agent whose state directory is read-only from the start says so and ends", "[F21]") {
  FaultLab lab;
  const SmallDisk disk{lab, "16m"};
  if (!disk.why_not.empty()) return skip("F21: " + no_disk(disk));
  REQUIRE(::mount(nullptr, disk.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  lab.start_agent();
  lab.until("the agent to end", [&] { return !lab.agent_is_running(); });
  CHECK(lab.stop_agent(SIGTERM) == 1);
  CHECK_THAT(lab.agent_log(), holds(disk.path.string()) && holds("read-only"));
}
