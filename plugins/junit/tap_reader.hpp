#pragma once

#include "plugins/junit/test_case.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::junit {

struct TapLimits {
  std::uint64_t bytes = 256 << 20;  ///< Of a file.
  std::size_t line = 64 << 10;      ///< Bytes of a line that are looked at.
  std::size_t details = 64 << 10;   ///< Bytes of what is said about one test.
  std::size_t subtest = 16 << 20;   ///< Bytes of one subtest: its tests wait in memory for the one that sums them up.
  std::size_t depth = 32;           ///< Subtests in subtests.
};

/// A test as a TAP document tells of it.
struct TapTest {
  std::string group;  ///< The subtests that it is in, from the outermost, with " / " between them.
  std::string name;
  std::string message;  ///< Why it failed or was skipped, in a line.
  std::string details;  ///< Diagnostics, as they stand there.
  std::int64_t time_us = 0;
  Outcome outcome = Outcome::success;
};

/// Reads the Test Anything Protocol line by line: version 14 (https://testanything.org/tap-version-14-specification.html),
/// and so 13 and 12.
///
/// * `# TODO` makes a failure skipped; `# SKIP` makes any test skipped.
/// * A test that sums up a subtest is told of only when it says something that the subtest's own tests do not: that it
///   failed although all of them passed. Its directive holds for all of them.
/// * What the document promised and did not keep is an error, as a test of its own: no plan, or another number of tests
///   than planned, `Bail out!`, a line that is none of the protocol's under `pragma +strict`.
class TapReader {
 public:
  /// `found` is called for each test in the order of the document.
  explicit TapReader(std::function<void(const TapTest&)> found, const TapLimits& limits = {});

  /// The next line, without its end.
  void read(std::string_view line);
  /// The document is over.
  void finish();
  /// It is not read any further, which is an error of the document.
  void stop(std::string why);

  /// Why it could not be read to its end; "" when it could.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// What is odd about it, for people.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Plan {
    std::uint64_t tests = 0;
    std::string reason;       ///< Of `1..0 # SKIP reason`.
    bool after_tests = false;
  };
  struct Point {
    TapTest test;
    bool todo = false;
    std::vector<TapTest> subtest;  ///< What it sums up.
  };
  /// The document (level 0), or an open subtest.
  struct Level {
    std::string announced;  ///< Its name, by `# Subtest: name`.
    std::string next;       ///< The name of the subtest that comes next, likewise.
    std::optional<Plan> plan;
    std::uint64_t tests = 0;
    std::vector<std::string> problems;
    std::optional<Point> point;    ///< The last one: diagnostics may still follow.
    std::vector<TapTest> subtest;  ///< Of a subtest that has ended: its point comes next.
    std::string subtest_name;      ///< Its name, if it was announced.
    std::vector<TapTest> tests_so_far;  ///< Not on level 0.
    bool strict = false;
  };

  void read_content(std::size_t level, std::string_view content);
  bool read_yaml(std::string_view line);
  bool read_comment(std::size_t level, std::string_view content);
  void read_point(std::string_view rest, bool ok);
  void read_plan(std::uint64_t tests, std::string_view rest);
  void read_version(std::size_t level, std::string_view number);
  void read_pragma(std::string_view rest);
  void stranger(std::string_view line);
  void bail_out(std::string_view why);
  void go_to(std::size_t level);
  void close_level();
  void end_point(std::size_t level);
  void end_orphans(std::size_t level);
  void check_plan(std::size_t level);
  void tell(std::size_t level, TapTest test);
  void add_details(TapTest& test, std::string_view line) const;
  void yaml_key(TapTest& test, std::string_view line) const;
  void note(std::string problem);
  [[nodiscard]] Level& current() { return levels_.back(); }

  std::function<void(const TapTest&)> found_;
  TapLimits limits_;
  std::vector<Level> levels_{1};
  std::optional<std::size_t> yaml_;  ///< Spaces before each line of the block that is open.
  std::size_t waiting_ = 0;          ///< Bytes of tests that wait for their point.
  bool begun_ = false;               ///< Something of the protocol has been seen.
  bool over_ = false;
  std::string problem_;
  std::vector<std::string> notes_;
};

}  // namespace outpost::junit
