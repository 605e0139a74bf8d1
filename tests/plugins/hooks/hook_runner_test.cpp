#include "plugins/hooks/hook_runner.hpp"

#include "agent/process/local/local_command_runner.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

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
    hooks::HookRunner runner{commands, clock, options()};
    auto steps = runner.steps(story, taken, stage);
    REQUIRE(steps);
    REQUIRE(steps->size() == 1);
    output.clear();
    process::TextOutput printed{[this](std::string_view text) { output += text; }};
    return test::await(runner.run({.step = steps->front(), .step_id = step_id, .attempt = 1, .reason = "normal", .story = story,
                                   .directory = directory, .component_paths = {}, .timeout = std::chrono::minutes{5}, .grace = std::chrono::seconds{1},
                                   .calls = calls},
                                  printed));
  }

  void manifest(const std::string& more) {
    write_file(plugins.path / "10-acme/plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: 2.0\n" + more);
  }

  [[nodiscard]] hooks::HookOptions options() const {
    return {.plugin_directories = {plugins.path}, .secrets_directory = jobs.path / "secrets", .secrets = secrets, .resources = {},
            .snapshots_directory = jobs.path / "snapshots", .servers = servers, .dry_run = dry_run, .jobs_directory = jobs.path};
  }

  Result<void> check() {
    hooks::HookRunner runner{commands, clock, options()};
    return runner.check(story.job.definition);
  }

  void take() {
    hooks::HookRunner runner{commands, clock, options()};
    auto those = runner.take(story.job.definition, directory);
    REQUIRE(those);
    taken = *those;
  }

  TemporaryDirectory plugins, jobs;
  std::vector<job::TakenPlugin> taken;
  pipeline::JobDirectory directory{jobs.path / "job-1"};
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SystemClock clock;
  std::map<std::string, std::string> secrets, servers;
  bool dry_run = false;
  pipeline::StepCalls* calls = nullptr;
  job::Story story;
  std::string output;
};

/// Says yes to everything.
struct Listener final : pipeline::StepCalls {
  boost::asio::awaitable<Result<boost::json::value>> answer(pipeline::StepCall call) override {
    heard.push_back(call.verb);
    co_return boost::json::value{};
  }
  void cannot_hear(const Error& why) override { not_heard.push_back(why.message); }

