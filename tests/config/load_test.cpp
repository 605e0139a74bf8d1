#include "configuration.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <chrono>

using namespace outpost;
using namespace outpost::config;
using namespace outpost::config::test;
using namespace std::chrono_literals;

TEST_CASE("every key of a full file arrives in the settings") {
  const Configuration configuration{{{"outpost.yml", good_file}}};
  REQUIRE(problems_of(configuration) == "");
  const auto loaded = configuration.load();
  const Settings& settings = loaded->settings;
  const auto& directory = configuration.directory.path;

  REQUIRE(settings.sources.size() == 2);
  const Source& dci = settings.sources.at("dci");
  CHECK(dci.name == "dci");
  CHECK(dci.type == "dci");
  CHECK(dci.url == "https://api.example.org");
  CHECK(dci.credentials.file == directory / "dci_credentials.yml");
  CHECK(dci.poll == 30s);
  CHECK(dci.ca_file == "/etc/pki/lab.pem");
  CHECK(dci.client_certificate == "/etc/pki/client.pem");
  CHECK(dci.client_key == "/etc/pki/client.key");
  CHECK(dci.proxy == "http://user:secret@proxy.example.org:3128");
  CHECK(dci.no_proxy == "localhost,.example.org");
  CHECK(dci.upload_limit == 20u * 1024 * 1024);
  CHECK_FALSE(dci.allow_local_redirects);
  CHECK(dci.options == boost::json::parse(R"({"team": "42", "clock_skew": 120000})").as_object());
  CHECK(settings.sources.at("events").options == boost::json::parse(R"({"queue": "lab"})").as_object());

  REQUIRE(settings.jobs.size() == 2);
  const Job& job = settings.jobs.front();
  CHECK(job.name == "acme-storage-nightly");
  CHECK(job.enabled);
  CHECK(job.source == "dci");
  CHECK(job.topic == "OCP-4.16");
  CHECK(job.components == boost::json::parse(R"(["ocp?tags:build:nightly",
        {"type": "ocp", "tags": ["build:ga"], "max_age": "7d", "latest": true}])")
                              .as_array());
  CHECK(job.backlog == Backlog::newest);
  REQUIRE(job.windows.size() == 2);
  CHECK(job.windows[0].text() == "Mon..Fri 18:00-06:00");
  CHECK(job.resources == std::vector<std::string>{"cluster4"});
  CHECK(job.plugins == std::vector<std::string>{"acme-storage", "rpm-certify"});
  CHECK(job.timeout == 24h);
  CHECK(job.grace == 30s);
  CHECK(job.reporters == std::vector<std::string>{"dci", "events"});
  CHECK(job.configuration == "baremetal");
  CHECK(job.comment == "nightly run");
  CHECK(job.url == "https://ci.example.org/job?id=1");
  CHECK(job.tags == std::vector<std::string>{"nightly", "4.16"});
  CHECK(job.key_values == std::map<std::string, double>{{"workers", 3.}});

  CHECK(settings.resources.at("cluster4").hosts == std::vector<std::string>{"10.0.0.4"});
  CHECK(settings.slots == 2);
  CHECK(settings.spool.limit == 5ULL << 30);
  CHECK(settings.spool.artifacts == 20ULL << 30);
  CHECK(settings.spool.bandwidth == 10ULL << 20);
  CHECK(settings.downloads.limit == 100ULL << 30);
  CHECK(settings.downloads.cache_limit == 0);
  CHECK(settings.downloads.unpack_bytes == 200ULL << 30);
  CHECK(settings.downloads.unpack_entries == 100'000);
  CHECK(settings.downloads.unpack_ratio == 50.5);
  CHECK(settings.alarms.webhook == "https://hooks.example.org/T0/B0?token=abc");
  CHECK(settings.alarms.command == std::vector<std::string>{"mail", "-s", "outpost", "root"});
  CHECK(settings.alarms.no_component_after == 14 * 24h);
  CHECK(settings.logs.step_limit == 200ULL << 20);
  CHECK(settings.secrets.at("bmc4").file == "/etc/outpost/bmc4");
  CHECK(settings.secrets.at("registry").credential == "registry");
  CHECK(settings.plugins_path ==
        std::vector<std::filesystem::path>{directory / "plugins", "/usr/share/outpost/plugins"});
  CHECK(settings.state_directory == "/var/lib/outpost");
  CHECK(settings.runtime_directory == "/run/outpost");
}

