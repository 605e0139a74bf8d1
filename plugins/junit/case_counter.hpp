#pragma once

#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/test_case.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::junit {

/// Seconds as a case's `time` has them, in microseconds; 0 for what is not a finite number.
[[nodiscard]] std::int64_t parse_seconds(std::string_view text);

/// Counts test cases from the start and end of elements.
class CaseCounter {
 public:
  /// `ended` is called for each case when it ends; may be empty.
  explicit CaseCounter(CaseObserver ended = {}) : ended_{std::move(ended)} {}

  /// `attributes`: name, value, name, value..., null, as Expat gives them.
  void start(std::string_view name, const char* const* attributes);
  void end();
  /// Puts the counts, with those of cases that have not ended, into a summary.
  void write_to(JunitSummary& summary) const;

 private:
  enum class Kind { other, suite, test_case };
  struct Suite {
    std::string name;  ///< Shortened.
    std::size_t hash = 0;
  };

  void begin_case(const char* const* attributes);
  void note_outcome(std::string_view element);
  void count(const TestCase& finished);

  CaseObserver ended_;
  std::vector<Kind> open_;
  std::vector<Suite> suites_;    ///< The open ones.
  std::vector<TestCase> cases_;  ///< The open ones.
  JunitSummary counts_;
  std::int64_t time_us_ = 0;
};

}  // namespace outpost::junit
