// outpost-ansible with the machine's own Ansible: what a play gets, and what becomes of it.
#include "plugins/ansible/ansible_lab.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace outpost;
using namespace outpost::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// "TASK [x]=result", one for each part that ended.
std::vector<std::string> parts(const std::string& report) {
  std::vector<std::string> list;
  std::string name;
  for (const auto& line : split(report, '\n')) {
    if (line.empty()) continue;
    const auto fact = json::parse(line).as_object();
    if (const auto* start = fact.if_contains("start")) name = start->as_string();
    if (const auto* end = fact.if_contains("end")) list.push_back(name + "=" + std::string{end->as_string()});
  }
  return list;
}

std::string printed_by(const std::string& report, const std::string& task) {
  std::string text;
  bool inside = false;
  for (const auto& line : split(report, '\n')) {
    if (line.empty()) continue;
    const auto fact = json::parse(line).as_object();
    if (const auto* start = fact.if_contains("start")) inside = start->as_string() == task;
    if (const auto* out = fact.if_contains("out"); out && inside) text += out->as_string();
  }
  return text;
}

}  // namespace

TEST_CASE("a playbook runs, and reports each part with its result and its output") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  const auto book = lab.file("site.yml", R"(---
- name: a play
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: says, debug: {msg: hello}}
    - {name: skips, debug: {msg: x}, when: false}
    - {name: ignored, command: /bin/false, ignore_errors: true}
    - {name: hidden, command: echo s3cr3t, no_log: true}
    - {name: loops, debug: {msg: "{{ item }}"}, loop: [1, 2], notify: told}
    - {name: changes, command: "true", notify: told}
    - {name: breaks, shell: "echo broken; exit 3"}
  handlers:
    - {name: told, debug: {msg: handler}}
)");
  CHECK(lab.run(book) == 2);
  CHECK(parts(lab.report()) == std::vector<std::string>{"PLAY [a play]=ok", "TASK [says]=ok", "TASK [skips]=skipped", "TASK [ignored]=ignored",
                                                        "TASK [hidden]=changed", "TASK [loops]=ok", "TASK [changes]=changed",
                                                        "TASK [breaks]=failed", "PLAY RECAP=ok"});
  CHECK(printed_by(lab.report(), "TASK [says]") == "ok: [localhost] => {\n    \"msg\": \"hello\"\n}\n");
  CHECK(contains(printed_by(lab.report(), "TASK [breaks]"), "broken"));
  CHECK(contains(printed_by(lab.report(), "PLAY RECAP"), "failed=1"));
  CHECK_FALSE(contains(lab.report(), "s3cr3t"));
  CHECK(contains(lab.report(), "site.yml:"));
  CHECK(contains(lab.output, "TASK [breaks]"));  // The log has all of it too.
}

TEST_CASE("tasks are told apart whatever Ansible prints for them") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  const auto book = lab.file("site.yml", "---\n- hosts: localhost\n  gather_facts: false\n  tasks:\n    - {name: skipped, debug: {msg: x}, when: false}\n    - {name: shown, debug: {msg: x}}\n");
  const std::vector<std::string> tasks{"TASK [skipped]=skipped", "TASK [shown]=ok"};
  lab.environment["ANSIBLE_DISPLAY_SKIPPED_HOSTS"] = "no";  // Its heading is not printed, others only with their result.
  CHECK(lab.run(book) == 0);
  CHECK(parts(lab.report()) == std::vector<std::string>{"PLAY [localhost]=ok", tasks[0], tasks[1], "PLAY RECAP=ok"});
  lab.environment["ANSIBLE_STDOUT_CALLBACK"] = "minimal";  // No headings at all.
  CHECK(lab.run(book) == 0);
  CHECK(parts(lab.report()) == tasks);
}

TEST_CASE("a component that is named like a template stays a name, wherever it comes from") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  const auto trap = lab.directory.path / "trap";
  const std::string evil = "{{ lookup('pipe', 'touch " + trap.string() + "') }}";
  // Characters that YAML and JSON escape differently come along.
  const std::string odd = std::string{"\x01 \x7f \xc2\x85 \xe2\x80\xa8 \xf0\x9f\x98\x80 \" \\ : # - "} + evil;
  lab.job(json::serialize(json::object{{"tags", {evil}}, {"comment", evil}, {"components", {json::object{{"id", "c"}, {"name", evil}, {"data", {{evil, odd}}}}}}}));
  lab.environment["OUTPOST_JOB_NAME"] = evil;
  lab.environment["OUTPOST_TOPIC"] = evil;
  lab.environment["OUTPOST_COMPONENT_ACME_VERSION"] = evil;
  const auto first = lab.file("first.yml", R"(---
- debug: {var: "job_info.job.components[0].name"}
- debug: {msg: "{{ job_info.job.components[0].name }} {{ dci_name }} {{ dci_topic }} {{ dci_tags }} {{ dci_comment }} {{ outpost.component_acme_version }}"}
- debug: {var: job_info}
- copy: {content: "{{ job_info.job.components[0].data.values() | first }}", dest: "{{ outpost.workspace }}/odd"}
- set_fact: {kept: "{{ job_info.job.components[0].name }}"}
- command: echo "{{ job_info.job.components[0].name }}"
  register: said
)");
  CHECK(lab.run(first) == 0);
  CHECK(read_file(lab.directory.path / "workspace/odd") == odd);
  // What one hook remembers is no template in the next either.
  const auto second = lab.file("second.yml", "---\n- debug: {msg: \"{{ kept }} {{ said.stdout }}\"}\n- debug: {var: said}\n");
  CHECK(lab.run(second) == 0);
  CHECK(contains(lab.output, "lookup('pipe'"));
  CHECK_FALSE(fs::exists(trap));
}

