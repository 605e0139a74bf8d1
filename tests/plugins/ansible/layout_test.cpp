// The plugins that run hooks directories of DCI's agents as they are: which files, in which order, and whose fault what is.
#include "plugins/ansible/ansible_lab.hpp"

#include <fstream>

using namespace outpost;
using namespace outpost::test;
namespace fs = std::filesystem;

namespace {

/// A shipped plugin for a layout, and a copy of a directory that an admin of such a lab would have.
struct LayoutLab : AnsibleLab {
  LayoutLab(const std::string& plugin_name, const std::string& directory_name) {
    fs::create_directories(plugin.parent_path());
    fs::copy(fs::path{OUTPOST_SHIPPED_HOOKS} / plugin_name, plugin, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    fs::copy(fs::path{OUTPOST_DCI_DIRECTORIES} / directory_name, agent, fs::copy_options::recursive);
    environment["OUTPOST_PLUGIN_DIR"] = plugin.string();
    option("directories: [" + agent.string() + "]");
  }

  void option(const std::string& line) { std::ofstream{plugin / "layout.yml", std::ios::app} << line << "\n"; }
  void setting(const std::string& line) { std::ofstream{agent / "settings.yml", std::ios::app} << line << "\n"; }

  int hook(const std::string& name, const std::string& point, const std::string& so_far = "") {
    environment["OUTPOST_POINT"] = point;
    environment["OUTPOST_RESULT_SO_FAR"] = so_far;
    return run(plugin / "hooks" / name);
  }

  [[nodiscard]] bool reports(std::string_view text) const { return report().find(text) != std::string::npos; }
  [[nodiscard]] std::string log(const std::string& name) const { return read_file(directory.path / "shared/job_logs" / (name + ".log")); }

  fs::path plugin = directory.path / "plugins/dci-hooks";
  fs::path agent = directory.path / "agent";
};

struct Failing {
  std::string hook, point, so_far, action;
  int expected;
};

/// Each hook fails in turn.
void check_failures(const std::string& plugin, const std::string& directory, const std::vector<Failing>& all) {
  for (const auto& one : all) {
    CAPTURE(plugin, one.hook, one.action);
    LayoutLab lab{plugin, directory};
    if (!fs::exists(lab.agent / "hooks" / (one.action + ".yml")))
      write_file(lab.agent / "hooks" / (one.action + ".yml"), "---\n- fail: {msg: told to fail}\n  when: fail_in == '" + one.action + "'\n");
    if (one.action == "upgrade") lab.setting("dci_main: upgrade");
    lab.setting("fail_in: " + one.action);
    CHECK(lab.hook(one.hook, one.point, one.so_far) == one.expected);
    CHECK(lab.reports("\"end\":\"failed\""));
  }
}

constexpr int failed = 2, lab_at_fault = 77, skipped = 65;

}  // namespace

TEST_CASE("each failing hook of an OpenShift agent is a failure or an error as that agent has it") {
  if (!has_ansible()) return;
  check_failures("dci-openshift-hooks", "dci-openshift-agent",
                 {{"pre-run.yml", "pre-run", "", "pre-run", lab_at_fault},
                  {"install.d/10-configure.yml", "install", "", "configure", lab_at_fault},
                  {"install.d/20-custom-install.yml", "install", "", "custom-install", failed},
                  {"install.d/30-install.yml", "install", "", "install", failed},
                  {"install.d/40-upgrade.yml", "install", "", "upgrade", failed},
                  {"test.d/10-tests.yml", "test", "", "tests", failed},
                  {"test.d/90-post-run.yml", "test", "", "post-run", lab_at_fault},
                  {"collect.yml", "collect", "failure", "failure", failed},
                  {"collect.yml", "collect", "success", "success", failed},
                  {"release.yml", "release", "success", "teardown", failed}});
}

TEST_CASE("each failing hook of an OpenShift application agent is a failure or an error as that agent has it") {
  if (!has_ansible()) return;
  check_failures("dci-openshift-app-hooks", "dci-openshift-app-agent",
                 {{"pre-run.yml", "pre-run", "", "pre-run", lab_at_fault},
                  {"install.yml", "install", "", "install", failed},
                  {"test.d/10-tests.yml", "test", "", "tests", failed},
                  {"test.d/90-post-run.yml", "test", "", "post-run", lab_at_fault},
                  {"release.yml", "release", "success", "teardown", failed}});
}

TEST_CASE("each failing hook of a RHEL agent is a failure or an error as that agent has it") {
  if (!has_ansible()) return;
  check_failures("dci-rhel-hooks", "dci-rhel-agent",
                 {{"pre-run.yml", "pre-run", "", "pre-run", lab_at_fault},
                  {"test.d/10-tests.yml", "test", "", "tests", failed},
                  {"test.d/20-user-tests.yml", "test", "", "user-tests", failed}});
}

TEST_CASE("what a hook sets is there in later hooks, and their files are kept at the end") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-openshift-hooks", "dci-openshift-agent"};
  CHECK(lab.hook("pre-run.yml", "pre-run") == 0);
  CHECK(lab.hook("install.d/10-configure.yml", "install") == 0);
  CHECK(lab.hook("install.d/20-custom-install.yml", "install") == skipped);
  CHECK(lab.hook("install.d/30-install.yml", "install") == 0);
  CHECK(lab.log("install") == "install of 11111111-2222-4333-8444-555555555555 on ACME-1 after pre-run,configure,install\n");
  CHECK(lab.hook("install.d/40-upgrade.yml", "install") == 0);  // Not asked for.
  CHECK(lab.reports("\"end\":\"skipped\""));
  CHECK(lab.log("upgrade").empty());
  write_file(lab.directory.path / "shared/job_logs/deep/suite.xml", "<testsuite/>");
  CHECK(lab.hook("collect.yml", "collect", "error") == 0);
  CHECK(lab.log("failure").empty());  // Of failures only.
  CHECK(read_file(lab.directory.path / "artifacts/install.log") == lab.log("install"));
  CHECK(read_file(lab.directory.path / "results/deep/suite.xml") == "<testsuite/>");
}

