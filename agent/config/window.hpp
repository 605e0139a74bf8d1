#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/config/time_zone.hpp"

#include <bitset>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outpost::config {

/// When jobs may be claimed, by the wall clock of one time zone: "Mon..Fri 18:00-06:00", "Sat,Sun",
/// "22:00-04:00 Europe/Prague". Without days: every day; without times: the whole day; without a zone: the machine's.
/// A window over midnight belongs to the day on which it opens. Daylight saving moves it with the wall clock: an
/// opening that the clock skips happens when the clock has jumped, an hour that comes twice counts both times.
class Window {
 public:
  /// The error says which word is wrong; it names neither file nor key.
  [[nodiscard]] static Result<Window> parse(std::string_view text, const ZoneLookup& zones = zone_by_name);

  [[nodiscard]] bool contains(Timestamp moment) const { return contains(zone_.local(moment)); }
  /// From the opening (included) to the closing (excluded).
  [[nodiscard]] bool contains(std::chrono::local_seconds local) const;

  /// The first moment not before `moment` at which the window is open (a whole minute, or `moment` itself).
  [[nodiscard]] Timestamp next_opening(Timestamp moment) const;

  /// As it was written.
  [[nodiscard]] const std::string& text() const { return text_; }

  friend bool operator==(const Window& left, const Window& right) { return left.text_ == right.text_; }

 private:
  Window() = default;

  std::string text_;
  std::bitset<7> days_;  ///< On which it opens; Monday is 0.
  std::chrono::minutes opens_{0};
  std::chrono::minutes closes_{std::chrono::hours{24}};  ///< At or before `opens_`: on the next day.
  TimeZone zone_;
};

/// Whether one of them is open; no windows at all means always.
[[nodiscard]] bool is_open(std::span<const Window> windows, Timestamp moment);
/// The first moment not before `moment` at which one of them is open.
[[nodiscard]] Timestamp next_opening(std::span<const Window> windows, Timestamp moment);

}  // namespace outpost::config