TEST_CASE("a task file finds what a play of DCI's agents finds, and what earlier hooks have set") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  lab.job(R"({"id":"j-1","tags":["nightly"],"topic":{"name":"T"},"components":[{"id":"c-1","type":"ocp","version":"4.16.3"}]})");
  lab.environment["OUTPOST_RESOURCES"] = R"({"rack-4":{"hosts":["10.0.0.4"]}})";
  write_file(lab.directory.path / "secrets/dci_api_secret", "s3cr3t\n");
  lab.file("roles/greet/tasks/main.yml", "---\n- debug: {msg: from a role}\n");
  const auto first = lab.file("install.yml", R"(---
- assert:
    that:
      - job_info.job.id == 'j-1'
      - job_info.job.components[0].version == '4.16.3'
      - job_id == '11111111-2222-4333-8444-555555555555'
      - dci_topic == 'ACME-1'
      - dci_tags == ['nightly']
      - dci_components == ['c-1']
      - lookup('env', 'DCI_JOB_ID') == job_id
      - lookup('env', 'DCI_API_SECRET') == 's3cr3t'
      - groups['rack_4'] == ['10.0.0.4']
      - groups.lab == ['10.0.0.4']
      - job_logs.path is directory
      - outpost.point == 'install'
- include_role: {name: greet}
- set_fact: {answer: 42, list: [a, b]}
)");
  CHECK(lab.run(first) == 0);
  CHECK(contains(lab.output, "from a role"));
  const auto second = lab.file("test.yaml", "---\n- assert: {that: [answer == 42, \"list == ['a', 'b']\"]}\n");
  CHECK(lab.run(second) == 0);
}

TEST_CASE("the exit code says whose fault it was") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  CHECK(lab.run(lab.file("asks.yml", "---\n- set_fact: {outpost_exit_code: 75}\n- fail: {msg: busy}\n")) == 75);
  lab.file("hosts", "nowhere ansible_host=127.0.0.1 ansible_port=1\n");
  CHECK(lab.run(lab.file("unreachable.yml", "---\n- hosts: nowhere\n  gather_facts: false\n  tasks: [{ping: }]\n")) == 4);
  CHECK(contains(lab.report(), "\"end\":\"unreachable\""));
  CHECK(lab.run(lab.file("broken.yml", "---\n- hosts: localhost\n  tasks: [{no_such_module_at_all: 1}]\n")) == 70);
  CHECK(contains(lab.output, "the playbook is at fault"));
  lab.environment["PATH"] = "/nonexistent:/usr/bin/../sbin";
  CHECK(lab.run(lab.file("none.yml", "---\n- debug:\n")) == 127);
  CHECK(contains(lab.output, "install ansible-core"));
  lab.environment.erase("OUTPOST_TMP");
  CHECK(lab.run(lab.file("none.yml", "---\n- debug:\n")) == 64);
}

TEST_CASE("a play goes on when its report cannot be written") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  const auto book = lab.file("full.yml", "---\n- debug: {msg: one}\n- debug: {msg: two}\n");
  fs::create_directory(lab.directory.path / "tmp/tasks.jsonl");
  CHECK(lab.run(book) == 0);
  CHECK(contains(lab.output, "tasks are not reported one by one"));
  CHECK(contains(lab.output, "TASK [debug]"));
}

TEST_CASE("a hook that wants to become root where it may not says so in one line before it begins") {
  if (!has_ansible()) return;
  AnsibleLab lab;
  const auto asks = lab.file("asks.yml", "---\n- debug: {msg: one}\n- debug: {msg: two}\n  become: yes\n- debug: {msg: three}\n  become: true\n");
  const auto calls = lab.file("calls.yml", "---\n- debug: {msg: harmless}\n  # sudo is not needed\n- shell: sudo -n true\n  failed_when: false\n");
  const auto harmless = lab.file("harmless.yml", "---\n- debug: {msg: pseudosudos}\n  become: false\n");
  const std::string warning = "uses sudo, which this step may not: give the job `profile: root`";
  if (::geteuid() == 0) {
    CHECK(lab.run(harmless) == 0);
    CHECK_FALSE(contains(lab.output, warning));
  }
  if (!lab.give_up_privileges()) return;
  lab.run(asks);
  CHECK(contains(lab.output, "asks.yml:4 " + warning));
  CHECK(lab.output.find(warning) < lab.output.find("TASK ["));
  CHECK(lab.output.find(warning) == lab.output.rfind(warning));
  lab.run(calls);
  CHECK(contains(lab.output, "calls.yml:4 " + warning));
  lab.run(harmless);
  CHECK_FALSE(contains(lab.output, warning));
}
