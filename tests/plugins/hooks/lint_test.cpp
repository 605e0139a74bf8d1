#include "plugins/hooks/lint.hpp"

#include "plugins/hooks/hook_mistakes.hpp"
#include "plugins/hooks/script.hpp"
#include "plugins/hooks/skeleton.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <boost/json/parse.hpp>

using namespace outpost;
using namespace std::chrono_literals;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;
namespace fs = std::filesystem;

namespace {

/// A plugin that nothing can be said against, to be spoiled.
struct Folder {
  Folder() {
    manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h}}\n");
    hook("install", "#!/bin/sh\ntrue\n");
  }

  void manifest(const std::string& more) { write_file(folder / "plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: 1\n" + more); }

  void hook(const std::string& name, const std::string& text, bool executable = true) {
    write_file(folder / "hooks" / name, text);
    if (executable) fs::permissions(folder / "hooks" / name, fs::perms::owner_all);
  }

  /// "CODE severity place message; fix", without what shellcheck says.
  std::string lint() {
    std::string text;
    for (const auto& one : hooks::lint(hooks::read_plugin(folder, "acme", "plugin.yml"), "")) {
      if (one.code == "PL013") continue;
      text += one.code + " " + std::string{to_string(one.severity)} + " " + one.where.text() + ": " + one.message + (one.fix.empty() ? "" : "; " + one.fix) + "\n";
    }
    return text;
  }

  TemporaryDirectory directory;
  fs::path folder = directory.path / "acme";
};

}  // namespace

TEST_CASE("a plugin without a fault has none") {
  Folder folder;
  folder.hook("test", "#!/bin/sh\ntrue\n");
  CHECK(folder.lint() == "");
}

TEST_CASE("a shellcheck that never ends costs its advice, and says so") {
  const Folder folder;
  const auto tools = folder.directory.path / "tools";
  fs::create_directory(tools);
  write_file(tools / "shellcheck", "#!/bin/sh\nexec sleep 1000\n");
  fs::permissions(tools / "shellcheck", fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (tools.native() + ":" + path).c_str(), 1);
  const auto found = hooks::shellcheck(folder.folder, {"hooks/test"}, "acme/", 100ms);
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE(found.size() == 1);
  CHECK(found.front().severity == hooks::Severity::warning);
  CHECK(found.front().text() ==
        "acme/hooks/test: PL013 shellcheck did not end within 100ms and was killed: what it would say of the plugin's scripts is missing here");
}

TEST_CASE("the plugins that come with Outpost have no fault either") {
  unsigned plugins = 0;
  for (const auto& entry : fs::directory_iterator{test::source_directory / "hooks/plugins"}) {
    const std::string name = entry.path().filename().string();
    if (!fs::exists(entry.path() / "plugin.yml")) continue;
    ++plugins;
    auto found = hooks::lint(hooks::read_plugin(entry.path(), name, name + "/plugin.yml"), name + "/");
    // Whether this machine has what they need is not their fault.
    std::erase_if(found, [](const auto& one) { return one.code == "PL004" || one.code == "PL021"; });
    CHECK(hooks::text_of(found) == "");
  }
  CHECK(plugins >= 8);
}

TEST_CASE("a playbook that the manifest names is a hook") {
  Folder folder;
  fs::remove_all(folder.folder / "hooks");
  folder.manifest("hooks: {acquire: {playbook: plays/take.yml}, install: {playbook: plays/site.yml, timeout: 1h}}\n");
  write_file(folder.folder / "plays/take.yml", "- debug:\n");
  CHECK(folder.lint() == "PL010 warning hooks/acquire: what acquire takes, nothing frees; add hooks/release\n"
                         "PL002 error plugin.yml:4:56: hooks.install.playbook: there is no plays/site.yml in the plugin's folder; correct the path\n");
}

TEST_CASE("a directory called as a stage that has hooks is what these use") {
  Folder folder;
  folder.hook("test.d/10-all", "#!/bin/sh\ntrue\n");
  fs::create_directories(folder.folder / "hooks/test");
  fs::remove(folder.folder / "hooks/install");
  write_file(folder.folder / "hooks/install.yml", "- debug:\n");
  fs::create_directories(folder.folder / "hooks/install");
  folder.manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h}, collect: {playbook: hooks/collect/site.yml}}\n");
  write_file(folder.folder / "hooks/collect/site.yml", "- debug:\n");
  CHECK(folder.lint() == "");
}

