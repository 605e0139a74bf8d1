#pragma once

#include "agent/base/text.hpp"
#include "agent/config/load.hpp"
#include "support/temporary_directory.hpp"

#include <map>
#include <string>
#include <vector>

namespace outpost::config::test {

/// The clock of a machine in Prague, whatever machine this is.
inline Result<TimeZone> test_zones(std::string_view name) {
  if (name.empty() || name == "Europe/Prague") return TimeZone::from_rule("CET-1CEST,M3.5.0,M10.5.0/3");
  if (name == "America/New_York") return TimeZone::from_rule("EST5EDT,M3.2.0,M11.1.0");
  if (name == "UTC") return TimeZone{};
  return Error{Fault::malformed,
               "\"" + printable(name, 80) + "\" is not a time zone of this machine (example: Europe/Prague)"};
}

/// A source type as a plugin declares it.
inline std::vector<SourceType> test_types() {
  SourceType dci{.type = "dci",
                 .options = {{"team", OptionKind::text, false, "the team's name"},
                             {"read_only", OptionKind::boolean, false, ""},
                             {"attempts", OptionKind::integer, false, ""},
                             {"clock_skew", OptionKind::duration, false, ""},
                             {"chunk", OptionKind::size, false, ""},
                             {"mirror", OptionKind::url, false, ""},
                             {"mapping", OptionKind::file, false, ""},
                             {"products", OptionKind::texts, false, ""}}};
  dci.check_component = [](const boost::json::value& component) -> Result<void> {
    if (component.is_object() && !component.as_object().contains("type"))
      return Error{Fault::malformed, "a selection needs a type (example: {type: ocp})"};
    return {};
  };
  SourceType bus{.type = "bus", .options = {{"queue", OptionKind::text, true, "the name of the queue"}}};
  bus.needs_credentials = bus.needs_topic = bus.needs_components = false;
  bus.needs_url = true;
  return {dci, bus};
}

/// Files in a directory of their own.
struct Configuration {
  explicit Configuration(const std::map<std::string, std::string>& files) {
    for (const auto& [name, content] : files) outpost::test::write_file(directory.path / name, content);
  }

  [[nodiscard]] auto load(const Environment& environment = {}) const {
    const auto types = test_types();
    return config::load(directory.path / "outpost.yml", environment, types, test_zones);
  }

  outpost::test::TemporaryDirectory directory;
};

/// The problems as lines, with the directory written as "DIR"; "" when there is none.
inline std::string problems_of(const Configuration& configuration, const Environment& environment = {}) {
  const auto loaded = configuration.load(environment);
  if (loaded) return "";
  std::string text = loaded.error().text();
  for (std::size_t at = 0; (at = text.find(configuration.directory.name, at)) != std::string::npos;)
    text.replace(at, configuration.directory.name.size(), "DIR");
  return text;
}

inline std::string problems_of(const std::string& outpost_yml, const Environment& environment = {}) {
  const Configuration configuration{{{"outpost.yml", outpost_yml}}};
  return problems_of(configuration, environment);
}

/// A file with every key.
inline const std::string good_file = R"(# The lab of the tests.
sources:
  dci:
    type: dci
    url: https://api.example.org/
    credentials: dci_credentials.yml
    poll: 30s
    ca_file: /etc/pki/lab.pem
    client_certificate: /etc/pki/client.pem
    client_key: /etc/pki/client.key
    proxy: http://user:secret@proxy.example.org:3128
    no_proxy: localhost,.example.org
    upload_limit: 20MiB
    allow_local_redirects: false
    team: 42
    clock_skew: 2min
  events: {type: bus, url: "https://bus.example.org", queue: lab}
jobs:
  - name: acme-storage-nightly
    source: dci
    topic: OCP-4.16
    components: ["ocp?tags:build:nightly", {type: ocp, tags: ["build:ga"], max_age: 7d, latest: true}]
    backlog: newest
    windows: ["Mon..Fri 18:00-06:00", "Sat,Sun"]
    resources: [cluster4]
    plugins: [acme-storage, rpm-certify]
    timeout: 24h
    grace: 30s
    reporters: [dci, events]
    configuration: baremetal
    comment: nightly run
    url: https://ci.example.org/job?id=1
    tags: [nightly, "4.16"]
    key_values: {workers: 3}
    enabled: true
  - name: from-bus
    source: events
    plugins: [acme-storage]
resources: {cluster4: {hosts: [10.0.0.4]}}
slots: 2
spool: {limit: 5GiB, artifacts: 20GiB, bandwidth: 10MiB/s}
downloads:
  limit: 100GiB
  cache_limit: 0
  unpack: {bytes: 200GiB, entries: 100000, ratio: 50.5}
alarms:
  webhook: https://hooks.example.org/T0/B0?token=abc
  command: [mail, -s, outpost, root]
  no_component_after: 14d
logs: {step_limit: 200MiB}
secrets:
  bmc4: {file: /etc/outpost/bmc4}
  registry: {credential: registry}
plugins_path: [plugins, /usr/share/outpost/plugins]
state_directory: /var/lib/outpost
runtime_directory: /run/outpost
)";

}  // namespace outpost::config::test
