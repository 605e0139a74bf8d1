#include "agent/config/check.hpp"

#include "configuration.hpp"
#include "support/catch.hpp"

#include <sys/stat.h>

using namespace outpost;
using namespace outpost::config;
using namespace outpost::config::test;

namespace {

const std::string lab_file = R"(sources:
  dci:
    type: dci
    credentials: dcirc.sh
    ca_file: ca.pem
    client_certificate: client.pem
    client_key: client.key
jobs:
  - {name: one, source: dci, topic: t, components: [ocp], plugins: [acme-storage, rpm-certify]}
plugins_path: [plugins, more-plugins]
secrets:
  bmc: {file: bmc}
  registry: {credential: registry}
alarms: {command: [./alarm, now]}
)";

const std::map<std::string, std::string> lab{
    {"outpost.yml", lab_file},
    {"dcirc.sh", "export DCI_CLIENT_ID=7d2b0b6e-6b61-4d5b-9b1e-000000000001 DCI_API_SECRET=abc\n"},
    {"ca.pem", "-----BEGIN CERTIFICATE-----\n"},
    {"client.pem", "-----BEGIN CERTIFICATE-----\n"},
    {"client.key", "-----BEGIN PRIVATE KEY-----\n"},
    {"bmc", "hunter2\n"},
    {"alarm", "#!/bin/sh\n"},
    {"plugins/acme-storage/install", "#!/bin/sh\n"},
    {"more-plugins/rpm-certify/certify", "#!/bin/sh\n"}};

/// A machine with all that lab_file needs; paths of commands are written out, because they are not relative to the
/// file.
struct Lab : Configuration {
  Lab() : Configuration{lab} {
    for (const char* name : {"dcirc.sh", "client.key", "bmc"})
      REQUIRE(::chmod((directory.path / name).c_str(), 0600) == 0);
    REQUIRE(::chmod((directory.path / "alarm").c_str(), 0755) == 0);
    std::string text = lab_file;
    text.replace(text.find("./alarm"), 7, (directory.path / "alarm").string());
    outpost::test::write_file(directory.path / "outpost.yml", text);
  }

  [[nodiscard]] std::string problems(const Environment& environment = {}) const {
    const auto loaded = load();
    INFO(problems_of(*this));
    REQUIRE(loaded.has_value());
    std::string text = Problems{check(*loaded, environment)}.text();
    for (std::size_t at = 0; (at = text.find(directory.name, at)) != std::string::npos;)
      text.replace(at, directory.name.size(), "DIR");
    return text;
  }
};

}  // namespace

TEST_CASE("a machine that has everything has no problem") { CHECK(Lab{}.problems() == ""); }

