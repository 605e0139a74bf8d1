#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outpost::junit {

/// A line of a TAP document without its indentation.
struct TapLine {
  enum class Kind { stranger, ok, not_ok, plan, version, pragma, bail_out };
  Kind kind = Kind::stranger;
  std::uint64_t number = 0;  ///< Of a plan: how many tests it promises.
  std::string_view rest;     ///< What comes behind the words that make it one.
};

[[nodiscard]] TapLine parse_tap_line(std::string_view content);

/// What stands behind `ok` or `not ok`.
struct TapPoint {
  enum class Directive { none, skip, todo };
  std::optional<std::uint64_t> number;
  std::string description;
  Directive directive = Directive::none;
  std::string reason;
  std::int64_t time_us = 0;  ///< Of `# time=12.5ms`, which some producers add.
};

[[nodiscard]] TapPoint parse_tap_point(std::string_view rest);

/// The text at `key:` in a line of diagnostics, if that is what the line is; without quotes.
[[nodiscard]] std::optional<std::string> yaml_text(std::string_view line, std::string_view key);

/// Microseconds; 0 for what is no number of a test's time.
[[nodiscard]] std::int64_t parse_milliseconds(std::string_view text);

}  // namespace outpost::junit
