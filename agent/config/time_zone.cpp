#include "agent/config/time_zone.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

namespace outpost::config {

using namespace std::chrono;

namespace {

/// A day and time of every year, as the POSIX TZ variable writes it (IEEE 1003.1 §8.3).
struct YearlyMoment {
  enum class Form { month_week_day, julian, day_of_year } form = Form::julian;
  unsigned month = 1, week = 1, weekday = 0;
  unsigned day = 1;
  seconds time{hours{2}};

  /// By the wall clock.
  [[nodiscard]] sys_seconds in(year y) const {
    if (form == Form::month_week_day) {
      const chrono_day first = first_weekday(y);
      auto date = first + weeks{week - 1};
      if (year_month_day{date}.month() != std::chrono::month{month}) date -= weeks{1};
      return date + time;
    }
    auto date = sys_days{y / January / 1} + days{form == Form::julian ? day - 1 : day};
    // Jn counts as if there were no 29 February.
    if (form == Form::julian && y.is_leap() && day > 59) date += days{1};
    return date + time;
  }

 private:
  using chrono_day = sys_days;
  [[nodiscard]] chrono_day first_weekday(year y) const {
    return sys_days{y / std::chrono::month{month} / std::chrono::weekday{weekday}[1]};
  }
};

/// "CET-1CEST,M3.5.0,M10.5.0/3"
struct Rule {
  seconds standard{0};
  std::optional<seconds> daylight;
  YearlyMoment starts, ends;

  [[nodiscard]] seconds offset(sys_seconds moment) const {
    if (!daylight) return standard;
    const year y = year_month_day{floor<days>(moment + standard)}.year();
    const auto on = starts.in(y)-standard, off = ends.in(y) - *daylight;
    const bool is_daylight = on < off ? on <= moment && moment < off : moment < off || on <= moment;
    return is_daylight ? *daylight : standard;
  }
};

/// Reads a rule from left to right; every function says whether it could.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_{text} {}

