#include "agent/config/window.hpp"

#include "configuration.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::config;
using namespace std::chrono;
using namespace std::chrono_literals;

namespace {

Window window(std::string_view text) {
  auto parsed = Window::parse(text, config::test::test_zones);
  INFO(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

/// November 2026: the 23rd is a Monday. Prague is one hour ahead of UTC.
local_seconds wall(unsigned day, int hour, int minute = 0) {
  return local_days{2026y / November / day} + hours{hour} + minutes{minute};
}

Timestamp utc(unsigned m, unsigned d, int h, int min = 0, int s = 0) {
  return Timestamp{sys_days{2026y / m / d}} + hours{h} + minutes{min} + seconds{s};
}

}  // namespace

TEST_CASE("a window of days and times is open from the opening to the closing") {
  const Window working = window("Mon..Fri 08:00-17:30");
  CHECK(working.contains(wall(23, 8)));
  CHECK(working.contains(wall(27, 17, 29)));
  CHECK_FALSE(working.contains(wall(23, 7, 59)));
  CHECK_FALSE(working.contains(wall(23, 17, 30)));
  CHECK_FALSE(working.contains(wall(28, 12)));
  CHECK_FALSE(working.contains(wall(29, 12)));
}

TEST_CASE("a window over midnight belongs to the day on which it opens") {
  const Window nights = window("Mon..Fri 18:00-06:00");
  CHECK(nights.contains(wall(23, 18)));
  CHECK(nights.contains(wall(24, 5, 59)));
  CHECK_FALSE(nights.contains(wall(24, 6)));
  CHECK_FALSE(nights.contains(wall(23, 5)));  // Sunday's night is not configured.
  CHECK(nights.contains(wall(28, 5)));        // Friday's night ends on Saturday.
  CHECK_FALSE(nights.contains(wall(28, 18)));
}

TEST_CASE("days without times are whole days, times without days are every day") {
  const Window weekend = window("Sat,Sun");
  CHECK(weekend.contains(wall(28, 0)));
  CHECK(weekend.contains(wall(29, 23, 59)));
  CHECK_FALSE(weekend.contains(wall(30, 0)));
  const Window nights = window("22:00-04:00");
  for (unsigned day = 23; day < 30; ++day) {
    CHECK(nights.contains(wall(day, 22)));
    CHECK(nights.contains(wall(day, 3, 59)));
    CHECK_FALSE(nights.contains(wall(day, 4)));
  }
}

TEST_CASE("days may be lists, ranges over the weekend, whole names, in any case; the end may be 24:00") {
  CHECK(window("fri..MON").contains(wall(23, 12)));
  CHECK_FALSE(window("fri..MON").contains(wall(24, 12)));
  CHECK(window("Monday,Wed..Thursday 9:00-24:00").contains(wall(25, 23, 59)));
  CHECK_FALSE(window("Monday,Wed..Thursday 9:00-24:00").contains(wall(26, 0)));
  CHECK(window("  Sun   00:00-24:00 ").contains(wall(29, 0)));
  CHECK(window("Sun..Sun").contains(wall(29, 0)));
  CHECK(window("Mon..Fri 18:00-00:00").contains(wall(23, 23, 59)));
  CHECK_FALSE(window("Mon..Fri 18:00-00:00").contains(wall(24, 0)));
}

TEST_CASE("a moment is judged by the clock of the window's zone, the machine's without one") {
  const Window here = window("Mon 18:00-20:00"), there = window("Mon 18:00-20:00 America/New_York"),
               zulu = window("Mon 18:00-20:00 UTC");
  CHECK(here.contains(utc(11, 23, 17)));
  CHECK_FALSE(here.contains(utc(11, 23, 19)));
  CHECK(there.contains(utc(11, 23, 23)));
  CHECK_FALSE(there.contains(utc(11, 23, 18)));
  CHECK(zulu.contains(utc(11, 23, 18)));
}

TEST_CASE("the next opening is now when the window is open, else the coming one") {
  const Window nights = window("Mon..Fri 18:00-06:00");
  CHECK(nights.next_opening(utc(11, 23, 20, 5, 7)) == utc(11, 23, 20, 5, 7));
  CHECK(nights.next_opening(utc(11, 23, 12, 5, 7)) == utc(11, 23, 17));
  CHECK(nights.next_opening(utc(11, 28, 5)) == utc(11, 30, 17));  // Friday's night has ended: Monday evening.
  CHECK(window("Sat").next_opening(utc(11, 29, 5)) == utc(12, 4, 23));
  CHECK(window("Sun 10:00-11:00").next_opening(utc(11, 29, 10)) == utc(12, 6, 9));
  CHECK(window("00:00-24:00").next_opening(utc(11, 29, 10)) == utc(11, 29, 10));
}

TEST_CASE("an opening that summer time skips happens when the clock has jumped") {
  // On 29 March 2026 the clock goes from 02:00 to 03:00, at 01:00 UTC.
  CHECK(window("02:30-04:00").next_opening(utc(3, 28, 12)) == utc(3, 29, 1));
  CHECK(window("02:30-04:00").contains(utc(3, 29, 1)));
  // A window that lies in the skipped hour does not open on that day.
  CHECK(window("02:15-02:45").next_opening(utc(3, 29, 0)) == utc(3, 30, 0, 15));
  CHECK(window("Sun 02:15-02:45").next_opening(utc(3, 29, 0)) == utc(4, 5, 0, 15));
  // Openings behind the change keep to the wall clock.
  CHECK(window("18:00-20:00").next_opening(utc(3, 28, 20)) == utc(3, 29, 16));
}

TEST_CASE("an hour that comes twice counts both times") {
  // On 25 October 2026 the clock goes from 03:00 back to 02:00, at 01:00 UTC.
  const Window early = window("02:00-02:30");
  CHECK(early.contains(utc(10, 25, 0, 10)));
  CHECK_FALSE(early.contains(utc(10, 25, 0, 40)));
  CHECK(early.contains(utc(10, 25, 1, 10)));
  CHECK(early.next_opening(utc(10, 25, 0, 40)) == utc(10, 25, 1));
  // It opens again because the clock is set back into it.
  CHECK(window("01:00-02:30").next_opening(utc(10, 25, 0, 40)) == utc(10, 25, 1));
  CHECK(window("18:00-20:00").next_opening(utc(10, 24, 20)) == utc(10, 25, 17));
}

TEST_CASE("whatever the moment, the next opening is open, not earlier, and nothing before it is open") {
  const std::vector<std::string> texts{"Mon..Fri 18:00-06:00", "Sat,Sun",         "02:15-02:45",
                                       "Sun 01:30-03:30",      "Wed 23:59-00:01", "Sun 02:00-02:01 America/New_York"};
  for (const auto& text : texts) {
    const Window subject = window(text);
    for (const auto start :
         {utc(3, 27, 3, 3), utc(10, 23, 3, 3), utc(11, 20, 3, 3), utc(3, 6, 3, 3), utc(10, 30, 3, 3)}) {
      for (auto moment = start; moment < start + days{4}; moment += 47min) {
        const auto opening = subject.next_opening(moment);
        REQUIRE(opening >= moment);
        REQUIRE(subject.contains(opening));
        if (opening > moment) REQUIRE_FALSE(subject.contains(opening - 1s));
        for (auto between = moment; between < std::min(opening, moment + hours{6}); between += 7min)
          REQUIRE_FALSE(subject.contains(between));
      }
    }
  }
}

TEST_CASE("several windows are open when one of them is; none at all is always open") {
  const std::vector<Window> both{window("Mon..Fri 18:00-06:00"), window("Sat,Sun")};
  CHECK(is_open(both, utc(11, 28, 12)));
  CHECK_FALSE(is_open(both, utc(11, 27, 12)));
  CHECK(next_opening(both, utc(11, 27, 12)) == utc(11, 27, 17));
  CHECK(next_opening(both, utc(11, 30, 12)) == utc(11, 30, 17));
  CHECK(is_open({}, utc(11, 27, 12)));
  CHECK(next_opening({}, utc(11, 27, 12)) == utc(11, 27, 12));
}

TEST_CASE("what is no window is refused with the word that is wrong") {
  const auto error = [](std::string_view text) {
    const auto parsed = Window::parse(text, config::test::test_zones);
    return parsed ? std::string{"accepted"} : parsed.error().message;
  };
  CHECK(error("Mon..Fry 18:00-06:00") == "\"Fry\" is not a day (write Mon, Tue, Wed, Thu, Fri, Sat or Sun)");
  CHECK(error("Mon..Fri,") == "\"\" is not a day (write Mon, Tue, Wed, Thu, Fri, Sat or Sun)");
  CHECK(error("Mon-Fri") == "\"Mon-Fri\" is not a range of days (write Mon..Fri)");
  CHECK(error("18:00") == "\"18:00\" are not times (example: 18:00-06:00)");
  CHECK(error("18:60-19:00") == "\"18:60-19:00\" are not times (example: 18:00-06:00)");
  CHECK(error("24:00-06:00") == "\"24:00-06:00\" are not times (example: 18:00-06:00)");
  CHECK(error("18:00-24:01") == "\"18:00-24:01\" are not times (example: 18:00-06:00)");
  CHECK(error("18:00 - 19:00") == "\"18:00\" are not times (example: 18:00-06:00)");
  CHECK(error("08:00-08:00") == "\"08:00-08:00\" opens and closes at once; for the whole day leave the times out");
  CHECK(error("Sat 08:00-09:00 Mars/Base") ==
        "\"Mars/Base\" is not a time zone of this machine (example: Europe/Prague)");
  CHECK(error("UTC").find("says neither days nor times") != std::string::npos);
  CHECK(error("").find("is not a window") != std::string::npos);
  CHECK(error("always") == "\"always\" is not a day (write Mon, Tue, Wed, Thu, Fri, Sat or Sun)");
}
