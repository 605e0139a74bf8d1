// What labs really meet: plugins that are not there and hooks that cannot run. Each gives one message that says what to do,
// the right verdict, and an agent that goes on without hurry.

#include "agent/job/event.hpp"
#include "integration/bad_input.hpp"
#include "support/catch.hpp"

#include <csignal>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

}  // namespace

TEST_CASE("A plugin that is not installed makes an error that says where was looked", "[bad]") {
  SampleLab lab;
  lab.feed("1.0", {});
  override_configuration(lab, "jobs: [{name: nightly, plugins: [acne]}]\n");
  CHECK_THAT(verdict(lab, lab_error),
             holds("plugin \"acne\" is not installed (looked in ") && holds("did you mean \"acme\"?"));
}

TEST_CASE("A job whose hooks would not run is not claimed until they can, and an alarm says how to repair them", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho at last\n");
  const fs::path hooks = lab.directory.path / "plugins/acme/hooks", hook = hooks / "install";
  std::string words;
  SECTION("no hook") {
    fs::rename(hook, hooks.parent_path() / "install");
    words = "lies beside hooks/, so nothing runs it; move it to " + hook.native();
  }
  SECTION("called nearly as a stage") {
    fs::rename(hook, hooks / "install.sh");
    words = "did you mean \"install\"? hooks have no extension";
  }
  SECTION("no execute bit") {
    fs::permissions(hook, fs::perms::owner_read | fs::perms::owner_write);
    words = "chmod +x ";
  }
  SECTION("CRLF line endings") {
    lab.hook("install", "#!/bin/sh\r\necho never\r\n");
    words = "CRLF line endings";
  }
  SECTION("a missing interpreter") {
    lab.hook("install", "#!/usr/bin/no-such-shell\necho never\n");
    words = "there is no interpreter \"/usr/bin/no-such-shell\"; install it";
  }
  lab.feed("1.0", {});
  lab.start_agent();
  std::string alarm;
  lab.until("an alarm", [&] {
    if (!lab.agent_is_up()) return false;
    const auto status = lab.status();
    for (const auto& each : status.at("alarms").as_array())
      if (each.at("kind").as_string() == "plugins") alarm = std::string{each.at("message").as_string()};
    return !alarm.empty();
  });
  CHECK_THAT(alarm, holds("jobs of nightly wait: ") && holds(words));
  CHECK(lab.jobs().empty());
  CHECK(lab.stop_agent(SIGTERM) == 0);
  fs::remove(hooks / "install.sh");
  lab.hook("install", "#!/bin/sh\necho at last\n");
  CHECK(verdict(lab, good_way) == "all stages went well");
}

TEST_CASE("A hook that a signal ends blames the product, unless it was SIGKILL from outside", "[bad]") {
  SampleLab lab;
  lab.feed("1.0", {});
  Names way{"new", "pre-run", "running", "post-run", "failure"};
  std::string name;
  SECTION("SIGSEGV") { name = "SEGV"; }
  SECTION("SIGKILL") {
    name = "KILL";
    way.back() = "error";
  }
  lab.hook("install", "#!/bin/sh\necho before\nkill -" + name + " $$\n");
  CHECK_THAT(verdict(lab, way), holds("install: acme/install was killed by SIG" + name));
  CHECK(lab.log_of(text_at(the_job(lab), "id"), "install/acme/install") == "before\n");
}