  std::optional<Rule> read() {
    Rule rule;
    if (!name() || !time(rule.standard)) return std::nullopt;
    rule.standard = -rule.standard;  // POSIX counts west of Greenwich as positive.
    if (rest_.empty()) return rule;
    if (!name()) return std::nullopt;
    rule.daylight = rule.standard + hours{1};
    if (!rest_.empty() && rest_.front() != ',') {
      seconds west{0};
      if (!time(west)) return std::nullopt;
      rule.daylight = -west;
    }
    if (!yearly(rule.starts) || !yearly(rule.ends) || !rest_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool name() {
    const bool bracketed = take('<');
    std::size_t size = 0;
    const auto fits = [&](char c) {
      const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      return letter || (bracketed && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
    };
    while (size < rest_.size() && fits(rest_[size])) ++size;
    rest_.remove_prefix(size);
    return size >= 3 && (!bracketed || take('>'));
  }

  bool number(unsigned& value, unsigned least, unsigned most) {
    std::size_t size = 0;
    value = 0;
    for (; size < rest_.size() && size < 3 && rest_[size] >= '0' && rest_[size] <= '9'; ++size)
      value = value * 10 + static_cast<unsigned>(rest_[size] - '0');
    rest_.remove_prefix(size);
    return size > 0 && value >= least && value <= most;
  }

  /// [+-]h[:mm[:ss]], up to 167 hours (RFC 8536 §3.3.1).
  bool time(seconds& value) {
    const bool negative = take('-');
    if (!negative) take('+');
    unsigned h = 0, m = 0, s = 0;
    if (!number(h, 0, 167) || (take(':') && (!number(m, 0, 59) || (take(':') && !number(s, 0, 59))))) return false;
    value = hours{h} + minutes{m} + seconds{s};
    if (negative) value = -value;
    return true;
  }

  bool yearly(YearlyMoment& moment) {
    if (!take(',')) return false;
    if (take('M')) {
      moment.form = YearlyMoment::Form::month_week_day;
      if (!number(moment.month, 1, 12) || !take('.') || !number(moment.week, 1, 5) || !take('.') ||
          !number(moment.weekday, 0, 6))
        return false;
    } else if (take('J')) {
      moment.form = YearlyMoment::Form::julian;
      if (!number(moment.day, 1, 365)) return false;
    } else {
      moment.form = YearlyMoment::Form::day_of_year;
      if (!number(moment.day, 0, 365)) return false;
    }
    return !take('/') || time(moment.time);
  }

  std::string_view rest_;
};

}  // namespace

struct TimeZone::Rules {
  struct Change {
    std::int64_t at;  ///< Seconds since 1970.
    seconds offset;
  };
  seconds before{0};  ///< The first change.
  std::vector<Change> changes;
  std::optional<Rule> afterwards;
};

namespace {

/// The numbers of a TZif file; reading past the end fails for good.
class TzifReader {
 public:
  explicit TzifReader(std::string_view bytes) : rest_{bytes} {}

  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::int64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const auto digits = bytes(size);
    for (const char c : digits) value = value << 8 | static_cast<unsigned char>(c);
    if (size == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    return static_cast<std::int64_t>(value);
  }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

struct TzifHeader {
  char version = 0;
  std::size_t utc_marks = 0, standard_marks = 0, leaps = 0, times = 0, types = 0, characters = 0;

  /// Bytes of the data block behind the header.
  [[nodiscard]] std::size_t size(std::size_t time_size) const {
    return times * (time_size + 1) + types * 6 + characters + leaps * (time_size + 4) + standard_marks + utc_marks;
  }
};

std::optional<TzifHeader> read_header(TzifReader& reader) {
  if (reader.bytes(4) != "TZif") return std::nullopt;
  TzifHeader header;
  const auto version = reader.bytes(16);
  std::size_t* const counts[] = {&header.utc_marks, &header.standard_marks, &header.leaps,
                                 &header.times,     &header.types,          &header.characters};
  for (auto* count : counts) {
    const auto value = reader.number(4);
    if (value < 0 || value > 100'000) return std::nullopt;
    *count = static_cast<std::size_t>(value);
  }
  if (reader.failed() || header.types == 0) return std::nullopt;
  header.version = version.front();
  return header;
}

}  // namespace

Result<TimeZone> TimeZone::from_tzif(std::string_view bytes) {
  const Error broken{Fault::malformed, "not a compiled time zone (TZif)"};
  TzifReader reader{bytes};
  auto header = read_header(reader);
  std::size_t time_size = 4;
  if (header && header->version >= '2') {
    // The first block is for programs of long ago; the second has 64-bit times and a footer.
    (void)reader.bytes(header->size(4));
    header = read_header(reader);
    time_size = 8;
  }
  if (!header) return broken;

  auto rules = std::make_shared<Rules>();
  for (std::size_t index = 0; index < header->times; ++index)
    rules->changes.push_back({reader.number(time_size), seconds{0}});
  const auto type_of = reader.bytes(header->times);
  std::vector<seconds> offsets;
  for (std::size_t index = 0; index < header->types; ++index) {
    offsets.emplace_back(reader.number(4));
    (void)reader.bytes(2);
  }
  (void)reader.bytes(header->characters + header->leaps * (time_size + 4) + header->standard_marks + header->utc_marks);
  if (reader.failed()) return broken;

  rules->before = offsets.front();
  for (std::size_t index = 0; index < header->times; ++index) {
    const auto type = static_cast<unsigned char>(type_of[index]);
    if (type >= offsets.size() || (index > 0 && rules->changes[index].at <= rules->changes[index - 1].at))
      return broken;
    rules->changes[index].offset = offsets[type];
  }
  if (const auto footer = trim(reader.rest()); time_size == 8 && !footer.empty()) {
    rules->afterwards = RuleReader{footer}.read();
    if (!rules->afterwards) return broken;
  }
  TimeZone zone;
  zone.rules_ = std::move(rules);
  return zone;
}

Result<TimeZone> TimeZone::from_rule(std::string_view text) {
  const auto rule = RuleReader{text}.read();
  if (!rule) return Error{Fault::malformed, "\"" + printable(text, 80) + "\" is not a rule for a time zone"};
  auto rules = std::make_shared<Rules>();
  rules->afterwards = rule;
  TimeZone zone;
  zone.rules_ = std::move(rules);
  return zone;
}

seconds TimeZone::offset(Timestamp moment) const {
  if (!rules_) return seconds{0};
  const auto second = floor<seconds>(moment);
  const auto& changes = rules_->changes;
  const auto next = std::upper_bound(changes.begin(), changes.end(), second.time_since_epoch().count(),
                                     [](std::int64_t at, const Rules::Change& change) { return at < change.at; });
  if (next == changes.end() && rules_->afterwards) return rules_->afterwards->offset(second);
  return next == changes.begin() ? rules_->before : std::prev(next)->offset;
}

local_seconds TimeZone::local(Timestamp moment) const {
  return local_seconds{floor<seconds>(moment).time_since_epoch() + offset(moment)};
}

namespace {

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 80 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' ||
           c == '/';
  });
}

Result<TimeZone> from_file(const std::filesystem::path& path) {
  auto bytes = read_small_file(path, 256 * 1024);
  if (!bytes) return bytes.error();
  auto zone = TimeZone::from_tzif(*bytes);
  if (!zone) return Error{zone.error()}.in(path.native());
  return zone;
}

Result<TimeZone> zone_of_machine() {
  const char* variable = std::getenv("TZ");
  if (variable == nullptr) {
    const std::filesystem::path file = "/etc/localtime";
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) return TimeZone{};  // As the C library does.
    return from_file(file);
  }
  std::string_view value = variable;
  if (!value.empty() && value.front() == ':') value.remove_prefix(1);
  if (value.empty()) return TimeZone{};
  if (value.front() == '/') return from_file(value);
  if (auto rule = TimeZone::from_rule(value)) return rule;
  auto zone = zone_by_name(value);
  if (!zone) return Error{zone.error()}.in("the variable TZ");
  return zone;
}

}  // namespace

Result<TimeZone> zone_by_name(std::string_view name) {
  if (name.empty()) return zone_of_machine();
  if (name == "UTC" || name == "Z") return TimeZone{};
  const std::string quoted = "\"" + printable(name, 80) + "\"";
  const std::filesystem::path directory = "/usr/share/zoneinfo";
  if (!is_zone_name(name)) return Error{Fault::malformed, quoted + " is not a time zone (example: Europe/Prague)"};
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored))
    return Error{Fault::unavailable, quoted + " cannot be looked up: install the package tzdata, or write UTC"};
  auto zone = from_file(directory / name);
  if (!zone) return Error{Fault::malformed, quoted + " is not a time zone of this machine (example: Europe/Prague)"};
  return zone;
}

}  // namespace outpost::config