TEST_CASE("several directories have their turn in order, and are taken down the other way round") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-openshift-hooks", "dci-openshift-agent"};
  const auto second = lab.directory.path / "second";
  for (const std::string name : {"tests", "teardown"}) {
    write_file(second / "hooks" / (name + ".yml"), "---\n- debug: {msg: SECOND}\n");
    write_file(lab.agent / "hooks" / (name + ".yml"), "---\n- debug: {msg: FIRST}\n");
  }
  lab.option("directories: [" + lab.agent.string() + ", " + second.string() + "]");
  CHECK(lab.hook("test.d/10-tests.yml", "test") == 0);
  CHECK(lab.output.find("FIRST") < lab.output.find("SECOND"));
  CHECK(lab.hook("release.yml", "release", "success") == 0);
  CHECK(lab.output.find("SECOND") < lab.output.find("FIRST"));
  CHECK(lab.output.find("FIRST") != std::string::npos);
}

TEST_CASE("a lab is taken down after a failure only where its settings say so") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-openshift-app-hooks", "dci-openshift-app-agent"};
  CHECK(lab.hook("release.yml", "release", "failure") == 0);
  CHECK(lab.log("teardown").empty());
  CHECK(lab.hook("release.yml", "release", "success") == 0);
  CHECK_FALSE(lab.log("teardown").empty());
  lab.setting("dci_teardown_on_success: false\ndci_teardown_on_failure: true");
  fs::remove(lab.directory.path / "shared/job_logs/teardown.log");
  CHECK(lab.hook("release.yml", "release", "success") == 0);
  CHECK(lab.log("teardown").empty());
  CHECK(lab.hook("release.yml", "release", "error") == 0);
  CHECK_FALSE(lab.log("teardown").empty());
}

TEST_CASE("the product's own play runs before the hook, unless the site has its own installer") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-openshift-hooks", "dci-openshift-agent"};
  const auto plays = lab.directory.path / "plays";
  write_file(plays / "install.yml", "---\n- hosts: localhost\n  tasks:\n    - debug: {msg: INSTALLER}\n");
  lab.option("plays: " + plays.string());
  CHECK(lab.hook("install.d/30-install.yml", "install") == 0);
  CHECK(lab.output.find("INSTALLER") < lab.output.find("install leaves a file"));
  write_file(lab.agent / "hooks/custom-install.yml", "---\n- debug: {msg: OWN}\n");
  CHECK(lab.hook("install.d/30-install.yml", "install") == 0);
  CHECK(lab.output.find("INSTALLER") == std::string::npos);
}

TEST_CASE("a RHEL agent's settings and hooks are kept, its roles are found, and its systems are tested") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-rhel-hooks", "dci-rhel-agent"};
  CHECK(lab.hook("pre-run.yml", "pre-run") == 0);
  CHECK(fs::exists(lab.directory.path / "artifacts/settings.yml"));
  CHECK(fs::exists(lab.directory.path / "artifacts/hooks/user-tests.yml"));
  CHECK(lab.hook("test.d/10-tests.yml", "test") == 0);
  CHECK(lab.reports("TASK [smoke : a role of the site]"));
  CHECK(lab.hook("test.d/20-user-tests.yml", "test") == 0);
  CHECK(lab.output.find("ok: [sut1.example.org]") != std::string::npos);
  CHECK(lab.hook("collect.yml", "collect", "success") == 0);
  CHECK(fs::exists(lab.directory.path / "results/smoke.xml"));
}

TEST_CASE("what is missing is said, with what to do") {
  if (!has_ansible()) return;
  LayoutLab lab{"dci-openshift-app-hooks", "dci-openshift-app-agent"};
  fs::remove(lab.agent / "hooks/install.yml");
  CHECK(lab.hook("install.yml", "install") == 1);
  CHECK(lab.output.find("this layout needs it") != std::string::npos);
  fs::remove(lab.agent / "hooks/tests.yml");
  CHECK(lab.hook("test.d/10-tests.yml", "test") == skipped);
  fs::remove_all(lab.agent);
  CHECK(lab.hook("pre-run.yml", "pre-run") == 78);
  CHECK(lab.output.find(lab.agent.string() + " is not there") != std::string::npos);
}
