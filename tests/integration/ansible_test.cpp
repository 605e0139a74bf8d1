// Playbooks and hooks directories of DCI's agents, end to end: what the control server then shows.

#include "integration/sample_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/ansible/ansible_lab.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

constexpr std::string_view task_type = "application/x-ansible-output";

/// "state: name" of each task, in the order in which the server lists them.
Names tasks_of(SampleLab& lab, const std::string& job) {
  std::map<std::string, std::string> states;
  for (const auto& state : lab.jobstates(job)) states[text_at(state, "id")] = text_at(state, "status");
  Names names;
  for (const auto& file : lab.files(job))
    if (text_at(file, "mime") == task_type) names.push_back(states[text_at(file, "jobstate_id")] + ": " + text_at(file, "name"));
  return names;
}

bool has(const Names& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

/// A lab whose plugin is one that we ship, with a copy of such a directory as its admin has it.
struct DciLab : SampleLab {
  DciLab(const std::string& plugin, const std::string& directory_name) {
    fs::create_directories(directory.path / "plugins");
    fs::copy(fs::path{OUTPOST_SHIPPED_HOOKS} / plugin, directory.path / "plugins/acme", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    fs::copy(fs::path{OUTPOST_DCI_DIRECTORIES} / directory_name, agent, fs::copy_options::recursive);
    // The lab calls its plugin acme, and a manifest has its folder's name.
    const auto manifest = directory.path / "plugins/acme/plugin.yml";
    write_file(manifest, replace_all(read_file(manifest), "name: " + plugin, "name: acme"));
    std::ofstream{directory.path / "plugins/acme/layout.yml", std::ios::app} << "directories: [" << agent.string() << "]\n";
  }

  /// Runs a job in which this hook fails, if any; returns its id at the server.
  std::string run(const std::string& failing) {
    std::ofstream{agent / "settings.yml", std::ios::app} << "fail_in: " << (failing.empty() ? "nowhere" : failing) << "\n";
    configure();
    feed("1.0", {{"notes.txt", "read me\n"}});
    start_agent();
    return text_at(finished_job(), "id");
  }

  fs::path agent = directory.path / "dci-agent";
};

struct Told {
  std::string failing;  ///< The hook that fails; empty: none.
  Names states;
  Names failed;            ///< The tasks that did, as tasks_of().
  Names ran, did_not_run;  ///< Hooks, by name.
  std::string settings = {};                         ///< More of them.
  std::map<std::string, std::string> more_hooks = {};  ///< File and content.
};

/// A hook as those of the directories are.
std::string hook_of(const std::string& name) {
  return "---\n- {name: " + name + " leaves a file, debug: {msg: here}}\n- {name: " + name + " fails when it is told to, fail: {msg: told}, when: fail_in == '" + name + "'}\n";
}

void check_story(const std::string& plugin, const std::string& directory, const std::vector<Told>& all) {
  for (const auto& told : all) {
    CAPTURE(plugin, told.failing);
    DciLab lab{plugin, directory};
    std::ofstream{lab.agent / "settings.yml", std::ios::app} << told.settings;
    for (const auto& [name, content] : told.more_hooks) write_file(lab.agent / "hooks" / name, content);
    const auto job = lab.run(told.failing);
    CHECK(lab.states(job) == told.states);
    const auto tasks = tasks_of(lab, job);
    Names failed;
    for (const auto& task : tasks)
      if (task.find("failed/") != std::string::npos) failed.push_back(task);
    CHECK(failed == told.failed);
    const auto ran = [&](const std::string& hook) {
      return std::any_of(tasks.begin(), tasks.end(), [&](const auto& task) { return task.ends_with(": TASK [" + hook + " leaves a file]"); });
    };
    for (const auto& hook : told.ran) CHECK((ran(hook) ? hook : "") == hook);
    for (const auto& hook : told.did_not_run) CHECK((ran(hook) ? hook : "") == "");
  }
}

const Names success{"new", "pre-run", "running", "post-run", "success"};
const Names failure{"new", "pre-run", "running", "post-run", "failure"};
const Names error{"new", "pre-run", "running", "post-run", "error"};
const Names early_error{"new", "pre-run", "post-run", "error"};

}  // namespace

TEST_CASE("a playbook's tasks are at the server by their names, results and states, while it still runs", "[ansible]") {
  if (!has_ansible()) return;
  SampleLab lab;
  lab.configure();
  const auto go = lab.directory.path / "go";
  write_file(lab.directory.path / "plugins/acme/hooks/pre-run.yml", "---\n- name: prepare\n  debug: {msg: \"{{ job_info.job.components[0].version }}\"}\n");
  write_file(lab.directory.path / "plugins/acme/hooks/install.yml", R"(---
- name: deploy
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: hello, debug: {msg: hello}}
    - {name: hello, debug: {msg: hello}}
    - {name: not here, debug: {msg: x}, when: false}
    - {name: does not matter, command: /bin/false, ignore_errors: true}
    - {name: wait, wait_for: {path: )" + go.string() + R"(, timeout: 120}}
    - {name: break, fail: {msg: broken}}
)");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("the tasks before the last to be at the server", [&] {
    return !lab.jobs().empty() && has(tasks_of(lab, text_at(lab.jobs()[0], "id")), "running: skipped/TASK [does not matter]");
  });
  write_file(go, "");
  const auto job = text_at(lab.finished_job(), "id");
  CHECK(lab.states(job) == failure);
  CHECK(tasks_of(lab, job) == Names{"pre-run: PLAY [pre-run]", "pre-run: TASK [Gathering Facts]", "pre-run: TASK [prepare]", "pre-run: PLAY RECAP",
                                    "running: PLAY [deploy]", "running: TASK [hello]", "running: TASK [hello]",
                                    "running: skipped/TASK [not here]", "running: skipped/TASK [does not matter]", "running: TASK [wait]",
                                    "running: failed/TASK [break]", "running: PLAY RECAP"});
  for (const auto& file : lab.files(job))
    if (text_at(file, "name") == "TASK [prepare]") CHECK(lab.content(text_at(file, "id")) == "ok: [localhost] => {\n    \"msg\": \"1.0\"\n}\n");
}