TEST_CASE("what is missing on the machine is named at the line that asks for it") {
  const Lab machine;
  const auto& path = machine.directory.path;
  SECTION("a plugin's folder") {
    std::filesystem::rename(path / "plugins/acme-storage", path / "plugins/acme-storag");
    CHECK(machine.problems() ==
          "outpost.yml:9:69: jobs.plugins: there is no plugin \"acme-storage\" in DIR/plugins or DIR/more-plugins (did "
          "you mean "
          "\"acme-storag\"?)\n");
  }
  SECTION("a plugin that is a file") {
    std::filesystem::remove_all(path / "more-plugins/rpm-certify");
    outpost::test::write_file(path / "more-plugins/rpm-certify", "");
    CHECK(machine.problems() ==
          "outpost.yml:9:83: jobs.plugins: there is no plugin \"rpm-certify\" in DIR/plugins or DIR/more-plugins\n");
  }
  SECTION("the credentials") {
    std::filesystem::remove(path / "dcirc.sh");
    CHECK(machine.problems() ==
          "outpost.yml:4:5: sources.dci.credentials: cannot open DIR/dcirc.sh: No such file or directory\n");
  }
  SECTION("credentials that every user can read") {
    REQUIRE(::chmod((path / "dcirc.sh").c_str(), 0644) == 0);
    CHECK(machine.problems() ==
          "outpost.yml:4:5: sources.dci.credentials: DIR/dcirc.sh holds a secret, but every user of this machine can "
          "read it; run: "
          "chmod o= DIR/dcirc.sh\n");
  }
  SECTION("credentials that are broken") {
    outpost::test::write_file(path / "dcirc.sh", "DCI_CLIENT_ID=$(id)\n");
    CHECK(machine.problems() ==
          "outpost.yml:4:5: sources.dci.credentials: DIR/dcirc.sh:1: $ is not evaluated: the file is read, never run; "
          "write the "
          "value itself\n");
  }
  SECTION("certificates") {
    std::filesystem::remove(path / "ca.pem");
    outpost::test::write_file(path / "client.pem", "\x30\x82");
    REQUIRE(::chmod((path / "client.key").c_str(), 0644) == 0);
    CHECK(machine.problems() ==
          "outpost.yml:5:5: sources.dci.ca_file: cannot open DIR/ca.pem: No such file or directory\n"
          "outpost.yml:6:5: sources.dci.client_certificate: DIR/client.pem holds no \"-----BEGIN CERTIFICATE-----\" "
          "(PEM is due)\n"
          "outpost.yml:7:5: sources.dci.client_key: DIR/client.key holds a secret, but every user of this machine can "
          "read it; run: "
          "chmod o= DIR/client.key\n");
  }
  SECTION("a secret") {
    std::filesystem::remove(path / "bmc");
    CHECK(machine.problems() == "outpost.yml:12:9: secrets.bmc: cannot open DIR/bmc: No such file or directory\n");
  }
  SECTION("the alarm's command") {
    REQUIRE(::chmod((path / "alarm").c_str(), 0644) == 0);
    CHECK(machine.problems() == "outpost.yml:14:20: alarms.command: cannot run DIR/alarm: Permission denied\n");
  }
}

TEST_CASE("a secret that is too short to be hidden is a warning, not a problem") {
  const Lab machine;
  CHECK(warnings(*machine.load(), {}).empty());
  outpost::test::write_file(machine.directory.path / "bmc", "abc\n");
  CHECK(machine.problems() == "");
  const auto warned = warnings(*machine.load(), {});
  REQUIRE(warned.size() == 1);
  CHECK(warned[0].text().find("secrets.bmc: shorter than 4 bytes, so it is not hidden") != std::string::npos);
  CHECK(warned[0].text().find("abc") == std::string::npos);
}

TEST_CASE("credentials of systemd are checked where systemd has put them") {
  const Lab machine;
  CHECK(machine.problems({{"CREDENTIALS_DIRECTORY", machine.directory.name}}) ==
        "outpost.yml:13:14: secrets.registry: cannot open DIR/registry: No such file or directory\n");
}

TEST_CASE("a command without a path is looked up in PATH") {
  const Configuration configuration{{{"outpost.yml", good_file}, {"bin/mail", ""}}};
  const auto loaded = configuration.load();
  REQUIRE(loaded.has_value());
  const auto complains = [&](const std::string& path) {
    return Problems{check(*loaded, {{"PATH", path}})}.text().find(
               "alarms.command: there is no program \"mail\" in PATH") != std::string::npos;
  };
  CHECK(complains(configuration.directory.name + "/none:" + configuration.directory.name + "/bin"));
  REQUIRE(::chmod((configuration.directory.path / "bin/mail").c_str(), 0755) == 0);
  CHECK_FALSE(complains(configuration.directory.name + "/none:" + configuration.directory.name + "/bin"));
}

TEST_CASE("a configuration that runs nothing is a problem of the check, not of the reader") {
  const Configuration nothing{{{"outpost.yml", "slots: 2\n"}}};
  CHECK(Problems{check(*nothing.load(), {})}.text() ==
        "outpost.yml: jobs: no job is configured and enabled, so nothing will run\n");
}
