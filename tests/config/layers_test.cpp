#include "configuration.hpp"
#include "support/catch.hpp"

#include <chrono>

using namespace outpost;
using namespace outpost::config;
using namespace outpost::config::test;
using namespace std::chrono_literals;

namespace {

const std::string base_file = R"(sources:
  dci: {type: dci, credentials: /x, poll: 30s, proxy: "http://proxy:3128"}
jobs:
  - {name: one, source: dci, topic: OCP-4.16, components: [ocp], plugins: [acme], tags: [a, b]}
  - {name: two, source: dci, topic: OCP-4.16, components: [ocp], plugins: [acme]}
slots: 2
)";

}  // namespace

TEST_CASE("files in conf.d override in the order of their names, whatever order the directory has") {
  const Configuration configuration{{{"outpost.yml", base_file},
                                     {"conf.d/20-b.yml", "slots: 5\n"},
                                     {"conf.d/10-a.yml", "slots: 4\nspool: {limit: 1GiB}\n"},
                                     {"conf.d/README", "slots: nonsense\n"},
                                     {"conf.d/.hidden.yml", "slots: nonsense\n"},
                                     {"conf.d/30-old.yml.rpmsave", "slots: nonsense\n"}}};
  REQUIRE(problems_of(configuration) == "");
  const auto loaded = configuration.load();
  CHECK(loaded->settings.slots == 5);
  CHECK(loaded->settings.spool.limit == 1ULL << 30);
  CHECK(loaded->origins.at("slots").text() == "conf.d/20-b.yml:1:1");
}