TEST_CASE("the smallest useful file gets every default") {
  const Configuration configuration{{{"outpost.yml", R"(
sources: {dci: {type: dci, credentials: /etc/outpost/dcirc.sh}}
jobs: [{name: one, source: dci, topic: 4.16, components: [ocp], plugins: [acme]}]
)"}}};
  REQUIRE(problems_of(configuration) == "");
  const Settings settings = configuration.load()->settings;
  const Job& job = settings.jobs.front();
  CHECK(job.topic == "4.16");
  CHECK(job.backlog == Backlog::newest);
  CHECK(job.windows.empty());
  CHECK(job.timeout == 24h);
  CHECK(job.reporters == std::vector<std::string>{"dci"});
  CHECK(settings.sources.at("dci").poll == 30s);
  CHECK_FALSE(settings.sources.at("dci").upload_limit);
  CHECK(settings.slots == 1);
  CHECK_FALSE(settings.spool.bandwidth);
  CHECK(settings.spool.uploads == 4);
  CHECK(settings.spool.retry_first == 1s);
  CHECK(settings.spool.retry_longest == 5min);
  CHECK(settings.spool.link_back == 5s);
  CHECK(settings.sources.at("dci").idle_timeout == 60s);
  CHECK(settings.sources.at("dci").slow_window == 60s);
  CHECK(settings.sources.at("dci").credentials_retry == 20min);
  CHECK_FALSE(settings.alarms.no_component_after);
  CHECK(settings.plugins_path.front() == "/etc/outpost/plugins.d");
  CHECK(settings.state_directory == "/var/lib/outpost");
}

TEST_CASE("an empty list of reporters reports to nobody") {
  const Configuration configuration{{{"outpost.yml", R"(
sources: {dci: {type: dci, credentials: /x}}
jobs: [{name: one, source: dci, topic: t, components: [ocp], plugins: [acme], reporters: []}]
)"}}};
  REQUIRE(problems_of(configuration) == "");
  CHECK(configuration.load()->settings.jobs.front().reporters.empty());
}

TEST_CASE("an empty file, a file of comments and a lone document mark are a configuration of defaults") {
  CHECK(problems_of("") == "");
  CHECK(problems_of("# nothing\n") == "");
  CHECK(problems_of("---\n...\n") == "");
  CHECK(problems_of("\xEF\xBB\xBF# with a byte order mark\nslots: 2\n") == "");
}

TEST_CASE("CRLF is tolerated and keeps lines and columns") {
  CHECK(problems_of("slots: 2\r\nspool:\r\n  limit: 5GiB\r\n") == "");
  CHECK(problems_of("slots: 2\r\nspool:\r\n  limti: 5GiB\r\n") ==
        "outpost.yml:3:3: spool: unknown key \"limti\" (did you mean \"limit\"?)\n");
}

TEST_CASE("columns count characters, not bytes") {
  CHECK(problems_of("resources: {\"lab\": {hosts: [\"m\xC3\xA1j\"]}, c2: {host: [a]}}\n") ==
        "outpost.yml:1:43: resources.c2: unknown key \"host\" (did you mean \"hosts\"?)\n");
}

TEST_CASE("a profile, limits and who runs the steps are read, and mistakes in them are told") {
  const auto with = [](const std::string& keys, const std::string& more = {}) {
    return "sources: {dci: {type: dci, credentials: /x}}\njobs: [{name: one, source: dci, topic: t, components: [ocp], "
           "plugins: [acme], " + keys + "}]\n" + more;
  };
  const Configuration good{{{"outpost.yml", with("profile: offline, limits: {memory: 2GiB, tasks: 100, cpu: 150%}", "runner: auto\n")}}};
  REQUIRE(problems_of(good) == "");
  const auto settings = good.load()->settings;
  CHECK(settings.runner == Runner::automatic);
  CHECK(settings.jobs.front().profile == "offline");
  CHECK(settings.jobs.front().limits.memory == 2ULL << 30);
  CHECK(settings.jobs.front().limits.tasks == 100U);
  CHECK(settings.jobs.front().limits.cpu_percent == 150U);
  const auto told = [&](const std::string& text, const char* problem) { return problems_of(text).find(problem) != std::string::npos; };
  CHECK(told(with("profile: ../x"), "\"../x\" is not the name of a profile: a-z and 0-9 only (example: offline)"));
  CHECK(told(with("limits: {cpu: 2}"), "\"2\" is not a share of a processor (example: 200%, two processors)"));
  CHECK(told(with("limits: {memory: 1KiB}"), "limits.memory"));
  CHECK(told(with("timeout: 1h", "runner: sytemd\n"), "\"sytemd\" is not one of auto, systemd and local"));
}

TEST_CASE("anchors, aliases and merge keys save repetition, and keys that start with x- are a place for them") {
  const Configuration configuration{{{"outpost.yml", R"(
x-defaults: &defaults {source: dci, topic: OCP-4.16, components: [ocp], plugins: [acme], timeout: 2h}
sources: {dci: {type: dci, credentials: /x}}
jobs:
  - {<<: *defaults, name: one}
  - <<: [*defaults]
    name: two
    timeout: 3h
)"}}};
  REQUIRE(problems_of(configuration) == "");
  const auto jobs = configuration.load()->settings.jobs;
  REQUIRE(jobs.size() == 2);
  CHECK(jobs[0].timeout == 2h);
  CHECK(jobs[1].timeout == 3h);
  CHECK(jobs[1].topic == "OCP-4.16");
}

TEST_CASE("text stays as it was written, whatever YAML 1.1 would make of it") {
  const Configuration configuration{{{"outpost.yml", R"(
sources: {dci: {type: dci, credentials: /x}}
jobs:
  - {name: one, source: dci, topic: 4.10, components: [no, 010, 1e3], plugins: [acme], tags: [yes, Off, 0x10, 12:30:45, 2026-01-01]}
)"}}};
  REQUIRE(problems_of(configuration) == "");
  const Job job = configuration.load()->settings.jobs.front();
  CHECK(job.topic == "4.10");
  CHECK(job.components == boost::json::parse(R"(["no", "010", "1e3"])").as_array());
  CHECK(job.tags == std::vector<std::string>{"yes", "Off", "0x10", "12:30:45", "2026-01-01"});
}

TEST_CASE("a secret may be a path, a credential of systemd, or an entry of secrets") {
  const Configuration configuration{{{"outpost.yml", R"(
secrets: {lab: {credential: dci}}
sources:
  a: {type: dci, credentials: {file: lab.yml}}
  b: {type: dci, credentials: {credential: dci-credentials}}
  c: {type: dci, client_id: 7d2b0b6e-6b61-4d5b-9b1e-000000000001, api_secret_file: {secret: lab}}
)"}}};
  REQUIRE(problems_of(configuration) == "");
  const auto sources = configuration.load()->settings.sources;
  CHECK(sources.at("a").credentials.file == configuration.directory.path / "lab.yml");
  CHECK(sources.at("b").credentials.credential == "dci-credentials");
  CHECK(sources.at("c").credentials.empty());
  CHECK(sources.at("c").api_secret.credential == "dci");
}

TEST_CASE("every value that was written has its origin") {
  const Configuration configuration{{{"outpost.yml", good_file}, {"conf.d/10-lab.yml", "spool:\n  limit: 1GiB\n"}}};
  const Environment environment{{"OUTPOST_CFG_SLOTS", "3"}};
  const auto loaded = configuration.load(environment);
  REQUIRE(loaded.has_value());
  CHECK(loaded->origins.at("sources.dci.poll").text() == "outpost.yml:7:5");
  CHECK(loaded->origins.at("jobs.acme-storage-nightly.plugins[1]").text() == "outpost.yml:26:29");
  CHECK(loaded->origins.at("spool.limit").text() == "conf.d/10-lab.yml:2:3");
  CHECK(loaded->origins.at("slots").text() == "OUTPOST_CFG_SLOTS");
  CHECK(loaded->origins.count("jobs.from-bus.timeout") == 0);
}

TEST_CASE("all problems are reported at once, in the order of the file") {
  CHECK(problems_of(R"(slot: 2
sources:
  dci: {type: dcii}
jobs:
  - name: one
    source: dcj
    plugins: [a]
    timeout: 10 minuts
    enabled: yes
spool: {limit: 5 parsecs}
)") == "outpost.yml:1:1: unknown key \"slot\" (did you mean \"slots\"?)\n"
       "outpost.yml:3:9: sources.dci.type: \"dcii\" is not a type of source (did you mean \"dci\"?)\n"
       "outpost.yml:6:5: jobs.source: there is no source \"dcj\" (did you mean \"dci\"?)\n"
       "outpost.yml:8:5: jobs.timeout: \"10 minuts\" is not a duration (example: 10min)\n"
       "outpost.yml:9:5: jobs.enabled: \"yes\" is not a boolean (write true)\n"
       "outpost.yml:10:9: spool.limit: \"5 parsecs\" is not a size (example: 5GiB)\n");
}

TEST_CASE("a file that is missing, no file, or too large says so") {
  const Configuration none{{}};
  CHECK(problems_of(none) == "outpost.yml: cannot open DIR/outpost.yml: No such file or directory\n");
  const Configuration directory{{{"outpost.yml/x", ""}}};
  CHECK(problems_of(directory) == "outpost.yml: DIR/outpost.yml is not a regular file\n");
  CHECK(problems_of("#" + std::string(1024 * 1024, 'x')) == "outpost.yml: DIR/outpost.yml is larger than 1.0 MiB\n");
}

TEST_CASE("plugins are configured for all jobs, and a job lays its own over it") {
  const std::string head = "sources: {bus: {type: bus, url: \"https://bus.example.org\", queue: lab}}\n";
  const Configuration configuration{{{"outpost.yml", head + "jobs:\n  - {name: a, source: bus, plugins: [acme]}\n"
                                                            "  - {name: b, source: bus, plugins: [acme, other], plugin_config: {acme: {pool: {size: 8}, release: 4.10}}}\n"
                                                            "plugin_config: {acme: {address: 192.0.2.10, pool: {name: p, size: 4}, on: true}}\n"}}};
  const auto loaded = configuration.load();
  REQUIRE((loaded ? "" : loaded.error().text()) == "");
  const auto& jobs = loaded->settings.jobs;
  using boost::json::parse;
  CHECK(jobs[0].plugin_config.at("acme") == parse(R"({"address": "192.0.2.10", "pool": {"name": "p", "size": 4}, "on": true})").as_object());
  CHECK(jobs[1].plugin_config.at("acme") == parse(R"({"address": "192.0.2.10", "pool": {"name": "p", "size": 8}, "on": true, "release": "4.10"})").as_object());
  CHECK_FALSE(jobs[1].plugin_config.contains("other"));
  CHECK(loaded->origins.at("jobs.b.plugin_config.acme.pool.size").text() == "outpost.yml:4:82");
  CHECK(loaded->origins.at("jobs.b.plugin_config.acme.address").line == 5);

  CHECK(problems_of(head + "jobs:\n  - {name: a, source: bus, plugins: [acme], plugin_config: {acne: {}}}\nplugin_config: {acmee: {}, acme: 5}\n") ==
        "outpost.yml:3:61: jobs.plugin_config: there is no plugin \"acne\" in plugins (did you mean \"acme\"?)\n"
        "outpost.yml:4:17: plugin_config: no job runs a plugin \"acmee\" (did you mean \"acme\"?)\n"
        "outpost.yml:4:28: jobs.plugin_config.acme: a single value, but a mapping (example: {address: 192.0.2.10}) is due\n");
}

TEST_CASE("a collector needs an address, and a certificate its key") {
  const std::string head = "sources: {bus: {type: bus, url: \"https://bus.example.org\", queue: lab}}\n";
  const Configuration configuration{{{"outpost.yml", head + "metrics: {otlp: {url: \"https://collector.example.org:4318/otlp/\", headers: {file: headers}, traces: false, interval: 5s}}\n"}}};
  const auto loaded = configuration.load();
  REQUIRE((loaded ? "" : loaded.error().text()) == "");
  const auto& otlp = loaded->settings.otlp;
  CHECK(otlp.url == "https://collector.example.org:4318/otlp");
  CHECK(otlp.headers.file == configuration.directory.path / "headers");
  CHECK_FALSE(otlp.traces);
  CHECK(otlp.metrics);
  CHECK(otlp.interval == std::chrono::seconds{5});
  CHECK(problems_of(head + "metrics: {otlp: {interval: 5s, client_key: key.pem, header: x}}\n") ==
        "outpost.yml:2:11: metrics.otlp: the key \"client_certificate\" is missing (certificate and key belong together)\n"
        "outpost.yml:2:11: metrics.otlp: the key \"url\" is missing (example: url: https://collector.example.org:4318)\n"
        "outpost.yml:2:53: metrics.otlp: unknown key \"header\" (did you mean \"headers\"?)\n");
  CHECK(problems_of(head + "metrics: {otlp: {url: collector}, prometheus: true}\n").find("unknown key \"prometheus\"") != std::string::npos);
}
