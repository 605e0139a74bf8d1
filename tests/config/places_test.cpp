// What can be told of a configuration that is wrong, and how two of them differ.
#include "agent/config/differences.hpp"
#include "config/configuration.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::config;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;

TEST_CASE("the directories of a configuration are found although it is wrong") {
  TemporaryDirectory directory;
  const auto file = directory.path / "outpost.yml";
  write_file(file, "state_directory: 'my state' # here\njobs: [\n  {{\nruntime_directory: run\n");
  CHECK(places_of(file, {}).state_directory == directory.path / "my state");
  CHECK(places_of(file, {}).runtime_directory == directory.path / "run");
  write_file(directory.path / "conf.d/10.yml", "runtime_directory: /run/other\n");
  CHECK(places_of(file, {}).runtime_directory == "/run/other");
  CHECK(places_of(file, {{"OUTPOST_CFG_STATE_DIRECTORY", "/srv"}}).state_directory == "/srv");
  CHECK(places_of(directory.path / "none.yml", {}).state_directory == "/var/lib/outpost");
}

TEST_CASE("a configuration can be read again from its texts") {
  TemporaryDirectory directory;
  const auto file = directory.path / "outpost.yml";
  write_file(file, "slots: 2\nstate_directory: state\n");
  write_file(directory.path / "conf.d/10.yml", "slots: 3\n");
  const auto loaded = load(file, {}, {});
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->texts.size() == 2);
  const auto again = load_texts(loaded->texts, directory.path, {}, {});
  REQUIRE(again.has_value());
  CHECK(again->settings == loaded->settings);
  CHECK(again->settings.slots == 3);
  CHECK_FALSE(load_texts({{"outpost.yml", "slots: many\n"}}, directory.path, {}, {}).has_value());
  CHECK_FALSE(load_texts({}, directory.path, {}, {}).has_value());
}

TEST_CASE("differences of two configurations are named") {
  Settings old, wanted;
  CHECK(differences(old, wanted).empty());
  old.jobs = {{.name = "one"}, {.name = "two"}};
  wanted.jobs = {{.name = "two", .topic = "T"}, {.name = "three"}};
  wanted.slots = 4;
  wanted.resources["cluster4"] = {};
  wanted.spool.limit = 1;
  CHECK(differences(old, wanted) == std::vector<std::string>{"jobs.three (new)", "jobs.two (changed)", "jobs.one (removed)",
                                                             "resources.cluster4 (new)", "slots (changed)", "spool (changed)"});
}
