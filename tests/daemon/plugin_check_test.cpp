#include "agent/daemon/plugin_check.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/client.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using outpost::test::holds;
using outpost::test::write_file;
namespace fs = std::filesystem;

namespace {

void write_hook(const fs::path& hook, const std::string& text = "#!/bin/sh\n") {
  write_file(hook, text);
  fs::permissions(hook, fs::perms::owner_all);
}

}  // namespace

TEST_CASE("what is wrong with plugins and their configuration is told where it was written") {
  const test::TemporaryDirectory directory;
  write_hook(directory.path / "plugins/10-acme/hooks/install");
  write_file(directory.path / "plugins/10-acme/plugin.yml",
             "apiVersion: outpost/v1\nname: acme\nversion: 1\n"
             "config: {type: object, additionalProperties: false, required: [address], properties: {address: {type: string}, password: {type: string, x-secret: true}}}\n");
  write_hook(directory.path / "plugins/old/hooks/test");
  const auto lines_of = [&](const std::string& more) {
    write_file(directory.path / "job.yml", "plugins: [acme, old]\nplugins_path: [plugins]\n" + more);
    const auto job = config::load_job_file(directory.path / "job.yml");
    REQUIRE((job ? "" : job.error().text()) == "");
    const auto lines = daemon::check_plugins(*job, "job.yml");
    return join(lines, "\n");
  };
  CHECK(lines_of("plugin_config: {acme: {address: a}}\n") == "");
  CHECK(lines_of("") == "job.yml:1:1: PL018 plugin_config.acme: the key \"address\" is missing");
  CHECK(lines_of("plugin_config:\n  acme:\n    address: a\n    pasword: x\n") ==
        "job.yml:6:5: PL018 plugin_config.acme.pasword: is not known to the plugin (did you mean \"password\"?)");
  CHECK(lines_of("plugin_config:\n  acme: {address: a, password: hunter2}\n") ==
        "job.yml:4:22: PL007 plugin_config.acme.password: is a secret, which does not stand in a configuration (write {secret: NAME}, and its file under secrets)");
  CHECK(lines_of("plugin_config:\n  acme: {address: a, password: {secret: bmc}}\nsecrets: {bmc: {file: bmc}}\n") == "");
  CHECK(lines_of("plugin_config: {acme: {address: a}, old: {a: 1}}\n") ==
        "job.yml:3:37: PL018 plugin_config.old: the plugin takes no configuration; it has no plugin.yml");
}

TEST_CASE("hooks that would not run are told before a job is claimed, and what is only likely a mistake is a warning") {
  const test::TemporaryDirectory directory;
  const fs::path hooks = directory.path / "plugins/acme/hooks";
  write_file(directory.path / "outpost.yml", "sources: {lab: {type: dci, url: \"http://127.0.0.1:9\", credentials: dcirc.sh}}\n"
                                             "jobs: [{name: nightly, source: lab, topic: ACME-1, components: [acme], plugins: [acme]}]\nplugins_path: [plugins]\n");
  write_file(directory.path / "dcirc.sh", "DCI_CLIENT_ID=remoteci/a\nDCI_API_SECRET=b\n");
  const auto loaded = config::load(directory.path / "outpost.yml", {}, daemon::source_types());
  REQUIRE((loaded ? "" : loaded.error().text()) == "");
  const auto check = [&] { return replace_all(join(daemon::check_plugins(*loaded), "\n"), (directory.path / "plugins/").native(), ""); };
  const auto warnings = [&] { return replace_all(join(daemon::plugin_warnings(*loaded), "\n"), (directory.path / "plugins/").native(), ""); };
  SECTION("no hook") {
    write_hook(directory.path / "plugins/acme/test");
    CHECK(check() == "acme/test: PL019 lies beside hooks/, so nothing runs it; move it to acme/hooks/test");
    fs::remove(directory.path / "plugins/acme/test");
    CHECK(check() == "acme/hooks: PL019 there is no hook in it; add an executable hooks/test or a playbook hooks/test.yml, or one of another stage");
    fs::create_directories(hooks);
    CHECK(check() == "acme/hooks: PL019 there is no hook in it; add an executable hooks/test or a playbook hooks/test.yml, or one of another stage");
  }
  SECTION("a name that is nearly a stage's, beside a hook") {
    write_hook(hooks / "install");
    write_hook(hooks / "test.sh");
    CHECK(check() == "acme/hooks/test.sh: PL019 is no stage, so it never runs (did you mean \"test\"? hooks have no extension)");
    fs::rename(hooks / "test.sh", hooks / "tests");
    CHECK(check() == "acme/hooks/tests: PL019 is no stage, so it never runs (did you mean \"test\"?)");
    fs::rename(hooks / "tests", hooks / "test");
    CHECK(check() == "");
  }
  SECTION("a file that cannot be started") {
    write_file(hooks / "test", "#!/bin/sh\n");
    CHECK(check() == "acme/hooks/test: PL002 is not executable; chmod +x acme/hooks/test");
    write_hook(hooks / "test", "#!/bin/sh\r\ntrue\r\n");
    CHECK_THAT(check(), Catch::Matchers::StartsWith("acme/hooks/test:1:1: PL003 CRLF line endings"));
    write_hook(hooks / "test", "#!/usr/bin/no-such-shell\n");
    CHECK(check() == "acme/hooks/test:1:1: PL003 there is no interpreter \"/usr/bin/no-such-shell\"; install it, or correct the #! line");
    write_hook(hooks / "test", "true\n");
    CHECK(check() == "acme/hooks/test:1:1: PL003 no #! line says what runs it; begin it with #!/bin/bash, or another interpreter");
    write_hook(hooks / "test", "#!/usr/bin/env -S -u HOME LANG=C sh -e\n");
    CHECK(check() == "");
    fs::remove(hooks / "test");
    write_hook(hooks / "test.d/10-first");
    fs::create_symlink("nowhere", hooks / "test.d/20-second");
    CHECK(check() == "acme/hooks/test.d/20-second: PL002 leads nowhere; put the executable in its place");
    fs::remove(hooks / "test.d/20-second");
    CHECK(check() == "");
  }
  SECTION("two hooks for one place") {
    write_hook(hooks / "test");
    write_file(hooks / "test.yml", "- debug:\n");
    CHECK_THAT(check(), Catch::Matchers::StartsWith("acme/hooks/test: PL002 ") && holds("keep one"));
  }
  SECTION("what hooks use, and what a script does, are no reason to wait") {
    write_hook(hooks / "acquire", "#!/bin/sh\nsleep 9 &\n");
    write_file(hooks / "library.sh", "true\n");
    CHECK(check() == "");
    CHECK_THAT(warnings(), holds("acme/hooks/library.sh: PL019 is no stage, so it never runs; move it out of hooks/") && holds("acme/hooks/acquire: PL010 ") &&
                               holds("acme/hooks/acquire:2:9: PL011 "));
  }
}