  std::vector<std::string> heard, not_heard;
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
  SECTION("there is none, but some were made with the job's") {
    fs::remove_all(lab.directory.root);
    REQUIRE(pipeline::JobDirectory::make_ready(lab.jobs.path / "next-job"));
    REQUIRE(lab.directory.create(lab.jobs.path / "next-job"));
    const auto unused = inode(lab.directory.unused_step());
    CHECK(unused != 0);
    CHECK(lab.run(job::Stage::install, "second").ending.code == 0);
    CHECK(inode("second") == unused);
    CHECK(inode(lab.directory.unused_step()) == 0);
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
  job::Story story;
  story.job.definition.plugins = {"b", "a"};
  CHECK(runner.steps(story, {}, job::Stage::install)->front().plugin == "b");
  CHECK(runner.steps(story, {}, job::Stage::cleanup)->front().plugin == "a");
}

TEST_CASE("secrets that an agent left when it died are gone once the next one starts") {
  TemporaryDirectory runtime;
  write_file(runtime.path / "secrets/job.install/password", "hunter2");
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SystemClock clock;
  hooks::remove_left_secrets(runtime.path / "secrets");
  CHECK_FALSE(std::filesystem::exists(runtime.path / "secrets/job.install"));
}

// ---- with a manifest ----

TEST_CASE("a plugin with a manifest gets the secrets that its configuration names, and no others") {
  Lab lab;
  lab.secrets = {{"bmc-4", "hunter2"}, {"registry", "swordfish"}};
  lab.manifest("config: {type: object, properties: {password: {type: string, x-secret: true}, pool: {type: object, properties: {size: {type: integer}}}, "
               "release: {type: string}, tries: {type: integer, default: 3}}}\n");
  lab.story.job.definition.plugin_config["acme"] = {{"password", {{"secret", "bmc-4"}}}, {"pool", {{"size", 4}}}, {"release", 10}};
  lab.hook("install", "#!/bin/sh\nls \"$OUTPOST_SECRETS\"; cat \"$OUTPOST_SECRETS/password\"; echo; cat \"$OUTPOST_CONFIG\"\n"
                      "echo $OUTPOST_CONFIG_POOL_SIZE $OUTPOST_CONFIG_RELEASE $OUTPOST_CONFIG_TRIES $OUTPOST_PLUGIN_VERSION; env | grep -c hunter2\n");
  CHECK(lab.check().has_value());
  lab.run(job::Stage::install);
  CHECK(lab.output == "password\nhunter2\n"
                      "{\"password\":{\"$secret\":\"password\"},\"pool\":{\"size\":4},\"release\":\"10\",\"tries\":3}\n"
                      "4 10 3 2.0\n0\n");
}

TEST_CASE("a plugin whose manifest marks no secrets gets all, as one without a manifest") {
  Lab lab;
  lab.secrets = {{"bmc-4", "hunter2"}};
  lab.hook("install", "#!/bin/sh\nls \"$OUTPOST_SECRETS\"\n");
  lab.manifest("config: {type: object, properties: {ssh_key: {type: string}}}\n");
  lab.run(job::Stage::install);
  CHECK(lab.output == "bmc-4\n");
}

TEST_CASE("hooks see the variables of the agent that the manifest allows, and never others") {
  Lab lab;
  ::setenv("ACME_REGION", "north", 1);
  ::setenv("ACME_OTHER", "south", 1);
  ::setenv("OUTPOST_SPY", "1", 1);
  lab.manifest("env: {allow: [ACME_REG*, \"HOM*\"]}\n");
  lab.hook("install", "#!/bin/sh\necho \"$ACME_REGION,$ACME_OTHER,$OUTPOST_SPY\"; [ \"$HOME\" = \"$TMPDIR/home\" ] || echo leaked\n");
  lab.run(job::Stage::install);
  CHECK(lab.output == "north,,\n");
  for (const char* name : {"ACME_REGION", "ACME_OTHER", "OUTPOST_SPY"}) ::unsetenv(name);
}

TEST_CASE("a job runs its plugin as it was when it was taken (F36)") {
  Lab lab;
  lab.manifest("");
  lab.hook("install", "#!/bin/sh\n. \"$OUTPOST_PLUGIN_DIR/lib/say\"\n");
  write_file(lab.plugins.path / "10-acme/lib/say", "echo first\n");
  lab.take();
  REQUIRE(lab.taken.size() == 1);
  CHECK(lab.taken.front().version == "2.0");
  CHECK(lab.taken.front().digest.size() == 64);
  write_file(lab.plugins.path / "10-acme/lib/say", "echo second\n");
  lab.hook("install", "#!/bin/sh\necho other\n");
  lab.run(job::Stage::install);
  CHECK(lab.output == "first\n");

  SECTION("and the next job as it is then") {
    lab.taken.clear();
    lab.take();
    lab.run(job::Stage::install);
    CHECK(lab.output == "other\n");
  }
  SECTION("even when the folder is gone") {
    fs::remove_all(lab.plugins.path / "10-acme");
    lab.run(job::Stage::install, "again");
    CHECK(lab.output == "first\n");
  }
}

TEST_CASE("a copy of a plugin that a power failure has spoilt is made again") {
  Lab lab;
  lab.manifest("");
  lab.hook("install", "#!/bin/sh\necho whole\n");
  lab.take();
  const auto hook = fs::path{lab.taken.front().directory} / "hooks/install";
  fs::permissions(hook, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(hook, 0);
  lab.take();
  CHECK(fs::path{lab.taken.front().directory} / "hooks/install" == hook);
  lab.run(job::Stage::install);
  CHECK(lab.output == "whole\n");
  fs::remove(hook);
  lab.take();
  lab.run(job::Stage::install);
  CHECK(lab.output == "whole\n");
}

TEST_CASE("copies of plugins that no job uses go") {
  Lab lab;
  lab.manifest("");
  lab.hook("install", "#!/bin/sh\n");
  lab.take();
  const auto first = lab.taken.front().directory;
  lab.hook("install", "#!/bin/sh\necho changed\n");
  pipeline::JobDirectory other{lab.jobs.path / "job-2"};
  hooks::HookRunner runner{lab.commands, lab.clock, lab.options()};
  const auto second = runner.take(lab.story.job.definition, other);
  REQUIRE(second);
  CHECK(second->front().directory != first);
  CHECK(fs::exists(first));  // job-1 runs it.
  REQUIRE(lab.directory.remove_workspace());
  lab.hook("install", "#!/bin/sh\necho changed again\n");
  REQUIRE(runner.take(lab.story.job.definition, other));
  CHECK_FALSE(fs::exists(first));
}

TEST_CASE("a link that names the plugin's own place is replaced by what it leads to") {
  Lab lab;
  lab.manifest("");
  lab.hook("install", "#!/bin/sh\necho linked\n");
  fs::create_symlink(lab.plugins.path / "10-acme/hooks/install", lab.plugins.path / "10-acme/hooks/test");
  fs::create_symlink("../../10-acme/hooks/install", lab.plugins.path / "10-acme/hooks/certify");
  lab.take();
  fs::remove_all(lab.plugins.path / "10-acme");
  for (const auto stage : {job::Stage::test, job::Stage::certify}) {
    lab.run(stage, std::string{to_string(stage)});
    CHECK(lab.output == "linked\n");
  }
}

TEST_CASE("what leads out of a plugin is copied with it") {
  Lab lab;
  lab.manifest("");
  TemporaryDirectory shared;
  write_file(shared.path / "lib/say", "echo shared\n");
  lab.hook("install", "#!/bin/sh\n. \"$(dirname \"$(readlink -f \"$0\")\")/../lib/say\"\n");
  fs::create_directory_symlink(shared.path / "lib", lab.plugins.path / "10-acme/lib");
  fs::create_symlink("install", lab.plugins.path / "10-acme/hooks/test");
  lab.take();
  fs::remove_all(shared.path / "lib");
  lab.run(job::Stage::install);
  CHECK(lab.output == "shared\n");
  CHECK(fs::read_symlink(fs::path{lab.taken.front().directory} / "hooks/test") == "install");
}

TEST_CASE("a job that could not run is refused with every reason") {
  Lab lab;
  lab.hook("install", "#!/bin/sh\n");
  SECTION("nothing is wrong with a plugin without a manifest") {
    CHECK(lab.check().has_value());
    lab.story.job.definition.plugin_config["acme"] = {{"a", 1}};
    CHECK(lab.check().error().message == "jobs.: PL018 plugin_config.acme: the plugin takes no configuration; it has no plugin.yml");
  }
  SECTION("hooks") {
    const auto hooks = (lab.plugins.path / "10-acme/hooks/").native();
    lab.hook("certify", "#!/bin/sh\n", false);
    lab.hook("tests", "#!/bin/sh\n");
    CHECK(lab.check().error().message == hooks + "tests: PL019 is no stage, so it never runs (did you mean \"test\"?)\n" + hooks + "certify: PL002 is not executable; chmod +x " +
                                             hooks + "certify");
  }
  SECTION("manifest") {
    lab.manifest("oder: 1\n");
    CHECK(lab.check().error().message == (lab.plugins.path / "10-acme/plugin.yml").string() + ":4:1: PL005 unknown key \"oder\" (did you mean \"order\"?)");
  }
  SECTION("name") {
    write_file(lab.plugins.path / "10-acme/plugin.yml", "apiVersion: outpost/v1\nname: acne\nversion: 1\n");
    CHECK(lab.check().error().message == (lab.plugins.path / "10-acme/plugin.yml").string() +
                                             ":2:1: PL020 name: \"acne\" is not the name of the folder (write name: acme, or rename the folder)");
  }
  SECTION("requirements") {
    lab.manifest("requires: {commands: [sh, no-such-command], agent: \">=99\", os: [plan9]}\nhooks: {install: {resources: [cluster4]}}\n");
    const auto message = lab.check().error().message;
    CHECK(message.find(":4:27: PL004 requires.commands: there is no command \"no-such-command\" in the PATH of hooks; install it") != std::string::npos);
    CHECK(message.find("PL021 requires.agent: the plugin needs 99, this agent is " OUTPOST_VERSION) != std::string::npos);
    CHECK(message.find("PL021 requires.os: this is ") != std::string::npos);
    CHECK(message.find("PL021 hooks.install.resources: the job \"\" does not hold \"cluster4\"") != std::string::npos);
    lab.story.job.definition.resources = {"cluster4"};
    CHECK(lab.check().error().message.find("cluster4") == std::string::npos);
  }
}

TEST_CASE("whoever has a hook stopped hears when its grace begins, and can look at it meanwhile") {
  Lab lab;
  lab.hook("test", "#!/bin/sh\ntrap '' TERM\necho $$ >\"$OUTPOST_SHARED/.pid\" && mv \"$OUTPOST_SHARED/.pid\" \"$OUTPOST_SHARED/pid\"\nwhile [ ! -e \"$OUTPOST_SHARED/seen\" ]; do sleep 0.01; done\n");
  lab.hook("on-timeout", "#!/bin/sh\necho \"$OUTPOST_POINT $OUTPOST_FAILED_POINT $OUTPOST_FAILED_PLUGIN\"\n"
                         "kill -0 \"$(cat \"$OUTPOST_SHARED/pid\")\" && touch \"$OUTPOST_SHARED/seen\"\n");
  hooks::HookRunner runner{lab.commands, lab.clock, lab.options()};
  REQUIRE(runner.overlaps());
  const auto hook = runner.steps(lab.story, {}, job::Stage::test)->front();
  const auto look = runner.steps(lab.story, {}, job::Stage::on_timeout)->front();
  std::string output;
  process::TextOutput printed{[&](std::string_view text) { output += text; }}, nobody;
  boost::asio::io_context loop;
  const auto request = [&](const pipeline::Step& step) {
    return pipeline::StepRequest{.step = step, .step_id = step.hook, .attempt = 1, .reason = "timeout", .story = lab.story, .directory = lab.directory,
                                 .component_paths = {}, .timeout = std::chrono::minutes{1}, .grace = std::chrono::minutes{1}};
  };
  auto stopped = request(hook);
  // Its time is up once it has begun to ignore that.
  stopped.deadline = std::make_shared<process::Deadline>(std::chrono::steady_clock::now() + std::chrono::minutes{1});
  const auto end_its_time = [&]() -> boost::asio::awaitable<void> {
    boost::asio::steady_timer timer{loop};
    while (!fs::exists(lab.directory.shared() / "pid")) {
      timer.expires_after(std::chrono::milliseconds{5});
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    stopped.deadline->move_to(std::chrono::steady_clock::now());
  };
  std::optional<pipeline::StepOutcome> looked;
  stopped.stopping = [&](bool timed_out) {
    CHECK(timed_out);
    auto looking = request(look);
    looking.stopped = hook;
    boost::asio::co_spawn(loop, runner.run(std::move(looking), printed), [&](std::exception_ptr, pipeline::StepOutcome outcome) { looked = outcome; });
  };
  boost::asio::co_spawn(loop, end_its_time, boost::asio::detached);
  const auto outcome = test::await(loop, runner.run(stopped, nobody));
  CHECK(outcome.ending.kind == Kind::timed_out);
  while (!looked) loop.run_one();
  CHECK(looked->ending.code == 0);
  CHECK(output == "on-timeout test acme\n");
}

TEST_CASE("a job whose site or sandbox is not what a plugin needs is refused, with what would have to be written") {
  Lab lab;
  lab.hook("test", "#!/bin/sh\n");
  lab.manifest("requires: {capabilities: [redfish]}\n");
  const auto why = [&](std::optional<std::vector<std::string>> capabilities) {
    auto options = lab.options();
    options.capabilities = std::move(capabilities);
    hooks::HookRunner runner{lab.commands, lab.clock, options};
    const auto checked = runner.check(lab.story.job.definition);
    return checked ? std::string{} : checked.error().message.substr(checked.error().message.find("PL021"));
  };
  CHECK(why(std::vector<std::string>{"podman"}) ==
        "PL021 requires.capabilities: this site does not say that it has \"redfish\"; if it has, add it to capabilities in outpost.yml");
  CHECK(why(std::vector<std::string>{"podman", "redfish"}).empty());
  CHECK(why(std::nullopt).empty());

  struct Case {
    const char *isolation, *profile, *advice;  ///< nullptr: it is right.
  };
  for (const auto& [isolation, profile, advice] :
       {Case{"{user: job, network: host, private_tmp: true, no_new_privs: true}", "", nullptr}, Case{"{user: root}", "", "write profile: root in the job, if the site may have that"},
        Case{"{user: root}", "root", nullptr}, Case{"{network: none}", "", "write profile: offline in the job, if the site may have that"},
        Case{"{network: none}", "offline", nullptr}, Case{"{no_new_privs: false}", "libvirt", "write profile: container in the job, if the site may have that"},
        Case{"{no_new_privs: true}", "root", "write profile: default in the job, if the site may have that"},
        Case{"{user: root, network: none}", "root", "no profile does; write one of the site's own"}, Case{"{user: root}", "ours", nullptr}}) {
    INFO(isolation << " " << profile);
    lab.manifest(std::string{"isolation: "} + isolation + "\n");
    lab.story.job.definition.profile = profile;
    const std::string message = why(std::nullopt);
    CHECK(message.empty() == (advice == nullptr));
    if (advice) CHECK(message.find(advice) != std::string::npos);
  }
}

TEST_CASE("hooks for DCI's agents find their variables when their plugin asks for them") {
  Lab lab;
  lab.hook("test", "#!/bin/sh\necho \"$DCI_JOB_ID $DCI_CS_URL\"\n");
  lab.manifest("compat: [dci]\n");
  lab.story.claim.external_ref = "remote-1";
  lab.story.job.definition.source = "dci";
  lab.servers = {{"dci", "https://api.example.org"}};
  lab.run(job::Stage::test);
  CHECK(lab.output == "remote-1 https://api.example.org\n");
  lab.manifest("");
  lab.run(job::Stage::test, "again");
  CHECK(lab.output == " \n");
}

TEST_CASE("a dry run runs the hooks that support it, and tells them") {
  Lab lab;
  lab.hook("test", "#!/bin/sh\necho \"dry run: $OUTPOST_DRY_RUN\"\n");
  lab.dry_run = true;
  hooks::HookRunner runner{lab.commands, lab.clock, lab.options()};
  CHECK(runner.steps(lab.story, {}, job::Stage::test)->front().skipped == "dry run: its plugin does not support that");
  lab.manifest("supports: [dry-run]\n");
  lab.run(job::Stage::test);
  CHECK(lab.output == "dry run: 1\n");
}

TEST_CASE("a hook runs although its socket cannot be opened, without one") {
  Lab lab;
  Listener listener;
  lab.calls = &listener;
  lab.hook("install", "#!/bin/sh\nif [ -S \"$OUTPOST_SOCKET\" ]; then echo there; else echo \"none$OUTPOST_SOCKET\"; fi\n");

  SECTION("it can") {
    CHECK(lab.run(job::Stage::install).ending.code == 0);
    CHECK(lab.output == "there\n");
    CHECK(listener.not_heard.empty());
  }
  SECTION("something is in its place") {
    write_file(lab.directory.step("step") / "socket/file", "");
    const auto outcome = lab.run(job::Stage::install);
    CHECK(describe(outcome.ending) == "exited with status 0");
    CHECK(lab.output == "none\n");
    REQUIRE(listener.not_heard.size() == 1);
    CHECK(listener.not_heard.front().find("cannot bind " + (lab.directory.step("step") / "socket").native()) == 0);
  }
}