TEST_CASE("each code is given for what it is for, with a cure") {
  Folder folder;
  folder.hook("test", "#!/bin/sh\ntrue\n");
  SECTION("PL001 and PL005: the manifest") {
    folder.manifest("order: x\noder: 1\n");
    CHECK(folder.lint() == "PL001 error plugin.yml:4:1: order: \"x\" is not a whole number (example: 2)\n"
                           "PL005 error plugin.yml:5:1: unknown key \"oder\" (did you mean \"order\"?)\n");
  }
  SECTION("PL002") {
    folder.hook("collect", "#!/bin/sh\n", false);
    CHECK(folder.lint() == "PL002 error hooks/collect: is not executable; chmod +x hooks/collect\n");
    fs::remove(folder.folder / "hooks/collect");
    folder.hook("collect.d/10 Bob's; true", "#!/bin/sh\r\n", false);
    CHECK(folder.lint() == "PL002 error hooks/collect.d/10 Bob's; true: is not executable; chmod +x 'hooks/collect.d/10 Bob'\\''s; true'\n"
                           "PL003 error hooks/collect.d/10 Bob's; true:1:1: CRLF line endings: the kernel looks for an interpreter whose name ends in a carriage return; "
                           "sed -i 's/\\r$//' 'hooks/collect.d/10 Bob'\\''s; true'\n");
  }
  SECTION("PL003") {
    folder.hook("collect", "#!/bin/sh\r\necho\r\n");
    CHECK(folder.lint().starts_with("PL003 error hooks/collect:1:1: CRLF line endings"));
    folder.hook("collect", "echo\n");
    CHECK(folder.lint() == "PL003 error hooks/collect:1:1: no #! line says what runs it; begin it with #!/bin/bash, or another interpreter\n");
    folder.hook("collect", "#!/usr/bin/env -S no-such-python -u\n");
    CHECK(folder.lint() == "PL003 error hooks/collect:1:1: there is no interpreter \"no-such-python\"; install it, or correct the #! line\n");
    folder.hook("collect", "#!sh -e\n");
    CHECK(folder.lint() == "PL003 error hooks/collect:1:1: the kernel looks for no interpreter in the PATH; write #!/usr/bin/env -S sh -e\n");
  }
  SECTION("PL004") {
    folder.manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h}}\nrequires: {commands: [no-such-command]}\n");
    CHECK(folder.lint() == "PL004 warning plugin.yml:5:23: requires.commands: there is no command \"no-such-command\" in the PATH of hooks; install it\n");
  }
  SECTION("PL006") {
    folder.manifest("hooks: {install: {timeout: 1h}}\n");
    CHECK(folder.lint() == "PL006 warning plugin.yml:4:1: hooks.test has no time limit of its own: a hook that hangs holds the lab for hours; "
                           "add test: {timeout: 30min}, or what it needs at most\n");
  }
  SECTION("PL007 and PL008: secrets") {
    folder.manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h}}\nenv: {allow: [ACME_TOKEN]}\n"
                    "config: {type: object, properties: {password: {type: string}, key: {type: string, x-secret: true}}}\n");
    folder.hook("test", "#!/bin/sh\nset -ex\n");
    CHECK(folder.lint() == "PL008 warning hooks/test:2:1: set -x prints what the hook does with its secrets; remove it, or use it around lines without secrets\n"
                           "PL007 warning plugin.yml:5:15: env.allow: \"ACME_TOKEN\" sounds like a secret, and every process of the hook's user can read an environment; "
                           "make it a property with x-secret: true in config\n"
                           "PL007 warning plugin.yml:6:1: config.password sounds like a secret, but is none; add x-secret: true to it\n");
  }
  SECTION("PL009 and PL011: what a script does") {
    folder.hook("test", "#!/bin/sh\necho a >/etc/acme.conf  # no\necho b >/dev/null 2>&1\nsleep 9 &\ntrue && true\n");
    CHECK(folder.lint() == "PL009 warning hooks/test:2:9: writes to /etc/acme.conf, which is no directory of the job; write below \"$OUTPOST_WORKSPACE\" or \"$OUTPOST_TMP\"\n"
                           "PL011 warning hooks/test:4:9: a background process is killed when the hook ends, with a warning; wait for it\n");
    folder.hook("test", "#!/bin/sh\nsleep 9 &\nwait\n");
    CHECK(folder.lint() == "");
  }
  SECTION("PL010") {
    folder.hook("acquire", "#!/bin/sh\n");
    CHECK(folder.lint() == "PL010 warning hooks/acquire: what acquire takes, nothing frees; add hooks/release\n");
  }
  SECTION("PL012") {
    folder.manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h, junit: [\"a/*.xml\", \"b/*.xml\"], artifacts: [logs]}}\n");
    const hooks::Plugin plugin = hooks::read_plugin(folder.folder, "acme", "plugin.yml");
    const auto found = hooks::lint(plugin, "", {"b/*.xml", "logs"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].text().find("PL012 hooks.test.junit: in the last run nothing in the workspace matched \"b/*.xml\"") != std::string::npos);
    CHECK(found[1].text().find("PL012 hooks.test.artifacts: in the last run nothing in the workspace matched \"logs\"") != std::string::npos);
    CHECK(found[0].where.line == 4);
  }
  SECTION("PL022") {
    folder.hook("test", "#!/bin/bash\nif sudo -n true; then\n  sudo dnf install x\nfi\necho sudo is not used; su - acme\n");
    CHECK(folder.lint() == "PL022 warning hooks/test:3:3: sudo fails in every profile but root, in which nobody needs it; "
                           "say isolation: {user: root} in plugin.yml, and profile: root in the job\n"
                           "PL022 warning hooks/test:5:24: su fails in every profile but root, in which nobody needs it; "
                           "say isolation: {user: root} in plugin.yml, and profile: root in the job\n");
    folder.manifest("hooks: {install: {timeout: 1h}, test: {timeout: 1h}}\nisolation: {user: root}\n");
    CHECK(folder.lint() == "");
  }
  SECTION("PL019") {
    folder.hook("instal", "#!/bin/sh\n");
    folder.hook("collect.sh", "#!/bin/sh\n");
    folder.hook("post-run", "#!/bin/sh\n");
    fs::create_directory(folder.folder / "hooks/release");
    folder.hook("teardown.yml", "- debug:\n");
    fs::permissions(folder.folder / "hooks/teardown.yml", fs::perms::owner_read | fs::perms::owner_write);
    fs::remove(folder.folder / "hooks/test");
    CHECK(folder.lint() == "PL019 error hooks/collect.sh: is no stage, so it never runs (did you mean \"collect\"? hooks have no extension)\n"
                           "PL019 error hooks/instal: is no stage, so it never runs (did you mean \"install\"?)\n"
                           "PL019 error hooks/post-run: is no stage, so it never runs (did you mean \"collect\"?)\n"
                           "PL019 error hooks/release: is a directory, so nothing in it runs; move what is to run to hooks/release.d\n"
                           "PL019 error hooks/teardown.yml: is no stage, so it never runs (did you mean \"release.yml\"?)\n"
                           "PL019 warning plugin.yml:4:33: hooks.test: there is no hook of this stage; add hooks/test, or remove the key\n");
  }
}

