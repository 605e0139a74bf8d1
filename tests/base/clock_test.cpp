#include "agent/base/clock.hpp"

#include "support/catch.hpp"

using namespace outpost;
using namespace std::chrono;

TEST_CASE("a moment is written and read back to the microsecond") {
  const Timestamp moment{sys_days{2026y / November / 20} + 22h + 12min + 12s + 821369us};
  CHECK(to_rfc3339(moment) == "2026-11-20T22:12:12.821369Z");
  CHECK(parse_rfc3339(to_rfc3339(moment)) == moment);
  CHECK(to_basic_utc(moment) == "20261120T221212Z");
}

TEST_CASE("a moment before 1970 keeps a positive fraction") {
  const Timestamp moment{sys_days{1969y / December / 31} + 23h + 59min + 59s + 500ms};
  CHECK(to_rfc3339(moment) == "1969-12-31T23:59:59.500000Z");
}

TEST_CASE("times are read with and without fraction and zone") {
  const Timestamp noon{sys_days{2025y / January / 15} + 12h};
  CHECK(parse_rfc3339("2025-01-15T12:00:00") == noon);
  CHECK(parse_rfc3339("2025-01-15T12:00:00Z") == noon);
  CHECK(parse_rfc3339("2025-01-15T13:30:00+01:30") == noon);
  CHECK(parse_rfc3339("2025-01-15T12:00:00.25Z") == noon + 250ms);
}

TEST_CASE("moments of any year that four digits can write are written and read") {
  for (const char* text : {"0000-01-01T00:00:00.000000Z", "1013-11-20T12:00:00.000000Z", "2500-02-28T23:59:59.000001Z", "9999-12-31T23:59:59.999999Z"}) {
    CAPTURE(text);
    REQUIRE(parse_rfc3339(text));
    CHECK(to_rfc3339(*parse_rfc3339(text)) == text);
  }
}

TEST_CASE("what is not a time is refused") {
  for (const char* text : {"", "yesterday", "2025-13-01T00:00:00", "2025-02-30T00:00:00", "2025-01-01T25:00:00", "2025-01-01T00:00:00Zzz", "2025-01-01",
                           "2025-01-01T 1:00:00", "-025-01-01T00:00:00", "+025-01-01T00:00:00", "2025-01-01T00:00:00+-1:00",
                           "2025-01-01T00:00:00+0100", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text));
  }
}

TEST_CASE("the Date header of HTTP is read") {
  CHECK(parse_http_date("Fri, 20 Nov 2026 22:12:12 GMT") == Timestamp{sys_days{2026y / November / 20} + 22h + 12min + 12s});
  CHECK_FALSE(parse_http_date("Fri, 20 Nov 2026"));
  CHECK_FALSE(parse_http_date("Fri, 20 Foo 2026 22:12:12 GMT"));
}
