#include "agent/daemon/definition.hpp"

#include "support/catch.hpp"

TEST_CASE("a definition says only what its job does without") {
  outpost::config::Job job;
  job.name = "nightly";
  CHECK(outpost::daemon::definition_of(job).options.empty());
  job.download = job.unpack = false;
  job.key_values["rank"] = 2;
  const auto options = outpost::daemon::definition_of(job).options;
  CHECK(options.at("download") == false);
  CHECK(options.at("unpack") == false);
  CHECK(options.at("key_values").at("rank") == 2.0);
}