TEST_CASE("each task is at the server once when the agent dies in the middle of a playbook", "[ansible]") {
  if (!has_ansible()) return;
  SampleLab lab;
  lab.configure();
  std::string tasks = "---\n- hosts: localhost\n  gather_facts: false\n  tasks:\n";
  for (int count = 0; count < 15; ++count) tasks += "    - {name: same, debug: {msg: same}}\n";
  tasks += "    - {name: endless, pause: {seconds: 300}}\n";
  write_file(lab.directory.path / "plugins/acme/hooks/install.yml", tasks);
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("some tasks to arrive", [&] { return !lab.jobs().empty() && tasks_of(lab, text_at(lab.jobs()[0], "id")).size() > 3; });
  lab.stop_agent(SIGKILL);
  lab.start_agent();
  const auto job = text_at(lab.finished_job(), "id");
  CHECK(lab.states(job) == error);
  const auto names = tasks_of(lab, job);
  const auto same = static_cast<std::size_t>(std::count(names.begin(), names.end(), "running: TASK [same]"));
  const auto cut_short = static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [](const auto& name) { return name.starts_with("running: failed/TASK ["); }));
  // The playbook ended with its agent, so not all of them need to have run; those that did are there once.
  std::size_t reported = 0;
  for (const auto& entry : fs::recursive_directory_iterator{lab.directory.path / "agent/state/jobs"})
    if (entry.path().extension() == ".tasks") ++reported;
  CHECK(reported == 1);
  CHECK(same <= 15);
  CHECK(same + cut_short + 1 == names.size());  // And the play's own.
  CHECK(cut_short <= 1);
}

TEST_CASE("what is made from the directory of one of DCI's agents passes the check of configurations") {
  for (const auto& [name, plugin] : std::map<std::string, std::string>{{"dci-openshift-agent", "dci-openshift-hooks"}, {"dci-openshift-app-agent", "dci-openshift-app-hooks"}, {"dci-rhel-agent", "dci-rhel-hooks"}}) {
    CAPTURE(name);
    TemporaryDirectory directory;
    const auto agent = directory.path / name;
    fs::copy(fs::path{OUTPOST_DCI_DIRECTORIES} / name, agent, fs::copy_options::recursive);
    write_file(agent / "dcirc.sh", "export DCI_CLIENT_ID=remoteci/6e4a4b1c-1b1f-4f0e-9a7e-0a5f1f1d2c3b\nexport DCI_API_SECRET=x\nexport DCI_CS_URL=https://dci.example.org\n");
    fs::permissions(agent / "dcirc.sh", fs::perms::owner_read | fs::perms::owner_write);
    write_file(directory.path / "conf.d/plugins.yml", "plugins_path: [" OUTPOST_SHIPPED_HOOKS "]\nstate_directory: state\nruntime_directory: run\n");
    const auto file = (directory.path / "outpost.yml").string(), log = (directory.path / "log").string();
    CHECK(Process({OUTPOST_PROGRAM, "setup", "--from-dci", agent.string(), "--output", file}, log).wait() == 0);
    INFO(read_file(log) << read_file(file));
    CHECK(read_file(file).find("plugins: [" + plugin + "]") != std::string::npos);
    CHECK(Process({OUTPOST_PROGRAM, "config", "check", "--config", file}, directory.path / "checked").wait() == 0);
    INFO(read_file(directory.path / "checked"));
    // Nothing is overwritten unasked.
    CHECK(Process({OUTPOST_PROGRAM, "setup", "--from-dci", agent.string(), "--output", file}, log).wait() == 1);
    CHECK(Process({OUTPOST_PROGRAM, "setup", "--from-dci", agent.string(), "--output", file, "--force"}, log).wait() == 0);
  }
}

