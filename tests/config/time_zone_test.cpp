#include "agent/config/time_zone.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

using namespace outpost;
using namespace outpost::config;
using namespace std::chrono;
using namespace std::chrono_literals;

namespace {

Timestamp utc(int y, unsigned m, unsigned d, int h = 0, int min = 0, int s = 0) {
  return Timestamp{sys_days{year{y} / m / d}} + hours{h} + minutes{min} + seconds{s};
}

std::string big_endian(std::int64_t value, int size) {
  std::string bytes;
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
  return bytes;
}

/// A TZif block with two types, +1 h and +2 h, and one change from the first to the second at `change`.
std::string block(char version, int time_size, std::int64_t change) {
  std::string bytes = std::string{"TZif"} + version + std::string(15, '\0');
  for (const int count : {0, 0, 0, 1, 2, 4}) bytes += big_endian(count, 4);
  bytes += big_endian(change, time_size) + '\1';
  bytes += big_endian(3600, 4) + std::string(2, '\0') + big_endian(7200, 4) + std::string(2, '\0');
  return bytes + std::string("ABC\0", 4);
}

/// Runs `body` in a process of its own, because TZ belongs to the whole process; it says whether all was well.
template <class Body>
bool in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a rule of POSIX moves the clock on the right Sundays") {
  const auto zone = TimeZone::from_rule("CET-1CEST,M3.5.0,M10.5.0/3");
  REQUIRE(zone.has_value());
  CHECK(zone->offset(utc(2026, 1, 1)) == 1h);
  CHECK(zone->offset(utc(2026, 3, 29, 0, 59, 59)) == 1h);
  CHECK(zone->offset(utc(2026, 3, 29, 1)) == 2h);
  CHECK(zone->offset(utc(2026, 10, 25, 0, 59, 59)) == 2h);
  CHECK(zone->offset(utc(2026, 10, 25, 1)) == 1h);
  CHECK(zone->local(utc(2026, 7, 1, 12)) == local_days{2026y / 7 / 1} + 14h);
}

