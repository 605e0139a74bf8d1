#include "plugins/junit/case_counter.hpp"

#include "agent/base/text.hpp"

#include <charconv>
#include <cmath>

namespace outpost::junit {
namespace {

constexpr std::size_t failed_shown = 20;
constexpr std::size_t longest_name = 300;

std::string_view attribute(const char* const* attributes, std::string_view name) {
  for (; attributes && attributes[0]; attributes += 2)
    if (attributes[0] == name) return attributes[1];
  return {};
}

/// Not cut within a character: these names travel as JSON.
std::string shortened(std::string_view text) {
  if (text.size() <= longest_name) return std::string{text};
  std::size_t size = longest_name;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return std::string{text.substr(0, size)} + "...";
}

}  // namespace

std::int64_t parse_seconds(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(seconds)) return 0;
  if (std::abs(seconds) > 1e9) return 0;  // Thirty years: no test's time, and sums must not overflow.
  return std::llround(seconds * 1e6);
}

void CaseCounter::start(std::string_view name, const char* const* attributes) {
  const Kind parent = open_.empty() ? Kind::other : open_.back();
  Kind kind = Kind::other;
  if (name == "testsuite") {
    kind = Kind::suite;
    suites_.push_back(shortened(attribute(attributes, "name")));
  } else if (name == "testcase" && parent == Kind::suite) {
    kind = Kind::test_case;
    Case begun;
    begun.name = suites_.back() + ":" + shortened(attribute(attributes, "classname")) + ":" +
                 shortened(attribute(attributes, "name"));
    begun.time_us = parse_seconds(attribute(attributes, "time"));
    cases_.push_back(std::move(begun));
  } else if (parent == Kind::test_case) {
    if (name == "skipped") cases_.back().outcome = Outcome::skipped;
    if (name == "error") cases_.back().outcome = Outcome::error;
    if (name == "failure") cases_.back().outcome = Outcome::failure;
  }
  open_.push_back(kind);
}

void CaseCounter::end() {
  if (open_.empty()) return;
  const Kind kind = open_.back();
  open_.pop_back();
  if (kind == Kind::suite) suites_.pop_back();
  if (kind != Kind::test_case) return;
  count(cases_.back());
  cases_.pop_back();
}

void CaseCounter::count(const Case& finished) {
  ++counts_.total;
  time_us_ += finished.time_us;
  switch (finished.outcome) {
    case Outcome::success: ++counts_.success; break;
    case Outcome::skipped: ++counts_.skips; break;
    case Outcome::error: ++counts_.errors; break;
    case Outcome::failure: ++counts_.failures; break;
  }
  const bool bad = finished.outcome == Outcome::error || finished.outcome == Outcome::failure;
  if (bad && counts_.failed.size() < failed_shown) counts_.failed.push_back(finished.name);
}

void CaseCounter::write_to(JunitSummary& summary) const {
  CaseCounter whole = *this;
  // Cut off within a case: one that had already failed must not get lost.
  for (auto open = cases_.rbegin(); open != cases_.rend(); ++open)
    if (open->outcome != Outcome::success) whole.count(*open);
  summary.total = whole.counts_.total;
  summary.success = whole.counts_.success;
  summary.failures = whole.counts_.failures;
  summary.errors = whole.counts_.errors;
  summary.skips = whole.counts_.skips;
  summary.time_ms = std::llround(static_cast<double>(whole.time_us_) / 1000.0);
  summary.failed = whole.counts_.failed;
}

}  // namespace outpost::junit