// Which hook runs when and what its failure means: how DCI's agents do it. Each of their hooks fails in one of these rows.

TEST_CASE("the hooks of an OpenShift agent tell the server the story that their agent told: success, and before the install", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"", success, {}, {"pre-run", "configure", "install", "tests", "post-run", "success", "teardown"}, {"upgrade", "failure"}},
               {"pre-run", early_error, {"pre-run: failed/TASK [pre-run fails when it is told to]"}, {"pre-run", "teardown"}, {"configure", "install", "tests", "failure", "success"}},
               {"configure", error, {"running: failed/TASK [configure fails when it is told to]"}, {"pre-run", "configure", "teardown"}, {"install", "tests", "failure", "success"}}});
}

TEST_CASE("the hooks of an OpenShift agent tell the server the story that their agent told: the install", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"install", failure, {"running: failed/TASK [install fails when it is told to]"}, {"configure", "install", "failure", "teardown"}, {"tests", "post-run", "success"}},
               {"custom-install", failure, {"running: failed/TASK [custom-install fails when it is told to]"}, {"configure", "custom-install", "failure", "teardown"},
                {"install", "tests", "success"}, "", {{"custom-install.yml", hook_of("custom-install")}}}});
}

TEST_CASE("the hooks of an OpenShift agent tell the server the story that their agent told: the upgrade", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"", success, {}, {"configure", "upgrade", "tests", "post-run", "success"}, {"pre-run", "install", "failure"}, "dci_main: upgrade\n"},
               {"upgrade", failure, {"running: failed/TASK [upgrade fails when it is told to]"}, {"configure", "upgrade", "failure"}, {"pre-run", "install", "tests", "success"}, "dci_main: upgrade\n"}});
}

TEST_CASE("the hooks of an OpenShift agent tell the server the story that their agent told: tests and what follows", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"tests", failure, {"running: failed/TASK [tests fails when it is told to]"}, {"install", "tests", "failure", "teardown"}, {"post-run", "success"}},
               {"post-run", error, {"running: failed/TASK [post-run fails when it is told to]"}, {"tests", "post-run", "teardown"}, {"failure", "success"}},
               {"tests", failure, {"running: failed/TASK [tests fails when it is told to]", "post-run: failed/TASK [told too]"}, {"tests", "teardown"}, {"post-run", "success"},
                "", {{"failure.yml", "---\n- {name: told too, fail: {msg: told}}\n"}}}});
}

TEST_CASE("the hooks of an OpenShift agent tell the server the story that their agent told: a success that stays one", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"success", success, {"post-run: failed/TASK [success fails when it is told to]"}, {"post-run", "success", "teardown"}, {"failure"}},
               {"teardown", success, {"post-run: failed/TASK [teardown fails when it is told to]"}, {"success", "teardown"}, {"failure"}},
               {"", success, {}, {"success"}, {"teardown"}, "dci_teardown_on_success: false\n"}});
}

TEST_CASE("the hooks of an OpenShift application agent tell the server the story that their agent told: up to the install", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-app-hooks", "dci-openshift-app-agent",
              {{"", success, {}, {"pre-run", "install", "tests", "post-run", "teardown"}, {}},
               {"pre-run", early_error, {"pre-run: failed/TASK [pre-run fails when it is told to]"}, {"pre-run"}, {"install", "tests", "post-run", "teardown"}},
               {"install", failure, {"running: failed/TASK [install fails when it is told to]"}, {"pre-run", "install"}, {"tests", "post-run", "teardown"}}});
}

TEST_CASE("the hooks of an OpenShift application agent tell the server the story that their agent told: from the tests on", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-app-hooks", "dci-openshift-app-agent",
              {{"tests", failure, {"running: failed/TASK [tests fails when it is told to]"}, {"install", "tests"}, {"post-run", "teardown"}},
               {"post-run", error, {"running: failed/TASK [post-run fails when it is told to]"}, {"install", "tests", "post-run"}, {"teardown"}},
               {"tests", failure, {"running: failed/TASK [tests fails when it is told to]"}, {"tests", "teardown"}, {"post-run"}, "dci_teardown_on_failure: true\n"},
               {"teardown", success, {"post-run: failed/TASK [teardown fails when it is told to]"}, {"post-run", "teardown"}, {}}});
}