TEST_CASE("rules of the southern hemisphere, of the west, without summer time and with days of the year work") {
  const auto sydney = TimeZone::from_rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
  CHECK(sydney->offset(utc(2026, 1, 15)) == 11h);
  CHECK(sydney->offset(utc(2026, 7, 15)) == 10h);
  CHECK(sydney->offset(utc(2025, 12, 31, 23)) == 11h);
  const auto new_york = TimeZone::from_rule("EST5EDT,M3.2.0,M11.1.0");
  CHECK(new_york->offset(utc(2026, 3, 8, 6, 59)) == -5h);
  CHECK(new_york->offset(utc(2026, 3, 8, 7)) == -4h);
  CHECK(TimeZone::from_rule("<+0530>-5:30")->offset(utc(2026, 1, 1)) == 5h + 30min);
  CHECK(TimeZone::from_rule("XST0XDT,J60/0,J300/0")->offset(utc(2024, 3, 1)) ==
        1h);  // J60 is 1 March in leap years too.
  CHECK(TimeZone::from_rule("XST0XDT,J60/0,J300/0")->offset(utc(2024, 2, 29, 23)) == 0h);
  CHECK(TimeZone::from_rule("XST0XDT,59/0,300/0")->offset(utc(2024, 2, 29)) == 1h);
  CHECK(TimeZone::from_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0")->offset(utc(2026, 7, 1)) == -1h);
}

TEST_CASE("what is no rule is refused") {
  for (const char* text :
       {"", "C", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x",
        "<CET-1", "CET-200", "12-1", "CET-1CEST,J0,J1", "CET-1CEST,M3.6.0,M10.5.0"})
    CHECK_FALSE(TimeZone::from_rule(text).has_value());
}

TEST_CASE("a compiled zone is read: before, between and after its changes") {
  const auto change = 1'000'000'000;
  const auto at = [](std::int64_t second) { return Timestamp{seconds{second}}; };
  const auto old_form = TimeZone::from_tzif(block('\0', 4, change));
  REQUIRE(old_form.has_value());
  CHECK(old_form->offset(at(change - 1)) == 1h);
  CHECK(old_form->offset(at(change)) == 2h);

  const auto new_form = TimeZone::from_tzif(block('2', 4, 5) + block('2', 8, change) + "\n<+03>-3\n");
  REQUIRE(new_form.has_value());
  CHECK(new_form->offset(at(change - 1)) == 1h);
  CHECK(new_form->offset(at(change)) == 3h);  // The footer speaks for what comes after the last change.
}

TEST_CASE("a compiled zone that is cut off or damaged is refused or read, never a crash") {
  const std::string whole = block('2', 4, 5) + block('2', 8, 1'000'000'000) + "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
  REQUIRE(TimeZone::from_tzif(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto zone = TimeZone::from_tzif(whole.substr(0, size));
    if (zone) CHECK(zone->offset(Timestamp{}) == 1h);
    for (const char byte : {'\0', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[size] = byte;
      if (const auto other = TimeZone::from_tzif(damaged)) (void)other->offset(utc(2026, 1, 1));
    }
  }
  CHECK(TimeZone::from_tzif("hello").error().message == "not a compiled time zone (TZif)");
}

TEST_CASE("names are looked up in the machine's zones and nowhere else") {
  CHECK(zone_by_name("UTC")->offset(utc(2026, 7, 1)) == 0h);
  for (const char* name :
       {"../../etc/passwd", "/etc/localtime", "Europe/../Europe/Prague", "no such", "Europe/Prag", "Europe"}) {
    const auto zone = zone_by_name(name);
    REQUIRE_FALSE(zone.has_value());
    CHECK(zone.error().message.starts_with("\"" + std::string{name} + "\""));
  }
}

TEST_CASE("the zones of this machine say what the C library says") {
  if (!std::filesystem::exists("/usr/share/zoneinfo/Europe/Prague")) {
    WARN("skipped: no tzdata on this machine");
    return;
  }
  for (const char* name : {"Europe/Prague", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Africa/Casablanca",
                           "Pacific/Apia", "Europe/Dublin", "America/Nuuk"}) {
    if (!std::filesystem::exists(std::string{"/usr/share/zoneinfo/"} + name)) continue;
    INFO(name);
    CHECK(in_child([&] {
      const auto zone = zone_by_name(name);
      if (!zone) return false;
      ::setenv("TZ", name, 1);
      ::tzset();
      for (auto moment = utc(1975, 1, 1); moment < utc(2060, 1, 1); moment += 7h + 13min) {
        const std::time_t second = system_clock::to_time_t(moment);
        std::tm fields{};
        ::localtime_r(&second, &fields);
        if (zone->offset(moment) != seconds{fields.tm_gmtoff}) return false;
      }
      return true;
    }));
  }
}

TEST_CASE("the zone of the machine is what the variable TZ says, as a rule, a name or a file") {
  const auto offset_with = [](const char* value, seconds expected) {
    return in_child([&] {
      ::setenv("TZ", value, 1);
      const auto zone = zone_by_name("");
      return zone && zone->offset(utc(2026, 7, 1)) == expected;
    });
  };
  CHECK(offset_with("", 0h));
  CHECK(offset_with("UTC0", 0h));
  CHECK(offset_with("UTC", 0h));
  CHECK(offset_with("CET-1CEST,M3.5.0,M10.5.0/3", 2h));
  const outpost::test::TemporaryDirectory directory;
  outpost::test::write_file(directory.path / "zone", block('\0', 4, 1'000'000'000));
  CHECK(offset_with((directory.path / "zone").c_str(), 2h));
  CHECK(offset_with((":" + (directory.path / "zone").string()).c_str(), 2h));
  CHECK(in_child([] {
    ::setenv("TZ", "Nowhere/Land", 1);
    const auto zone = zone_by_name("");
    return !zone && zone.error().message.find("the variable TZ: \"Nowhere/Land\"") != std::string::npos;
  }));
}