TEST_CASE("hooks that lie where nothing runs them are told once, with where they belong") {
  const auto told = [](const std::vector<std::string>& files) {
    const TemporaryDirectory directory;
    write_file(directory.path / "plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: 1\n");
    for (const auto& file : files) write_file(directory.path / file, "- debug:\n");
    return hooks::text_of(hooks::hook_mistakes(hooks::read_plugin(directory.path, "acme", "plugin.yml"), ""));
  };
  const std::string no_stage = ": PL019 is no stage, so nothing in it runs; ", directory = ": PL019 is a directory, so nothing in it runs; ";
  CHECK(told({"hooks/install/main.yml", "hooks/install/vars.yml"}) == "hooks/install" + directory + "name its playbook in plugin.yml: hooks: {install: {playbook: hooks/install/main.yml}}\n");
  CHECK(told({"hooks/install/tasks/main.yml"}) == "hooks/install" + directory + "name its playbook in plugin.yml: hooks: {install: {playbook: hooks/install/tasks/main.yml}}\n");
  CHECK(told({"hooks/test/smoke.yml"}) == "hooks/test" + directory + "name its playbook in plugin.yml: hooks: {test: {playbook: hooks/test/smoke.yml}}\n");
  CHECK(told({"hooks/test/10-a.yml", "hooks/test/20-b.yml"}) == "hooks/test" + directory + "move what is to run to hooks/test.d\n");
  CHECK(told({"hooks/tests/site.yml"}) == "hooks/tests" + no_stage + "name its playbook in plugin.yml: hooks: {test: {playbook: hooks/tests/site.yml}}\n");
  CHECK(told({"hooks/teardown/run"}) == "hooks/teardown" + no_stage + "move what is to run to hooks/release.d\n");
  CHECK(told({"install.yml", "test.sh"}) == "install.yml: PL019 lies beside hooks/, so nothing runs it; move it to hooks/install.yml\n"
                                            "test.sh: PL019 lies beside hooks/, so nothing runs it; move it to hooks/test\n");
  CHECK(told({"install/install.yml"}) == "install: PL019 lies beside hooks/, so nothing runs it; name its playbook in plugin.yml: hooks: {install: {playbook: install/install.yml}}\n");
  CHECK(told({"hooks/site.yml"}) == "hooks/site.yml: PL019 is no stage, so it never runs; move it out of hooks/\n"
                                    "hooks: PL019 there is no hook in it; add an executable hooks/test or a playbook hooks/test.yml, or one of another stage\n");
  CHECK(told({"hooks/test.yml", "install.yml", "hooks/test/site.yml"}) == "");
}

