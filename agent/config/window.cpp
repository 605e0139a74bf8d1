#include "agent/config/window.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace outpost::config {

using namespace std::chrono;

namespace {

constexpr std::array<std::string_view, 7> day_names{"monday", "tuesday",  "wednesday", "thursday",
                                                    "friday", "saturday", "sunday"};

std::string quoted(std::string_view text) { return "\"" + printable(text, 80) + "\""; }

/// 0 is Monday: "Mon" and "Monday", in any case.
std::optional<std::size_t> day_from(std::string_view text) {
  const std::string word = to_lower(text);
  for (std::size_t day = 0; day < day_names.size(); ++day)
    if (word == day_names[day] || word == day_names[day].substr(0, 3)) return day;
  return std::nullopt;
}

/// "Mon..Fri", "Sat,Sun", "Fri..Mon": an error names the word that is none.
Result<std::bitset<7>> days_from(std::string_view text) {
  std::bitset<7> days;
  for (const auto& part : split(text, ',')) {
    const auto dots = part.find("..");
    const std::string first = part.substr(0, dots), last = dots == std::string::npos ? first : part.substr(dots + 2);
    if (const auto dash = part.find('-'); dash != std::string::npos && day_from(part.substr(0, dash)))
      return Error{Fault::malformed, quoted(part) + " is not a range of days (write " + part.substr(0, dash) + ".." +
                                         printable(part.substr(dash + 1), 20) + ")"};
    for (const auto& word : {first, last})
      if (!day_from(word))
        return Error{Fault::malformed, quoted(word) + " is not a day (write Mon, Tue, Wed, Thu, Fri, Sat or Sun)"};
    for (std::size_t day = *day_from(first);; day = (day + 1) % 7) {
      days.set(day);
      if (day == *day_from(last)) break;
    }
  }
  return days;
}

/// "18:00", "6:30", "24:00".
std::optional<minutes> time_from(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 2 || text.size() != colon + 3) return std::nullopt;
  int parts[] = {0, 0};
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at == colon) continue;
    if (text[at] < '0' || text[at] > '9') return std::nullopt;
    int& part = parts[at > colon];
    part = part * 10 + (text[at] - '0');
  }
  const minutes time = hours{parts[0]} + minutes{parts[1]};
  if (parts[1] > 59 || time > hours{24}) return std::nullopt;
  return time;
}

bool looks_like_times(std::string_view word) { return !word.empty() && word.front() >= '0' && word.front() <= '9'; }

/// The moment at which the zone's offset changes, the offsets at both ends being different.
Timestamp change_between(const TimeZone& zone, Timestamp before, Timestamp after) {
  auto low = floor<seconds>(before), high = ceil<seconds>(after);
  const auto offset = zone.offset(low);
  while (high - low > seconds{1}) {
    const auto middle = low + (high - low) / 2;
    (zone.offset(middle) == offset ? low : high) = middle;
  }
  return high;
}

}  // namespace

Result<Window> Window::parse(std::string_view text, const ZoneLookup& zones) {
  Window window;
  window.text_ = trim(text);
  std::vector<std::string> words = split(window.text_, ' ');
  std::erase(words, "");
  const std::string advice = " (examples: \"Mon..Fri 18:00-06:00\", \"Sat,Sun\", \"22:00-04:00 Europe/Prague\")";
  if (words.empty()) return Error{Fault::malformed, quoted(text) + " is not a window" + advice};

  auto word = words.begin();
  window.days_.set();
  // A word that is neither times nor a zone ("Area/City", "UTC") is meant as days.
  const bool only_zone = words.size() == 1 && (*word == "UTC" || word->find('/') != std::string::npos);
  if (only_zone) return Error{Fault::malformed, quoted(text) + " says neither days nor times" + advice};
  if (!looks_like_times(*word)) {
    auto days = days_from(*word++);
    if (!days) return days.error();
    window.days_ = *days;
  }
  if (word != words.end() && looks_like_times(*word)) {
    const auto dash = word->find('-');
    const auto opens = time_from(word->substr(0, dash));
    const auto closes = dash == std::string::npos ? std::nullopt : time_from(word->substr(dash + 1));
    if (!opens || !closes || *opens == hours{24})
      return Error{Fault::malformed, quoted(*word) + " are not times (example: 18:00-06:00)"};
    if (*opens == *closes)
      return Error{Fault::malformed,
                   quoted(*word) + " opens and closes at once; for the whole day leave the times out"};
    window.opens_ = *opens;
    window.closes_ = *closes;
    ++word;
  }
  const std::string zone_name = word == words.end() ? "" : *word++;
  if (word != words.end()) return Error{Fault::malformed, quoted(*word) + " is too much for a window" + advice};
  auto zone = zones(zone_name);
  if (!zone) return zone.error();
  window.zone_ = *zone;
  return window;
}

bool Window::contains(local_seconds local) const {
  const auto day = floor<days>(local);
  const auto time = local - day;
  const auto opens_on = [&](local_days date) { return days_[weekday{date}.iso_encoding() - 1]; };
  if (closes_ > opens_) return opens_on(day) && time >= opens_ && time < closes_;
  return (opens_on(day) && time >= opens_) || (opens_on(day - days{1}) && time < closes_);
}

Timestamp Window::next_opening(Timestamp moment) const {
  while (!contains(moment)) {
    const auto local = zone_.local(moment);
    auto opening = local;
    for (auto day = floor<days>(local); opening <= local; day += days{1})
      if (days_[weekday{day}.iso_encoding() - 1]) opening = std::max(opening, local_seconds{day + opens_});
    const Timestamp candidate = floor<seconds>(moment) + (opening - local);
    // If the clock is set meanwhile, the window may open earlier, later or not at all: look again from there.
    const bool clock_is_set = zone_.offset(moment) != zone_.offset(candidate);
    moment = clock_is_set ? change_between(zone_, moment, candidate) : candidate;
  }
  return moment;
}

bool is_open(std::span<const Window> windows, Timestamp moment) {
  return windows.empty() ||
         std::any_of(windows.begin(), windows.end(), [&](const Window& window) { return window.contains(moment); });
}

Timestamp next_opening(std::span<const Window> windows, Timestamp moment) {
  if (windows.empty()) return moment;
  Timestamp earliest = windows.front().next_opening(moment);
  for (const auto& window : windows) earliest = std::min(earliest, window.next_opening(moment));
  return earliest;
}

}  // namespace outpost::config
