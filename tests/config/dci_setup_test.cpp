#include "agent/config/dci_setup.hpp"

#include "config/configuration.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::config;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view dcirc =
    "DCI_CLIENT_ID='remoteci/6e4a4b1c-1b1f-4f0e-9a7e-0a5f1f1d2c3b'\nDCI_API_SECRET='x'\nDCI_CS_URL='https://api.example.org'\nexport DCI_CLIENT_ID DCI_API_SECRET DCI_CS_URL\n";

struct AgentDirectory {
  explicit AgentDirectory(const std::string& name) : path{directory.path / name} {
    write_file(path / "dcirc.sh", dcirc);
    fs::permissions(path / "dcirc.sh", fs::perms::owner_read | fs::perms::owner_write);
  }

  void file(const std::string& name, const std::string& content) { write_file(path / name, content); }

  DciSetup set_up() {
    auto made = setup_from_dci(path);
    if (!made) FAIL(made.error().message);
    return std::move(*made);
  }

  /// Reads what was made as the daemon would.
  Settings settings(const DciSetup& setup) {
    write_file(directory.path / "outpost.yml", setup.configuration);
    const auto types = config::test::test_types();
    auto loaded = load(directory.path / "outpost.yml", {}, types, config::test::test_zones);
    if (!loaded) FAIL(loaded.error().text() << "\n" << setup.configuration);
    return std::move(loaded->settings);
  }

  TemporaryDirectory directory;
  fs::path path;
};

