#include "plugins/hooks/hook_runner.hpp"

#include "agent/process/local/local_command_runner.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>

using namespace outpost;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;
using Kind = job::StepEnding::Kind;
namespace fs = std::filesystem;

namespace {

/// A plugin folder with hooks, and a job to run them for.
struct Lab {
  Lab() {
    story.job.id = "job-1";
    story.job.definition.plugins = {"acme"};
    REQUIRE(directory.create());
  }

  void hook(const std::string& stage, const std::string& text, bool executable = true) {
    const auto path = plugins.path / "10-acme/hooks" / stage;
    write_file(path, text);
    if (executable) fs::permissions(path, fs::perms::owner_all);
  }

  pipeline::StepOutcome run(job::Stage stage, const std::string& step_id = "step") {
    hooks::HookRunner runner{commands, clock, {.plugin_directories = {plugins.path}, .secrets_directory = jobs.path / "secrets", .secrets = secrets}};
    auto steps = runner.steps(story.job.definition, stage);
    REQUIRE(steps);
    REQUIRE(steps->size() == 1);
    output.clear();
    process::TextOutput printed{[this](std::string_view text) { output += text; }};
    return test::await(runner.run({.step = steps->front(), .step_id = step_id, .attempt = 1, .reason = "normal", .story = story,
                                   .directory = directory, .component_paths = {}, .timeout = std::chrono::minutes{5}, .grace = std::chrono::seconds{1}},
                                  printed));
  }

  TemporaryDirectory plugins, jobs;
  pipeline::JobDirectory directory{jobs.path / "job-1"};
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SystemClock clock;
  std::map<std::string, std::string> secrets;
  job::Story story;
  std::string output;
};

}  // namespace

TEST_CASE("a hook runs in the workspace, with its directories made") {
  Lab lab;
  lab.hook("install", "#!/bin/sh\n[ \"$PWD\" = \"$OUTPOST_WORKSPACE\" ] || exit 1\n"
                      "for d in \"$OUTPOST_STATE\" \"$OUTPOST_SHARED\" \"$OUTPOST_TMP\" \"$OUTPOST_ARTIFACTS\" \"$OUTPOST_RESULTS\" \"$HOME\"; do [ -d \"$d\" ] || exit 2; done\n"
                      "umask; echo out; echo err >&2\n");
  const auto outcome = lab.run(job::Stage::install);
  CHECK(describe(outcome.ending) == "exited with status 0");
  CHECK(lab.output == "0007\nout\nerr\n");
}

TEST_CASE("a step gets the directories of the one before it only when that has left nothing") {
  Lab lab;
  lab.story.steps.push_back({.id = "first", .ended = true});
  lab.story.steps.push_back({.id = "second"});
  const auto inode = [&](const std::string& step) {
    struct stat status{};
    return ::stat(lab.directory.step(step).c_str(), &status) == 0 ? status.st_ino : 0;
  };
  const std::string check = "#!/bin/sh\nfor d in \"$OUTPOST_ARTIFACTS\" \"$OUTPOST_RESULTS\" \"$HOME\"; do "
                            "[ -d \"$d\" ] && [ -z \"$(ls -A \"$d\")\" ] || exit 1; done\n"
                            "[ \"$(ls -A \"$TMPDIR\")\" = home ] || exit 2\n";
  lab.hook("install", check);

  SECTION("nothing") {
    REQUIRE(lab.run(job::Stage::install, "first").ending.code == 0);
    const auto first = inode("first");
    CHECK(lab.run(job::Stage::install, "second").ending.code == 0);
    CHECK(inode("second") == first);
    CHECK(inode("first") == 0);
  }
  SECTION("something, or its end is not in the journal") {
    SECTION("an artifact") { lab.hook("acquire", "#!/bin/sh\ntouch \"$OUTPOST_ARTIFACTS/dump\"\n"); }
    SECTION("a result in a folder") { lab.hook("acquire", "#!/bin/sh\nmkdir \"$OUTPOST_RESULTS/unit\"\n"); }
    SECTION("a temporary file") { lab.hook("acquire", "#!/bin/sh\ntouch \"$TMPDIR/.x\"\n"); }
    SECTION("a file at home") { lab.hook("acquire", "#!/bin/sh\ntouch \"$HOME/.x\"\n"); }
    SECTION("another mode") { lab.hook("acquire", "#!/bin/sh\nchmod 777 \"$TMPDIR\"\n"); }
    SECTION("a link in the place of a directory") {
      lab.hook("acquire", "#!/bin/sh\nrmdir \"$HOME\" && ln -s / \"$HOME\"\n");
    }
    SECTION("no end") {
      lab.hook("acquire", "#!/bin/sh\n");
      lab.story.steps.front().ended = false;
    }
    REQUIRE(lab.run(job::Stage::acquire, "first").ending.code == 0);
    const auto first = inode("first");
    CHECK(lab.run(job::Stage::install, "second").ending.code == 0);
    CHECK(inode("first") == first);
    CHECK(inode("second") != first);
  }
}

