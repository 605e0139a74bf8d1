#include "plugins/junit/case_counter.hpp"

#include "agent/base/text.hpp"

#include <charconv>
#include <cmath>
#include <functional>
#include <unordered_set>

namespace outpost::junit {
namespace {

constexpr std::size_t names_shown = 20, names_kept = 1000;
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
    const std::string_view suite = attribute(attributes, "name");
    suites_.push_back({shortened(suite), std::hash<std::string_view>{}(suite), ++suites_begun_});
  } else if (name == "testcase" && parent == Kind::suite) {
    kind = Kind::test_case;
    begin_case(attributes);
  } else if (parent == Kind::test_case) {
    note_outcome(name);
  }
  open_.push_back(kind);
}

void CaseCounter::begin_case(const char* const* attributes) {
  const std::string_view class_name = attribute(attributes, "classname"), name = attribute(attributes, "name");
  TestCase begun;
  begun.suite = suites_.back().name;
  begun.class_name = shortened(class_name);
  begun.name = shortened(name);
  constexpr std::uint64_t spread = 0x9E3779B97F4A7C15;  // So that a text in another place is another key.
  begun.key = suites_.back().hash;
  for (const std::string_view part : {class_name, name}) begun.key = begun.key * spread + std::hash<std::string_view>{}(part);
  begun.time_us = parse_seconds(attribute(attributes, "time"));
  // The same names in another suite of this name are another run, as of several files that were merged.
  std::uint64_t place = name.empty() ? 0 : (begun.key + suites_.back().number) * spread;
  for (const char* where : {"file", "line"})
    if (const auto said = attribute(attributes, where); place != 0 && !said.empty()) place = place * spread + std::hash<std::string_view>{}(said);
  cases_.push_back({std::move(begun), place});
}

/// Of several outcomes the last one counts. Earlier tries of a case that was run again are elements of their own: they
/// say what it took, not how it ended.
void CaseCounter::note_outcome(std::string_view element) {
  TestCase& test = cases_.back().test;
  if (element == "skipped") test.outcome = Outcome::skipped;
  if (element == "error") test.outcome = Outcome::error;
  if (element == "failure") test.outcome = Outcome::failure;
  if (element == "flakyFailure" || element == "flakyError") test.flaky = true;
}

void CaseCounter::end() {
  if (open_.empty()) return;
  const Kind kind = open_.back();
  open_.pop_back();
  if (kind == Kind::suite) suites_.pop_back();
  if (kind != Kind::test_case) return;
  TestCase& ended = cases_.back().test;
  ended.flaky = ended.flaky && ended.outcome == Outcome::success;
  count(cases_.back());
  if (ended_) ended_(ended);
  cases_.pop_back();
}

void CaseCounter::count(const Begun& finished) {
  const TestCase& test = finished.test;
  ++counts_.total;
  time_us_ += test.time_us;
  retries_.note(finished.place, test.outcome);
  switch (test.outcome) {
    case Outcome::success: ++counts_.success; break;
    case Outcome::skipped: ++counts_.skips; break;
    case Outcome::error: ++counts_.errors; break;
    case Outcome::failure: ++counts_.failures; break;
  }
  const bool bad = test.outcome == Outcome::error || test.outcome == Outcome::failure;
  if (bad && failed_.size() < names_kept) failed_.push_back({finished.place, test.full_name()});
  if (!test.flaky) return;
  ++counts_.flaky;
  if (counts_.flaky_names.size() < names_shown) counts_.flaky_names.push_back(test.full_name());
}

void CaseCounter::join_retries() {
  const auto found = std::move(retries_).find();
  counts_.total -= found.failures + found.errors;
  counts_.failures -= found.failures;
  counts_.errors -= found.errors;
  counts_.flaky += static_cast<std::int64_t>(found.keys.size());
  std::unordered_set<std::uint64_t> named;
  for (auto& [place, name] : failed_) {
    const bool passed_later = found.keys.contains(Retries::key(place));
    auto& names = passed_later ? counts_.flaky_names : counts_.failed;
    if (names.size() < names_shown && (!passed_later || named.insert(place).second)) names.push_back(std::move(name));
  }
}

void CaseCounter::finish(JunitSummary& summary) {
  // Cut off within a case: one that had already failed must not get lost.
  for (auto open = cases_.rbegin(); open != cases_.rend(); ++open)
    if (open->test.outcome != Outcome::success) count(*open);
  join_retries();
  summary.total = counts_.total;
  summary.success = counts_.success;
  summary.failures = counts_.failures;
  summary.errors = counts_.errors;
  summary.skips = counts_.skips;
  summary.time_ms = std::llround(static_cast<double>(time_us_) / 1000.0);
  summary.failed = std::move(counts_.failed);
  summary.flaky = counts_.flaky;
  summary.flaky_names = std::move(counts_.flaky_names);
}

}  // namespace outpost::junit