TEST_CASE("the report is for people, for programs, and for what shows SARIF") {
  const hooks::Diagnoses diagnoses{{"PL002", hooks::Severity::error, {"hooks/test", 0, 0}, "is not executable", "chmod +x hooks/test"},
                                   {"PL006", hooks::Severity::warning, {"plugin.yml", 4, 1}, "no limit", {}}};
  CHECK(lint_report(diagnoses, hooks::LintFormat::human) ==
        "hooks/test: error PL002 is not executable\n    chmod +x hooks/test\nplugin.yml:4:1: warning PL006 no limit\n1 error, 1 warning\n");
  const auto json = boost::json::parse(lint_report(diagnoses, hooks::LintFormat::json));
  CHECK(json.at(0).at("fix") == "chmod +x hooks/test");
  CHECK(json.at(1).at("line") == 4);
  const auto sarif = boost::json::parse(lint_report(diagnoses, hooks::LintFormat::sarif));
  CHECK(sarif.at("version") == "2.1.0");
  const auto& run = sarif.at("runs").at(0);
  CHECK(run.at("results").at(0).at("ruleId") == "PL002");
  CHECK(run.at("results").at(1).at("locations").at(0).at("physicalLocation").at("region").at("startLine") == 4);
  CHECK(run.at("tool").at("driver").at("rules").as_array().size() == hooks::all_codes().size());
}

TEST_CASE("a new plugin of each language has no errors") {
  for (const auto language : {hooks::Language::shell, hooks::Language::python, hooks::Language::ansible}) {
    const TemporaryDirectory directory;
    const auto files = hooks::write_skeleton("acme-storage", language, directory.path / "acme-storage");
    REQUIRE(files);
    const auto found = hooks::lint(hooks::read_plugin(directory.path / "acme-storage", "acme-storage", "plugin.yml"), "");
    hooks::Diagnoses unexpected;
    for (const auto& one : found)
      if (one.code != "PL004") unexpected.push_back(one);  // Ansible need not be here.
    CHECK(hooks::text_of(unexpected) == "");
    CHECK_FALSE(hooks::write_skeleton("acme-storage", language, directory.path / "acme-storage"));
  }
  CHECK_FALSE(hooks::write_skeleton("../x", hooks::Language::shell, "/tmp/x"));
}
