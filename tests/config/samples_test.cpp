#include "agent/base/text.hpp"
#include "agent/config/decode.hpp"
#include "agent/config/layers.hpp"
#include "configuration.hpp"
#include "plugins/dlrn/dlrn.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::config;
using namespace outpost::config::test;

namespace {

const std::filesystem::path samples = OUTPOST_SAMPLE_CONFIGURATIONS;

std::vector<SourceType> known_types() {
  SourceType dci;
  dci.type = "dci";
  return {dci, dlrn::source_type()};
}

}  // namespace

TEST_CASE("the sample configurations are read without a problem") {
  const auto types = known_types();
  for (const char* name : {"minimal.yml", "complete.yml"}) {
    const auto loaded = load(samples / name, {}, types, test_zones);
    INFO((loaded ? std::string{} : loaded.error().text()));
    CHECK(loaded.has_value());
  }
}

TEST_CASE("the complete sample shows every key there is") {
  Problems problems;
  const Layers layers = lay_texts(read_texts(samples / "complete.yml", problems).texts, problems);
  REQUIRE(problems.text() == "");
  const ZoneLookup zones = test_zones;
  Reading reading{.directory = samples, .zones = zones, .problems = {}, .origins = {}};
  std::vector<KnownKey> known;
  const auto types = known_types();
  (void)decode(reading, layers.tree, types, known);
  const std::vector<std::string> alternatives{"sources.dci.client_id", "sources.dci.api_secret_file",
                                              "secrets.bmc4.credential", "secrets.registry.file",
                                              "sources.builder.keytab", "sources.builder.principal", "sources.builder.server_principal"};
  REQUIRE(known.size() > 40);
  for (const auto& key : known) {
    const std::string path = join(key.path, ".");
    // What every source and every job has is shown at the first of them.
    const std::string general = replace_all(replace_all(path, "sources.builder.", "sources.dci."), "jobs.compute-consistent.", "jobs.acme-storage-nightly.");
    const auto is_alternative = [&](const std::string& key) { return std::find(alternatives.begin(), alternatives.end(), key) != alternatives.end(); };
    const bool elsewhere = path.starts_with("jobs.acme-storage-upgrade.") || is_alternative(path) || is_alternative(general) ||
                           (general != path && reading.origins.contains(general));
    INFO(path);
    CHECK((elsewhere || reading.origins.contains(path)));
  }
}

TEST_CASE("the values that the complete sample calls defaults are the defaults") {
  const auto types = known_types();
  const auto sample = load(samples / "complete.yml", {}, types, test_zones);
  REQUIRE(sample.has_value());
  const Settings& written = sample->settings;
  const Settings defaults;
  const Source source;
  const Job job;
  CHECK(written.sources.at("dci").poll == source.poll);
  CHECK(written.sources.at("dci").allow_local_redirects == source.allow_local_redirects);
  CHECK(written.jobs[0].enabled == job.enabled);
  CHECK(written.jobs[0].backlog == job.backlog);
  CHECK(written.jobs[0].timeout == job.timeout);
  CHECK(written.jobs[0].grace == job.grace);
  CHECK(written.jobs[0].reporters == written.jobs[1].reporters);
  CHECK(written.runner == defaults.runner);
  CHECK(written.spool.limit == defaults.spool.limit);
  CHECK(written.spool.artifacts == defaults.spool.artifacts);
  CHECK(written.spool.bandwidth == defaults.spool.bandwidth);
  CHECK(written.downloads.limit == defaults.downloads.limit);
  CHECK(written.downloads.cache_limit == defaults.downloads.cache_limit);
  CHECK(written.downloads.unpack_bytes == defaults.downloads.unpack_bytes);
  CHECK(written.downloads.unpack_entries == defaults.downloads.unpack_entries);
  CHECK(written.downloads.unpack_ratio == defaults.downloads.unpack_ratio);
  CHECK(written.logs.step_limit == defaults.logs.step_limit);
  CHECK(written.logs.segment_size == defaults.logs.segment_size);
  CHECK(written.logs.segment_age == defaults.logs.segment_age);
  CHECK(written.logs.live_first == defaults.logs.live_first);
  CHECK(written.logs.live_longest == defaults.logs.live_longest);
  CHECK(written.logs.live_pieces == defaults.logs.live_pieces);
  CHECK(written.plugins_path == defaults.plugins_path);
  CHECK(written.state_directory == defaults.state_directory);
  CHECK(written.runtime_directory == defaults.runtime_directory);
}
