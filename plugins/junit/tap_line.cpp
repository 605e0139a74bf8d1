#include "plugins/junit/tap_line.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace outpost::junit {
namespace {

constexpr std::size_t longest_number = 9;  ///< Digits; more are a word.

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Takes the digits at the beginning, when they are a number that ends there.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == 0 || digits > longest_number) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + digits, number);
  text.remove_prefix(digits);
  return number;
}

/// Whether `text` begins with the word; `rest` is what follows it.
bool begins_with_word(std::string_view text, std::string_view word, std::string_view& rest) {
  if (!text.starts_with(word) || (text.size() > word.size() && !is_blank(text[word.size()]))) return false;
  rest = text.substr(word.size());
  return true;
}

std::optional<TapLine> plan_in(std::string_view content) {
  if (!content.starts_with("1..")) return std::nullopt;
  content.remove_prefix(3);
  const auto number = take_number(content);
  if (!number || (!trim(content).empty() && !is_blank(content.front()) && content.front() != '#')) return std::nullopt;
  return TapLine{TapLine::Kind::plan, *number, content};
}

/// Where the next `#` stands from `at` on that no backslash takes away from being a mark, behind a blank or at the
/// beginning.
std::optional<std::size_t> mark_in(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') ++at;
    else if (text[at] == '#' && (at == 0 || is_blank(text[at - 1]))) return at;
  }
  return std::nullopt;
}

std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '#' || text[at + 1] == '\\');
    plain += text[escape ? ++at : at];
  }
  return plain;
}

/// Understands what stands behind a mark; false when it is neither a directive nor a time.
bool read_directive(std::string_view text, TapPoint& point) {
  text = trim(text);
  for (const auto& [word, directive] : {std::pair{std::string_view{"skip"}, TapPoint::Directive::skip}, {"todo", TapPoint::Directive::todo}}) {
    if (!equal_ignoring_case(text.substr(0, word.size()), word)) continue;
    std::string_view rest = text.substr(word.size());
    while (!rest.empty() && !is_blank(rest.front()) && rest.front() != ':') rest.remove_prefix(1);  // "SKIPPED"
    point.directive = directive;
    point.reason = trim(rest.starts_with(':') ? rest.substr(1) : rest);
    return true;
  }
  if (!text.starts_with("time=") || !text.ends_with("ms")) return false;
  point.time_us = parse_milliseconds(text.substr(5, text.size() - 7));
  return true;
}

}  // namespace

TapLine parse_tap_line(std::string_view content) {
  std::string_view rest;
  if (begins_with_word(content, "ok", rest)) return {TapLine::Kind::ok, 0, rest};
  if (begins_with_word(content, "not ok", rest)) return {TapLine::Kind::not_ok, 0, rest};
  if (begins_with_word(content, "pragma", rest) && trim(rest).find_first_of("+-") == 0) return {TapLine::Kind::pragma, 0, trim(rest)};
  if (const auto plan = plan_in(content)) return *plan;
  constexpr std::string_view version = "TAP version ", bail = "Bail out!";
  if (equal_ignoring_case(content.substr(0, version.size()), version)) return {TapLine::Kind::version, 0, trim(content.substr(version.size()))};
  if (equal_ignoring_case(content.substr(0, bail.size()), bail)) return {TapLine::Kind::bail_out, 0, content.substr(bail.size())};
  return {};
}

TapPoint parse_tap_point(std::string_view rest) {
  TapPoint point;
  rest = trim(rest);
  std::string_view behind = rest;
  if (const auto number = take_number(behind); number && (behind.empty() || is_blank(behind.front()) || behind.front() == '#')) {
    point.number = number;
    rest = trim(behind);
  }
  if (rest == "-" || rest.starts_with("- ")) rest = trim(rest.substr(1));
  for (auto mark = mark_in(rest, 0); mark; mark = mark_in(rest, *mark + 1)) {
    if (!read_directive(rest.substr(*mark + 1), point)) continue;
    rest = trim(rest.substr(0, *mark));
    break;
  }
  point.description = unescaped(rest);
  return point;
}

std::optional<std::string> yaml_text(std::string_view line, std::string_view key) {
  if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") return std::nullopt;
  std::string_view text = trim(line.substr(key.size() + 1));
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) text = text.substr(1, text.size() - 2);
  if (text.empty() || text.front() == '|' || text.front() == '>') return std::nullopt;
  return std::string{text};
}

std::int64_t parse_milliseconds(std::string_view text) {
  double milliseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc{} || end != text.data() + text.size() || !(milliseconds >= 0 && milliseconds < 1e12)) return 0;
  return std::llround(milliseconds * 1e3);
}

}  // namespace outpost::junit
