#include "agent/job/stage.hpp"
#include "support/catch.hpp"

using namespace outpost::job;

TEST_CASE("what other agents call a stage is known, in every spelling") {
  CHECK(stage_meant_by("teardown") == Stage::release);
  CHECK(stage_meant_by("Tear_Down") == Stage::release);
  CHECK(stage_meant_by("post-run") == Stage::collect);
  CHECK(stage_meant_by("user-tests") == Stage::test);
  CHECK(stage_meant_by("custom-install") == Stage::install);
  CHECK(stage_meant_by("configure") == Stage::pre_run);
  CHECK(stage_meant_by("PRE_RUN") == Stage::pre_run);
  CHECK_FALSE(stage_meant_by("acme"));
  CHECK_FALSE(stage_meant_by(""));
}