TEST_CASE("the hooks of a RHEL agent tell the server the story that their agent told", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-rhel-hooks", "dci-rhel-agent",
              {{"", success, {}, {"pre-run", "tests", "user-tests"}, {}},
               {"pre-run", early_error, {"pre-run: failed/TASK [pre-run fails when it is told to]"}, {"pre-run"}, {"tests", "user-tests"}},
               {"tests", failure, {"running: failed/TASK [tests fails when it is told to]"}, {"pre-run", "tests"}, {"user-tests"}},
               {"user-tests", failure, {"running: failed/TASK [user-tests fails when it is told to]"}, {"tests", "user-tests"}, {}}});
}

TEST_CASE("the sample plugin in Ansible puts a component on its device, and finds a version that is not the component's", "[ansible]") {
  if (!has_ansible()) return;
  SampleLab lab{{.component_types = {"firmware"}}};
  const auto device = lab.directory.path / "device", plugin = lab.directory.path / "plugins/firmware-ansible";
  const std::string image = "ACME-FW 2.0\nnew image\n";
  write_file(device / "firmware", "ACME-FW 1.0\nold image\n");
  lab.configure("", "plugin_config: {firmware-ansible: {device: " + device.string() + "}}\n");
  fs::copy(OUTPOST_SAMPLE_PLUGINS "/firmware-ansible", plugin, fs::copy_options::recursive);
  const auto file = lab.directory.path / "agent/outpost.yml";
  write_file(file, replace_all(replace_all(read_file(file), "components: [acme]", "components: [firmware]"), "plugins: [acme]", "plugins: [firmware-ansible]"));
  const std::map<std::string, std::string> files{{"firmware.img", image}, {"firmware.img.sha256", sha256_hex(image) + "  firmware.img\n"}};
  lab.feed("2.0", files, "firmware");
  lab.start_agent();
  const auto first = text_at(lab.finished_job(), "id");
  CHECK(lab.states(first) == success);
  CHECK(has(tasks_of(lab, first), "running: TASK [Put the image on the device]"));
  REQUIRE(lab.results(first).size() == 1);
  CHECK(text_at(lab.results(first)[0].as_object(), "name") == "test/firmware-ansible/firmware");
  CHECK(job::number_at(lab.results(first)[0].as_object(), "success") == 3);
  CHECK(read_file(device / "firmware") == "ACME-FW 1.0\nold image\n");  // Given back as it was.
  CHECK_FALSE(fs::exists(device / "holder"));
  lab.feed("2.1", files, "firmware");  // The same image.
  const auto second = text_at(lab.finished_job(2), "id");
  CHECK(lab.states(second) == failure);
  CHECK(job::number_at(lab.results(second)[0].as_object(), "regressions") == 1);
}

TEST_CASE("nothing that a server says is a template to a playbook, whichever string it is", "[ansible]") {
  if (!has_ansible()) return;
  SampleLab lab;
  lab.configure();
  const auto trap = lab.directory.path / "trap";
  const std::string evil = "{{ lookup('pipe', 'touch " + trap.string() + "') }}";
  // All variables, those of Ansible's own about its machine aside: each is templated by this, and its strings must not be.
  write_file(lab.directory.path / "plugins/acme/hooks/install.yml",
             "---\n- name: everything\n  debug: {var: item}\n  loop: [\"{{ job_info }}\", \"{{ outpost }}\", \"{{ dci_components }}\", \"{{ dci_tags }}\", \"{{ dci_url }}\"]\n"
             "- name: each string of the component\n  debug: {msg: \"{{ item.key }} {{ item.value }}\"}\n  with_dict: \"{{ job_info.job.components[0] }}\"\n"
             "- name: in a command\n  command: {argv: [echo, \"{{ outpost.component_acme_version }}\"]}\n");
  const auto id = lab.feed(evil, {{"notes.txt", "read me\n"}});
  const auto component = lab.admin("GET", "/components/" + id).at("component").as_object();
  CHECK(text_at(component, "version") == evil);
  lab.start_agent();
  const auto job = text_at(lab.finished_job(), "id");
  CHECK(lab.states(job) == success);
  CHECK_FALSE(fs::exists(trap));
  bool shown = false;
  for (const auto& file : lab.files(job))
    if (text_at(file, "name") == "TASK [in a command]") shown = lab.content(text_at(file, "id")).starts_with("changed: ");
  CHECK(shown);
  CHECK(lab.log_of(job, "install/acme/install").find("lookup('pipe', 'touch") != std::string::npos);
}
