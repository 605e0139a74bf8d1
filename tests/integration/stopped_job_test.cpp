// A job that is ended from outside leaves no process and is told as killed: the real outpostd against the sample control
// server.

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "integration/sample_lab.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

bool is_alive(const fs::path& pid_file) {
  const std::string pid = read_file(pid_file);
  if (pid.empty()) throw std::runtime_error{"no pid in " + pid_file.string()};
  // A zombie that nobody has reaped yet has ended too.
  const std::string stat = read_file("/proc/" + std::string{trim(pid)} + "/stat");
  return !stat.empty() && stat.find(") Z ") == std::string::npos;
}

/// A step with children that try to get away: one in a session of its own, one whose parent is gone.
std::string escaping_hook(const fs::path& directory) {
  const std::string d = directory.string();
  return "#!/bin/sh\n"
         "echo $$ > " +
         d +
         "/step.pid\n"
         "setsid sh -c 'echo $$ > " +
         d +
         "/session.pid; exec sleep 1000' &\n"
         "(setsid sh -c 'trap \"\" TERM; echo $$ > " +
         d +
         "/orphan.pid; while :; do sleep 1; done' &)\n"
         "while ! [ -s " +
         d + "/session.pid -a -s " + d +
         "/orphan.pid ]; do sleep 0.02; done\n"
         "touch " +
         d + "/ready\nsleep 1000\n";
}

bool anything_escaped(const fs::path& directory) {
  return is_alive(directory / "step.pid") || is_alive(directory / "session.pid") || is_alive(directory / "orphan.pid");
}

}  // namespace

TEST_CASE("A job that somebody sets to killed at the server is cancelled with all its processes", "[job]") {
  SampleLab lab;
  lab.hook("install", escaping_hook(lab.directory.path));
  lab.hook("test", "#!/bin/sh\necho never\n");
  lab.hook("collect", "#!/bin/sh\necho \"$OUTPOST_REASON $OUTPOST_RESULT_SO_FAR\"\n");
  lab.hook("release", "#!/bin/sh\necho released\n");
  lab.hook("cleanup", "#!/bin/sh\necho clean\n");
  lab.configure("    grace: 1s\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the step to run", [&] { return fs::exists(lab.directory.path / "ready"); });
  CHECK(anything_escaped(lab.directory.path));
  const std::string id = text_at(lab.jobs().front(), "id");
  lab.until("running to be told", [&] { return lab.states(id).back() == "running"; });
  lab.admin("POST", "/jobstates", {{"job_id", id}, {"status", "killed"}, {"comment", "not today"}});
  lab.finished_job();
  CHECK_FALSE(anything_escaped(lab.directory.path));
  // The first one is the person's.
  CHECK(lab.states(id) == Names{"new", "pre-run", "running", "killed", "post-run", "killed"});
  CHECK_THAT(text_at(lab.jobstates(id).back(), "comment"), holds("cancelled by the server"));
  CHECK(lab.log_of(id, "test/acme/test").empty());
  CHECK(lab.log_of(id, "collect/acme/collect") == "cancel cancelled\n");
  CHECK(lab.log_of(id, "release/acme/release") == "released\n");
  CHECK(lab.log_of(id, "cleanup/acme/cleanup") == "clean\n");
  CHECK(lab.agent_is_running());
}

TEST_CASE("SIGTERM ends the agent in good order: its job is closed and told as killed, and no process stays", "[job]") {
  SampleLab lab;
  lab.hook("install", escaping_hook(lab.directory.path));
  lab.hook("collect", "#!/bin/sh\necho \"$OUTPOST_REASON\"\n");
  lab.hook("cleanup", "#!/bin/sh\necho clean\n");
  lab.configure("    grace: 1s\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the step to run", [&] { return fs::exists(lab.directory.path / "ready"); });
  const std::string id = text_at(lab.jobs().front(), "id");
  CHECK(lab.stop_agent(SIGTERM) == 0);
  CHECK_FALSE(anything_escaped(lab.directory.path));
  CHECK(lab.states(id) == Names{"new", "pre-run", "running", "post-run", "killed"});
  CHECK_THAT(text_at(lab.jobstates(id).back(), "comment"), holds("agent stopped (SIGTERM)"));
  CHECK(lab.log_of(id, "collect/acme/collect") == "agent-stop\n");
  CHECK(lab.log_of(id, "cleanup/acme/cleanup") == "clean\n");
  CHECK(lab.key_values(id).contains("job_seconds"));
  CHECK_FALSE(fs::exists(lab.directory.path / "agent/run/api.sock"));
}
