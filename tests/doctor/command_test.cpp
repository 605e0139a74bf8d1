#include "agent/doctor/command.hpp"

#include "support/catch.hpp"

using namespace outpost;

TEST_CASE("of a long output the beginning is kept, or the whole lines at its end") {
  const std::vector<std::string> count{"seq", "1", "100000"};
  const auto oldest = doctor::run_command(count, std::chrono::minutes{1}, {.bytes = 10});
  CHECK(oldest.output == "1\n2\n3\n4\n5\n");
  const auto newest = doctor::run_command(count, std::chrono::minutes{1}, {.bytes = 15, .newest = true});
  CHECK(newest.output == "99999\n100000\n");
  CHECK(doctor::run_command({"echo", "all"}, std::chrono::minutes{1}, {.newest = true}).output == "all\n");
}
