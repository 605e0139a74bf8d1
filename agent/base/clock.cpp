#include "agent/base/clock.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace outpost {
namespace {

using namespace std::chrono;

std::tm utc_fields(Timestamp moment) {
  // Not to_time_t(): the system clock's nanoseconds end in 2262.
  const std::time_t seconds = floor<std::chrono::seconds>(moment).time_since_epoch().count();
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  return fields;
}

std::optional<Timestamp> from_fields(int year_, int month_, int day_, int hour, int minute, int second) {
  const year_month_day date{year{year_}, month{static_cast<unsigned>(month_)}, day{static_cast<unsigned>(day_)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  return Timestamp{sys_days{date}} + hours{hour} + minutes{minute} + seconds{second};
}

/// Whether `text` begins with `shape`, in which 0 stands for any digit: sscanf() alone takes signs and blanks, too.
bool has_shape(std::string_view text, std::string_view shape) {
  return text.size() >= shape.size() &&
         std::equal(shape.begin(), shape.end(), text.begin(),
                    [](char due, char is) { return due == '0' ? is >= '0' && is <= '9' : is == due; });
}

/// What four digits of a year can write; a zone may lead out of it.
std::optional<Timestamp> if_writable(Timestamp moment) {
  if (moment < sys_days{year{0} / January / 1} || moment >= sys_days{year{10'000} / January / 1}) return std::nullopt;
  return moment;
}

}  // namespace

Timestamp SystemClock::now() const { return time_point_cast<microseconds>(system_clock::now()); }

nanoseconds SystemClock::since_boot() const {
  timespec value{};
  ::clock_gettime(CLOCK_BOOTTIME, &value);
  return seconds{value.tv_sec} + nanoseconds{value.tv_nsec};
}

std::string to_rfc3339(Timestamp moment) {
  const std::tm fields = utc_fields(moment);
  const auto fraction = (moment - floor<seconds>(moment)).count();
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", fields.tm_year + 1900, fields.tm_mon + 1,
                fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec, static_cast<int>(fraction));
  return text.data();
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, used = 0;
  const std::string copy{text};
  if (!has_shape(copy, "0000-00-00T00:00:00") ||
      std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &used) != 6)
    return std::nullopt;
  auto moment = from_fields(y, mo, d, h, mi, s);
  if (!moment) return std::nullopt;
  auto at = static_cast<std::size_t>(used);
  if (at < copy.size() && copy[at] == '.') {
    std::int64_t scale = 100'000;
    for (++at; at < copy.size() && copy[at] >= '0' && copy[at] <= '9'; ++at, scale /= 10)
      *moment += microseconds{scale * (copy[at] - '0')};
  }
  const std::string zone = copy.substr(at);
  if (zone.empty() || zone == "Z") return if_writable(*moment);
  int zone_hours = 0, zone_minutes = 0;
  if (zone.size() != 6 || !(has_shape(zone, "+00:00") || has_shape(zone, "-00:00")) ||
      std::sscanf(zone.c_str() + 1, "%2d:%2d", &zone_hours, &zone_minutes) != 2)
    return std::nullopt;
  const auto offset = hours{zone_hours} + minutes{zone_minutes};
  return if_writable(zone.front() == '+' ? *moment - offset : *moment + offset);
}

std::string to_basic_utc(Timestamp moment) {
  const std::tm fields = utc_fields(moment);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &fields);
  return text.data();
}

std::optional<Timestamp> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int d = 0, y = 0, h = 0, mi = 0, s = 0;
  std::array<char, 4> month_name{};
  const std::string copy{text};
  if (std::sscanf(copy.c_str(), "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &d, month_name.data(), &y, &h, &mi, &s) != 6)
    return std::nullopt;
  for (std::size_t index = 0; index < months.size(); ++index)
    if (months[index] == month_name.data()) return from_fields(y, static_cast<int>(index) + 1, d, h, mi, s);
  return std::nullopt;
}

}  // namespace outpost