TEST_CASE("directories that a hook has removed are there for the next one") {
  Lab lab;
  lab.hook("install", "#!/bin/sh\nrm -r \"$OUTPOST_WORKSPACE\" \"$OUTPOST_SHARED\" \"${OUTPOST_STATE%/*}\"\n");
  REQUIRE(lab.run(job::Stage::install).ending.code == 0);
  CHECK(lab.run(job::Stage::install).ending.code == 0);
}

TEST_CASE("an exit status and a signal are told apart") {
  Lab lab;
  lab.hook("install", "#!/bin/sh\nexit 15\n");
  auto outcome = lab.run(job::Stage::install);
  CHECK(outcome.ending.kind == Kind::exited);
  CHECK(outcome.ending.code == 15);
  lab.hook("install", "#!/bin/sh\nkill -TERM $$\n");
  outcome = lab.run(job::Stage::install);
  CHECK(outcome.ending.kind == Kind::signalled);
  CHECK(outcome.ending.code == 15);
}

TEST_CASE("hooks that cannot run say what to do") {
  Lab lab;
  lab.hook("install", "#!/bin/sh\n", false);
  auto outcome = lab.run(job::Stage::install);
  CHECK(outcome.ending.kind == Kind::not_started);
  CHECK(outcome.ending.detail.find("chmod") != std::string::npos);
  lab.hook("install", "#!/bin/sh\r\nexit 0\r\n");
  outcome = lab.run(job::Stage::install);
  CHECK(outcome.ending.kind == Kind::not_started);
  CHECK(outcome.ending.detail.find("CRLF") != std::string::npos);
  lab.hook("install", "#!/no/such/interpreter\n");
  outcome = lab.run(job::Stage::install);
  CHECK(outcome.ending.kind == Kind::not_started);
  CHECK(outcome.ending.detail.find("/no/such/interpreter") != std::string::npos);
}

TEST_CASE("secrets are files that only the step's user reads, and are gone when it ends") {
  Lab lab;
  lab.secrets = {{"bmc", "hunter2"}};
  lab.hook("install", "#!/bin/sh\nstat -c %a \"$OUTPOST_SECRETS\" \"$OUTPOST_SECRETS/bmc\"; cat \"$OUTPOST_SECRETS/bmc\"; env | grep -c hunter2\n");
  lab.run(job::Stage::install);
  CHECK(lab.output == "700\n400\nhunter20\n");
  CHECK(fs::is_empty(lab.jobs.path / "secrets"));
}

TEST_CASE("closing stages run what was set up last first") {
  TemporaryDirectory plugins;
  for (const char* name : {"a", "b"})
    for (const char* stage : {"install", "cleanup"}) write_file(plugins.path / name / "hooks" / stage, "");
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SystemClock clock;
  hooks::HookRunner runner{commands, clock, {.plugin_directories = {plugins.path}}};
  job::Definition definition{.plugins = {"b", "a"}};
  CHECK(runner.steps(definition, job::Stage::install)->front().plugin == "b");
  CHECK(runner.steps(definition, job::Stage::cleanup)->front().plugin == "a");
}

TEST_CASE("secrets that an agent left when it died are gone once the next one starts") {
  TemporaryDirectory runtime;
  write_file(runtime.path / "secrets/job.install/password", "hunter2");
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SystemClock clock;
  const hooks::HookRunner runner{commands, clock, {.secrets_directory = runtime.path / "secrets"}};
  CHECK_FALSE(std::filesystem::exists(runtime.path / "secrets/job.install"));
}