bool notes(const DciSetup& setup, std::string_view part) {
  for (const auto& note : setup.notes)
    if (note.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("the settings of an OpenShift agent become a job") {
  AgentDirectory agent{"dci-openshift-agent"};
  agent.file("settings.yml",
             "---\ndci_topic: OCP-4.16\ndci_name: \"my \\\"lab\\\"\"\ndci_comment: nightly\ndci_tags: [debug, lab4]\ndci_components_by_query: ['type:ocp,version:4.16.3']\n"
             "dci_disconnected: true\ninstall_type: ipi\n");
  const auto setup = agent.set_up();
  const auto settings = agent.settings(setup);
  REQUIRE(settings.jobs.size() == 1);
  const auto& job = settings.jobs[0];
  CHECK(job.name == "my--lab-");
  CHECK(job.topic == "OCP-4.16");
  CHECK(job.comment == "nightly");
  CHECK(job.tags == std::vector<std::string>{"debug", "lab4", "agent:openshift", "disconnected", "install", "install_type:ipi"});
  CHECK(job.plugins == std::vector<std::string>{"dci-openshift-hooks"});
  CHECK(setup.configuration.find("DCI_API_SECRET") == std::string::npos);
  CHECK(setup.configuration.find((agent.path / "dcirc.sh").string()) != std::string::npos);
  CHECK(setup.configuration.find("dci-openshift-hooks: {directories: [\"" + agent.path.string() + "\"]}") != std::string::npos);
}

TEST_CASE("topics of a RHEL agent become jobs that hold their systems") {
  AgentDirectory agent{"dci-rhel-agent"};
  agent.file("settings.yml",
             "---\nlocal_repo: /opt/dci\ntopics:\n  - topic: RHEL-9.4\n    archs: [x86_64]\n    systems: [{fqdn: sut1.example.org}, {fqdn: sut2.example.org}]\n  - topic: RHEL-8.10\n");
  const auto setup = agent.set_up();
  const auto settings = agent.settings(setup);
  REQUIRE(settings.jobs.size() == 2);
  CHECK(settings.jobs[0].topic == "RHEL-9.4");
  CHECK(settings.jobs[0].name == "RHEL-9.4");
  REQUIRE(settings.jobs[0].resources.size() == 1);
  CHECK(settings.resources.at(settings.jobs[0].resources[0]).hosts == std::vector<std::string>{"sut1.example.org", "sut2.example.org"});
  CHECK(settings.jobs[1].plugins == std::vector<std::string>{"dci-rhel-hooks"});
  CHECK(notes(setup, "topics.archs is not carried over"));
  CHECK(notes(setup, "newest of the type compose"));
}

TEST_CASE("a file of dci-pipeline becomes jobs, and every key that has no counterpart is named") {
  AgentDirectory agent{"lab"};
  agent.file("pipeline.yml", R"(---
- name: openshift-vanilla
  stage: ocp
  topic: OCP-4.16
  components:
    - ocp?tags:build:nightly
    - type: cnf-tests
      priority_tags: [build:ga, build:candidate]
      max_age: 7
  comment: "it's ours"
  configuration: cluster4
  ansible_playbook: /usr/share/dci-openshift-agent/dci-openshift-agent.yml
  ansible_inventory: /etc/lab/inventory
  dci_credentials: /etc/lab/other-dcirc.sh
  ansible_extravars:
    dci_config_dirs: [/etc/lab, /etc/lab-two]
    dci_tags: [nightly]
    cluster: four
  outputs: {kubeconfig: kubeconfig}
  success_tag: ocp-ok
  made_up: 1
- name: workload
  stage: app
  prev_stages: [ocp]
  topic: OCP-4.16
  components: [ocp]
  ansible_playbook: /usr/share/dci-openshift-agent/dci-openshift-agent.yml
)");
  const auto setup = agent.set_up();
  const auto settings = agent.settings(setup);
  REQUIRE(settings.jobs.size() == 2);
  CHECK(settings.jobs[0].components.size() == 2);
  CHECK(settings.jobs[0].source == "dci-2");
  CHECK(settings.jobs[1].source == "dci");
  CHECK(settings.jobs[0].tags == std::vector<std::string>{"nightly", "agent:openshift", "connected", "install", "cluster:four"});
  CHECK(settings.jobs[0].configuration == "cluster4");
  for (const std::string part : {"outputs is not carried over", "success_tag is not carried over", "made_up is not carried over",
                                 "prev_stages is not carried over", "ansible_extravars.cluster is not carried over",
                                 "add /etc/lab to `directories`", "ansible_inventory is not carried over"}) {
    CAPTURE(part);
    CHECK(notes(setup, part));
  }
}

TEST_CASE("jobs of several agents in one file each run the hooks of theirs, and one without a topic is told") {
  AgentDirectory agent{"lab"};
  agent.file("settings.yml", "---\ndci_topic: OCP-4.16\ndci_tags: [lab4]\n");
  agent.file("pipeline.yml", R"(---
- name: ocp
  stage: ocp
  topic: OCP-4.16
  components: ocp
  dci_credentials: dcirc.sh
  comment: |
    two "lines"
    \of text
  ansible_playbook: /usr/share/dci-openshift-agent/dci-openshift-agent.yml
- name: workload
  stage: app
  topic: OCP-4.16
  components: [ocp]
  ansible_playbook: /usr/share/dci-openshift-app-agent/dci-openshift-app-agent.yml
- name: upgrade
  stage: ocp-upgrade
  use_previous_topic: true
  ansible_playbook: /usr/share/dci-openshift-agent/dci-openshift-agent.yml
- name: own
  stage: own
  topic: OCP-4.16
  components: [ocp]
  ansible_playbook: ./own.yml
)");
  const auto setup = agent.set_up();
  const auto settings = agent.settings(setup);
  REQUIRE(settings.jobs.size() == 3);
  CHECK(settings.jobs[0].plugins == std::vector<std::string>{"dci-openshift-hooks"});
  CHECK(settings.jobs[0].source == "dci");
  CHECK(settings.jobs[0].components.size() == 1);
  CHECK(settings.jobs[0].comment == "two \"lines\"\n\\of text");
  CHECK(settings.jobs[1].plugins == std::vector<std::string>{"dci-openshift-app-hooks"});
  CHECK(settings.jobs[2].plugins == std::vector<std::string>{"dci-openshift-hooks"});
  for (const std::string plugin : {"dci-openshift-hooks", "dci-openshift-app-hooks"})
    CHECK(setup.configuration.find("  " + plugin + ": {directories: [\"" + agent.path.string() + "\"]}\n") != std::string::npos);
  CHECK(notes(setup, "pipeline.yml: upgrade: is not carried over: it names no topic"));
  CHECK(notes(setup, "pipeline.yml: own: ansible_playbook is not carried over"));
  CHECK(notes(setup, "settings.yml: dci_name, dci_comment, dci_tags"));
  CHECK_FALSE(notes(setup, "no component was named"));
}

TEST_CASE("a proxy that the identity's file exports goes to the source, but for its password") {
  AgentDirectory agent{"dci-openshift-agent"};
  agent.file("settings.yml", "---\ndci_topic: OCP-4.16\n");
  const std::string identity{dcirc};
  agent.file("dcirc.sh", "# ours\n" + identity + "export http_proxy=http://proxy.lab:3128 no_proxy=\"localhost,.lab\" # outwards\nexport HTTPS_PROXY=proxy2.lab:3128\n");
  const auto setup = agent.set_up();
  const auto source = agent.settings(setup).sources.at("dci");
  CHECK(source.proxy == "http://proxy2.lab:3128");
  CHECK(source.no_proxy == "localhost,.lab");
  CHECK(notes(setup, "hooks see http_proxy, https_proxy and no_proxy when the service has them"));
  agent.file("dcirc.sh", identity + "https_proxy=https://proxy.lab:3129\n");
  const auto by_tls = agent.set_up();
  CHECK(agent.settings(by_tls).sources.at("dci").proxy == "https://proxy.lab:3129");
  CHECK(notes(by_tls, "the proxy is spoken to by TLS"));
  agent.file("dcirc.sh", identity + "https_proxy=socks5://proxy.lab:1080\n");
  const auto other = agent.set_up();
  CHECK(agent.settings(other).sources.at("dci").proxy == "");
  CHECK(notes(other, "only those are known that begin with http:// or https://"));
  agent.file("dcirc.sh", identity + "https_proxy=http://us:secret@proxy.lab:3128\n");
  const auto without = agent.set_up();
  CHECK(agent.settings(without).sources.at("dci").proxy == "");
  CHECK(notes(without, "names a proxy with a password, which is not copied"));
  CHECK(without.configuration.find("secret") == std::string::npos);
}

TEST_CASE("a RHEL agent's settings of old, with one topic") {
  AgentDirectory agent{"dci-rhel-agent"};
  agent.file("settings.yml", "---\ntopic: RHEL-8.10\nsystems: [sut1.example.org]\n");
  const auto setup = agent.set_up();
  const auto settings = agent.settings(setup);
  REQUIRE(settings.jobs.size() == 1);
  CHECK(settings.jobs[0].topic == "RHEL-8.10");
  CHECK(settings.jobs[0].plugins == std::vector<std::string>{"dci-rhel-hooks"});
  CHECK(settings.resources.at(settings.jobs[0].resources.at(0)).hosts == std::vector<std::string>{"sut1.example.org"});
}

TEST_CASE("hooks that use sudo, a missing identity and broken files are told") {
  AgentDirectory agent{"dci-openshift-app-agent"};
  agent.file("settings.yml", "---\ndci_topic: OCP-4.16\n");
  agent.file("hooks/install.yml", "---\n- command: sudo true\n");
  agent.file("broken.yml", "---\n- a: [\n");
  fs::remove(agent.path / "dcirc.sh");
  const auto setup = agent.set_up();
  CHECK(agent.settings(setup).jobs.at(0).plugins == std::vector<std::string>{"dci-openshift-app-hooks"});
  CHECK(notes(setup, "no credentials were found"));
  CHECK(notes(setup, "its hooks use sudo"));
  CHECK(notes(setup, "broken.yml was not read"));
}

TEST_CASE("what Ansible would have read otherwise is told") {
  AgentDirectory agent{"dci-openshift-agent"};
  agent.file("settings.yml", "---\ndci_topic: OCP-4.16\ndci_topic: OCP-4.17\ndci_tags: [\"{{ lab }}\"]\n");
  const auto setup = agent.set_up();
  CHECK(notes(setup, "settings.yml:3:1: the key \"dci_topic\" is written twice"));
  CHECK(notes(setup, ": {{ lab }} is a template, which nothing fills in"));
}

TEST_CASE("a directory without anything to make a job of is refused") {
  AgentDirectory agent{"empty"};
  agent.file("pipeline.yml", "---\n- topic: [\n");
  CHECK(setup_from_dci(agent.path).error().message.find("\npipeline.yml was not read: ") != std::string::npos);
  CHECK(setup_from_dci(agent.path).error().fault == Fault::malformed);
  CHECK(setup_from_dci(agent.path / "missing").error().fault == Fault::unavailable);
  agent.file("settings.yml", "---\ndci_topic: [\n");
  CHECK(setup_from_dci(agent.path).error().message.find("settings.yml:") != std::string::npos);
}