TEST_CASE("mappings merge by key, lists are replaced, jobs merge by name") {
  const Configuration configuration{{{"outpost.yml", base_file}, {"conf.d/10-lab.yml", R"(sources:
  dci: {poll: 1min}
  other: {type: dci, credentials: /y}
jobs:
  - {name: two, timeout: 2h}
  - {name: one, tags: [c]}
  - {name: three, source: other, topic: t, components: [x], plugins: [p]}
)"}}};
  REQUIRE(problems_of(configuration) == "");
  const Settings settings = configuration.load()->settings;
  CHECK(settings.sources.at("dci").poll == 1min);
  CHECK(settings.sources.at("dci").proxy == "http://proxy:3128");
  CHECK(settings.sources.at("other").credentials.file == "/y");
  REQUIRE(settings.jobs.size() == 3);
  CHECK(settings.jobs[0].name == "one");
  CHECK(settings.jobs[0].tags == std::vector<std::string>{"c"});
  CHECK(settings.jobs[0].topic == "OCP-4.16");
  CHECK(settings.jobs[1].timeout == 2h);
  CHECK(settings.jobs[2].name == "three");
}

TEST_CASE("a key without a value takes back what an earlier file said") {
  const Configuration configuration{
      {{"outpost.yml", base_file}, {"conf.d/10.yml", "sources: {dci: {proxy: ~, poll: }}\n"}}};
  REQUIRE(problems_of(configuration) == "");
  const Source source = configuration.load()->settings.sources.at("dci");
  CHECK(source.proxy.empty());
  CHECK(source.poll == 30s);
}

TEST_CASE("a problem names the file it is in, and problems come in the order of reading") {
  const Configuration configuration{{{"outpost.yml", base_file + "slot: 1\n"},
                                     {"conf.d/20.yml", "jobs:\n  - name: one\n    timeout: soon\n"},
                                     {"conf.d/10.yml", "spool:\n  limit: big\n"}}};
  CHECK(problems_of(configuration) ==
        "outpost.yml:7:1: unknown key \"slot\" (did you mean \"slots\"?)\n"
        "conf.d/10.yml:2:3: spool.limit: \"big\" is not a size (example: 5GiB)\n"
        "conf.d/20.yml:3:5: jobs.timeout: \"soon\" is not a duration (example: 10min)\n");
}

TEST_CASE("what a later file repairs is no problem") {
  const Configuration configuration{{{"outpost.yml", "slots: many\n"}, {"conf.d/10.yml", "slots: 3\n"}}};
  CHECK(problems_of(configuration) == "");
}

TEST_CASE("the same key twice in one file is a problem, in two files it is not") {
  const Configuration once{{{"outpost.yml", "slots: 1\n"}, {"conf.d/10.yml", "slots: 2\n"}}};
  CHECK(problems_of(once) == "");
  const Configuration twice{
      {{"outpost.yml", "slots: 1\n"}, {"conf.d/10.yml", "spool:\n  limit: 1GiB\n  limit: 2GiB\n"}}};
  CHECK(problems_of(twice) == "conf.d/10.yml:3:3: the key \"limit\" is written twice (first in line 2); remove one\n");
}

TEST_CASE("a file in conf.d whose name ends in .yaml is not silently ignored") {
  const Configuration configuration{{{"outpost.yml", "slots: 1\n"}, {"conf.d/10.yaml", "slots: 2\n"}}};
  CHECK(problems_of(configuration) == "conf.d/10.yaml: not read: its name has to end in .yml\n");
}

TEST_CASE("a broken file in conf.d hides no broken file, and half a configuration is not judged") {
  const Configuration configuration{
      {{"outpost.yml", "jobs: [\n"}, {"conf.d/10.yml", "- a\n"}, {"conf.d/20.yml", "a: b: c\n"}}};
  CHECK(problems_of(configuration) ==
        "outpost.yml:2:1: not valid YAML: a [ is not closed by ], or a comma is missing\n"
        "conf.d/10.yml:1:1: lines of \"key: value\" are due (example: slots: 2)\n"
        "conf.d/20.yml:1:5: not valid YAML: a key is not expected here (is the indentation right? text with \": \" in "
        "it needs "
        "quotes)\n");
}

TEST_CASE("variables set single values, those of named sources and jobs too") {
  const Configuration configuration{{{"outpost.yml", base_file}, {"conf.d/10.yml", "slots: 4\n"}}};
  const Environment environment{{"OUTPOST_CFG_SLOTS", "7"},
                                {"OUTPOST_CFG_SPOOL_LIMIT", "2GiB"},
                                {"OUTPOST_CFG_DOWNLOADS_UNPACK_ENTRIES", "10"},
                                {"OUTPOST_CFG_SOURCES_DCI_URL", "http://127.0.0.1:8080/"},
                                {"OUTPOST_CFG_SOURCES_DCI_ALLOW_LOCAL_REDIRECTS", "true"},
                                {"OUTPOST_CFG_SOURCES_DCI_CLOCK_SKEW", "1min"},
                                {"OUTPOST_CFG_JOBS_TWO_TIMEOUT", "5min"},
                                {"OUTPOST_CFG_STATE_DIRECTORY", "/tmp/state"},
                                {"OUTPOST_STATE", "not ours"},
                                {"PATH", "/bin"}};
  REQUIRE(problems_of(configuration, environment) == "");
  const Settings settings = configuration.load(environment)->settings;
  CHECK(settings.slots == 7);
  CHECK(settings.spool.limit == 2ULL << 30);
  CHECK(settings.downloads.unpack_entries == 10);
  CHECK(settings.sources.at("dci").url == "http://127.0.0.1:8080");
  CHECK(settings.sources.at("dci").allow_local_redirects);
  CHECK(settings.sources.at("dci").options.at("clock_skew").as_int64() == 60'000);
  CHECK(settings.jobs[0].timeout == 24h);
  CHECK(settings.jobs[1].timeout == 5min);
  CHECK(settings.state_directory == "/tmp/state");
}

TEST_CASE("a variable that fits no key, a list, or two keys is a problem, as is a wrong value") {
  const Configuration configuration{{{"outpost.yml", R"(sources:
  my-dci: {type: dci, credentials: /x}
  my_dci: {type: dci, credentials: /x}
)"}}};
  const auto problem = [&](const std::string& name, const std::string& value) {
    return problems_of(configuration, {{name, value}});
  };
  CHECK(problem("OUTPOST_CFG_SLOT", "2") ==
        "OUTPOST_CFG_SLOT: no key of outpost.yml has this name (did you mean \"OUTPOST_CFG_SLOTS\"?)\n");
  CHECK(problem("OUTPOST_CFG_SOURCES_DCI_URL", "x")
            .starts_with("OUTPOST_CFG_SOURCES_DCI_URL: no key of outpost.yml has this name"));
  CHECK(problem("OUTPOST_CFG_PLUGINS_PATH", "/x") ==
        "OUTPOST_CFG_PLUGINS_PATH: a variable sets single values, not lists or mappings; write it into outpost.yml\n");
  CHECK(problem("OUTPOST_CFG_SOURCES_MY_DCI_POLL", "5s") ==
        "OUTPOST_CFG_SOURCES_MY_DCI_POLL: may mean sources.my-dci.poll or sources.my_dci.poll; write it into "
        "outpost.yml\n");
  CHECK(problem("OUTPOST_CFG_SLOTS", "two") ==
        "OUTPOST_CFG_SLOTS: slots: \"two\" is not a whole number (example: 2)\n");
  CHECK(problem("OUTPOST_CFG_SLOTS", "") == "OUTPOST_CFG_SLOTS: slots: \"\" is not a whole number (example: 2)\n");
  CHECK(problem("OUTPOST_CFG_", "2").starts_with("OUTPOST_CFG_: no key of outpost.yml has this name"));
}

TEST_CASE("the variables of a process are read as name and value") {
  const char* const variables[] = {"A=1", "B=x=y", "EMPTY=", "broken", nullptr};
  CHECK(environment_of(variables) == Environment{{"A", "1"}, {"B", "x=y"}, {"EMPTY", ""}});
  CHECK(environment_of(nullptr).empty());
}
