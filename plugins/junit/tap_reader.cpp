#include "plugins/junit/tap_reader.hpp"

#include "agent/base/text.hpp"
#include "plugins/junit/tap_line.hpp"

#include <algorithm>

namespace outpost::junit {
namespace {

constexpr std::string_view own_test = "TAP as planned";  ///< The case that says what the document did not keep.
constexpr std::size_t spaces_of_level = 4;
constexpr std::size_t most_problems = 20;  ///< Of a level that are told.

bool is_bad(const TapTest& test) { return test.outcome == Outcome::failure || test.outcome == Outcome::error; }

/// "" and "b" are "b": groups are told from the outermost to the innermost.
std::string within(const std::string& outer, const std::string& inner) {
  if (outer.empty() || inner.empty()) return outer + inner;
  return outer + " / " + inner;
}

}  // namespace

TapReader::TapReader(std::function<void(const TapTest&)> found, const TapLimits& limits)
    : found_{std::move(found)}, limits_{limits} {}

void TapReader::read(std::string_view line) {
  if (over_) return;
  if (!begun_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  line = line.substr(0, limits_.line);
  while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
  if (yaml_ && read_yaml(line)) return;
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view content = line.substr(indent);
  if (trim(content).empty()) return;
  const std::size_t level = indent / spaces_of_level;
  const bool of_point = indent % spaces_of_level == 2 && trim(content) == "---";
  if (of_point && level < levels_.size() && levels_[level].point) {
    go_to(level);
    yaml_ = indent;
  } else if (indent % spaces_of_level == 0 && level <= levels_.size() && level <= limits_.depth) {
    read_content(level, content);
  } else {
    stranger(line);
  }
}

void TapReader::finish() {
  if (over_) return;
  go_to(0);
  end_point(0);
  end_orphans(0);
  if (!over_) check_plan(0);
  over_ = true;
}

void TapReader::read_content(std::size_t level, std::string_view content) {
  if (content.starts_with('#')) {
    if (!read_comment(level, content)) stranger(content);
    return;
  }
  const TapLine line = parse_tap_line(content);
  if (line.kind == TapLine::Kind::stranger) return stranger(content);
  begun_ = true;
  go_to(level);
  switch (line.kind) {
    case TapLine::Kind::ok: return read_point(line.rest, true);
    case TapLine::Kind::not_ok: return read_point(line.rest, false);
    case TapLine::Kind::plan: return read_plan(line.number, line.rest);
    case TapLine::Kind::version: return read_version(level, line.rest);
    case TapLine::Kind::pragma: return read_pragma(line.rest);
    case TapLine::Kind::bail_out: return bail_out(line.rest);
    case TapLine::Kind::stranger: return;
  }
}

/// Takes a line of the open block; false when the block ended without its mark, and the line is something else.
bool TapReader::read_yaml(std::string_view line) {
  TapTest& test = current().point->test;
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  if (indent < *yaml_ && !trim(line).empty()) {
    note("a block of diagnostics has no end");
    yaml_.reset();
    return false;
  }
  line.remove_prefix(std::min(*yaml_, line.size()));
  if (trim(line) == "...") {
    yaml_.reset();
    return true;
  }
  yaml_key(test, line);
  add_details(test, line);
  return true;
}

/// Comments belong to the test before them; `# Subtest: name` opens a subtest, at its own indentation or its parent's.
bool TapReader::read_comment(std::size_t level, std::string_view content) {
  const std::string_view text = trim(content.substr(1));
  if (text.starts_with("Subtest:") || text == "Subtest") {
    const std::string name{trim(text.substr(std::min(text.size(), std::string_view{"Subtest:"}.size())))};
    begun_ = true;
    go_to(level);
    Level& here = current();
    const bool fresh = level > 0 && here.announced.empty() && here.tests == 0 && !here.plan;
    (fresh ? here.announced : here.next) = name;
    return true;
  }
  if (auto& point = current().point; point && is_bad(point->test)) {
    if (point->test.message.empty()) point->test.message = text;
    add_details(point->test, content);
  }
  return true;
}

void TapReader::read_point(std::string_view rest, bool ok) {
  const std::size_t level = levels_.size() - 1;
  end_point(level);
  Level& here = current();
  ++here.tests;
  if (here.plan && here.plan->after_tests) note("the plan is neither at the beginning nor at the end");
  TapPoint parsed = parse_tap_point(rest);
  Point point;
  const std::uint64_t number = parsed.number.value_or(here.tests);
  if (here.plan && number > here.plan->tests && here.plan->tests > 0)
    note("test " + std::to_string(number) + " is none of those that were planned");
  point.test.name = !parsed.description.empty() ? std::move(parsed.description) : "test " + std::to_string(number);
  point.test.time_us = parsed.time_us;
  point.test.outcome = ok ? Outcome::success : Outcome::failure;
  point.todo = parsed.directive == TapPoint::Directive::todo;
  if (parsed.directive == TapPoint::Directive::skip || (point.todo && !ok)) point.test.outcome = Outcome::skipped;
  if (parsed.directive != TapPoint::Directive::none)
    point.test.message = (point.todo ? "TODO" : "SKIP") + (parsed.reason.empty() ? "" : ": " + parsed.reason);
  point.subtest = std::move(here.subtest);
  here.subtest.clear();
  here.point = std::move(point);
}

void TapReader::read_plan(std::uint64_t tests, std::string_view rest) {
  Level& here = current();
  end_point(levels_.size() - 1);
  if (here.plan) return note("there is more than one plan");
  std::string_view reason = trim(rest);
  if (reason.starts_with('#')) reason = trim(reason.substr(1));
  if (equal_ignoring_case(reason.substr(0, 4), "skip")) {
    reason.remove_prefix(4);
    while (!reason.empty() && reason.front() != ' ' && reason.front() != ':') reason.remove_prefix(1);  // "skipped", "skip_all"
    reason = trim(reason.starts_with(':') ? reason.substr(1) : reason);
  }
  here.plan = Plan{tests, std::string{reason}, here.tests > 0};
}

void TapReader::read_version(std::size_t level, std::string_view number) {
  if (number == "14" || number == "13" || level > 0) return;
  notes_.push_back("TAP version " + printable(number, 40) + " is not known; read as version 14");
}

void TapReader::read_pragma(std::string_view rest) {
  for (const std::string& each : split(rest, ' ')) {
    if (each == "+strict") current().strict = true;
    if (each == "-strict") current().strict = false;
  }
}

/// What is no TAP is passed over, as the output of whatever the tests call; but not where the document forbids it.
void TapReader::stranger(std::string_view line) {
  if (current().strict)
    note("this line is no TAP, and strictness was asked for: " + printable(trim(line), 200));
}

void TapReader::bail_out(std::string_view why) {
  over_ = true;  // What has been promised counts no more.
  while (levels_.size() > 1) close_level();
  end_point(0);
  end_orphans(0);
  TapTest test;
  test.name = "Bail out!";
  test.message = trim(why).empty() ? "the test program gave up" : trim(why);
  test.outcome = Outcome::error;
  tell(0, std::move(test));
}

/// Makes `level` the current one: subtests that are deeper have ended, or one begins.
void TapReader::go_to(std::size_t level) {
  while (levels_.size() > level + 1) close_level();
  if (levels_.size() > level) return;
  end_point(level - 1);
  end_orphans(level - 1);
  Level opened;
  opened.strict = current().strict;
  opened.announced = std::exchange(current().next, {});
  levels_.push_back(std::move(opened));
}

void TapReader::close_level() {
  const std::size_t level = levels_.size() - 1;
  yaml_.reset();
  end_point(level);
  end_orphans(level);
  if (!over_) check_plan(level);
  Level closed = std::move(levels_.back());
  levels_.pop_back();
  current().subtest = std::move(closed.tests_so_far);
  current().subtest_name = std::move(closed.announced);
}

/// The last test of a level is complete: tells of it, or of those that it sums up.
void TapReader::end_point(std::size_t level) {
  auto& here = levels_[level];
  if (!here.point) return;
  yaml_.reset();
  Point point = std::move(*here.point);
  here.point.reset();
  const bool excused = point.todo || point.test.outcome == Outcome::skipped;
  bool any_bad = false;
  const bool sums_up = !point.subtest.empty();
  for (TapTest& test : point.subtest) {
    test.group = within(point.test.name, test.group);
    if (excused && is_bad(test)) {
      test.outcome = Outcome::skipped;
      test.message = point.test.message;
    }
    any_bad = any_bad || is_bad(test);
    tell(level, std::move(test));
  }
  if (!sums_up || (is_bad(point.test) && !any_bad)) {
    if (is_bad(point.test) && point.test.message.empty()) point.test.message = "not ok";
    tell(level, std::move(point.test));
  }
  if (level == 0) waiting_ = 0;
}

/// Tests of a subtest that nothing sums up count all the same.
void TapReader::end_orphans(std::size_t level) {
  auto& here = levels_[level];
  const std::string group = here.subtest_name.empty() ? "subtest" : here.subtest_name;
  for (TapTest& test : std::exchange(here.subtest, {})) {
    test.group = within(group, test.group);
    tell(level, std::move(test));
  }
  if (level == 0) waiting_ = 0;
}

void TapReader::check_plan(std::size_t level) {
  Level& here = levels_[level];
  if (!here.plan) {
    here.problems.emplace_back(here.tests == 0 ? "there is no test and no plan" : "there is no plan: the test program ended early");
  } else if (here.plan->tests != here.tests) {
    here.problems.push_back(std::to_string(here.plan->tests) + " tests were planned, " + std::to_string(here.tests) + " ran");
  }
  TapTest test;
  test.name = own_test;
  if (!here.problems.empty()) {
    test.outcome = Outcome::error;
    test.message = here.problems.front();
    for (const std::string& problem : here.problems) add_details(test, problem);
    tell(level, std::move(test));
  } else if (here.tests == 0) {
    test.name = "all tests";
    test.outcome = Outcome::skipped;
    test.message = "SKIP" + (here.plan->reason.empty() ? "" : ": " + here.plan->reason);
    tell(level, std::move(test));
  }
}

void TapReader::tell(std::size_t level, TapTest test) {
  if (level == 0) return found_(test);
  waiting_ += sizeof test + test.group.size() + test.name.size() + test.message.size() + test.details.size();
  levels_[level].tests_so_far.push_back(std::move(test));
  if (waiting_ > limits_.subtest) stop("a subtest of more than " + std::to_string(limits_.subtest) + " bytes");
}

void TapReader::stop(std::string why) {
  if (over_) return;
  over_ = true;
  problem_ = std::move(why);
  TapTest test;
  test.name = own_test;
  test.message = problem_;
  test.outcome = Outcome::error;
  found_(test);
}

/// Something that the current level has not kept.
void TapReader::note(std::string problem) {
  if (current().problems.size() < most_problems) current().problems.push_back(std::move(problem));
}

void TapReader::add_details(TapTest& test, std::string_view line) const {
  const std::size_t room = limits_.details - std::min(limits_.details, test.details.size());
  test.details += line.substr(0, room);
  if (room > 0) test.details += '\n';
}

/// The keys of diagnostics that have a meaning for us.
void TapReader::yaml_key(TapTest& test, std::string_view line) const {
  if (const auto text = yaml_text(line, "message"); text && test.message.empty()) test.message = *text;
  if (const auto text = yaml_text(line, "duration_ms")) test.time_us = parse_milliseconds(*text);
}

}  // namespace outpost::junit
