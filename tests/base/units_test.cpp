#include "agent/base/units.hpp"

#include "support/catch.hpp"

using namespace outpost;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their units") {
  CHECK(*parse_duration("500ms") == 500ms);
  CHECK(*parse_duration("30s") == 30s);
  CHECK(*parse_duration("10min") == 10min);
  CHECK(*parse_duration("10m") == 10min);
  CHECK(*parse_duration("1h30min") == 90min);
  CHECK(*parse_duration("1h 30min") == 90min);
  CHECK(*parse_duration("2d") == 48h);
  CHECK(*parse_duration("1.5h") == 90min);
}

TEST_CASE("what is not a duration is refused with examples") {
  for (const char* text : {"", "10", "10 minuts", "min", "-5s", "1e3s", "99999d", "1..5s."}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
  CHECK(parse_duration("10 minuts").error().message == "\"10 minuts\" is not a duration (examples: 30s, 10min, 24h, 2d)");
}

TEST_CASE("sizes are binary, with and without a unit") {
  CHECK(*parse_size("1048576") == 1048576);
  CHECK(*parse_size("64KiB") == 65536);
  CHECK(*parse_size("5 GiB") == 5368709120);
  CHECK(*parse_size("20G") == 21474836480);
  CHECK(*parse_size("1.5MiB") == 1572864);
  for (const char* text : {"", "GiB", "5GB/s", "-1", "5 GiB 2"}) CHECK_FALSE(parse_size(text));
}

TEST_CASE("figures are written for people") {
  CHECK(format_duration(12ms) == "12ms");
  CHECK(format_duration(4200ms) == "4.2s");
  CHECK(format_duration(125s) == "2min 05s");
  CHECK(format_duration(4h + 2min) == "4h 02min");
  CHECK(format_size(512) == "512 bytes");
  CHECK(format_size(4404019) == "4.2 MiB");
}
