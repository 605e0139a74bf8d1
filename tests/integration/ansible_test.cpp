// Playbooks and hooks directories of DCI's agents, end to end: what the control server then shows.

#include "integration/sample_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/ansible/ansible_lab.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;
using Names = std::vector<std::string>;

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
  std::string failed_task;                ///< As tasks_of().
  Names ran, did_not_run;                 ///< Hooks, by name.
};

void check_story(const std::string& plugin, const std::string& directory, const std::vector<Told>& all) {
  for (const auto& told : all) {
    CAPTURE(plugin, told.failing);
    DciLab lab{plugin, directory};
    const auto job = lab.run(told.failing);
    CHECK(lab.states(job) == told.states);
    const auto tasks = tasks_of(lab, job);
    Names failed;
    for (const auto& task : tasks)
      if (task.find("failed/") != std::string::npos) failed.push_back(task);
    CHECK(failed == (told.failed_task.empty() ? Names{} : Names{told.failed_task}));
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

TEST_CASE("the hooks directory of an OpenShift agent tells the server the story that its agent told", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-hooks", "dci-openshift-agent",
              {{"", success, "", {"pre-run", "configure", "install", "tests", "post-run", "success", "teardown"}, {"upgrade", "failure"}},
               {"configure", error, "running: failed/TASK [configure fails when it is told to]", {"pre-run", "configure", "teardown"}, {"install", "tests", "failure", "success"}},
               {"tests", failure, "running: failed/TASK [tests fails when it is told to]", {"install", "tests", "failure", "teardown"}, {"post-run", "success"}}});
}

TEST_CASE("the hooks directory of an OpenShift application agent tells the server the story that its agent told", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-openshift-app-hooks", "dci-openshift-app-agent",
              {{"", success, "", {"pre-run", "install", "tests", "post-run", "teardown"}, {}},
               {"install", failure, "running: failed/TASK [install fails when it is told to]", {"pre-run", "install"}, {"tests", "post-run", "teardown"}},
               {"post-run", error, "running: failed/TASK [post-run fails when it is told to]", {"install", "tests", "post-run"}, {"teardown"}}});
}

TEST_CASE("the hooks directory of a RHEL agent tells the server the story that its agent told", "[ansible]") {
  if (!has_ansible()) return;
  check_story("dci-rhel-hooks", "dci-rhel-agent",
              {{"", success, "", {"pre-run", "tests", "user-tests"}, {}},
               {"pre-run", early_error, "pre-run: failed/TASK [pre-run fails when it is told to]", {"pre-run"}, {"tests", "user-tests"}},
               {"user-tests", failure, "running: failed/TASK [user-tests fails when it is told to]", {"tests", "user-tests"}, {}}});
}
