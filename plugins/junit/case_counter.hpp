#pragma once

#include "plugins/junit/junit_summary.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::junit {

/// Seconds as a case's `time` has them, in microseconds; 0 for what is not a finite number.
[[nodiscard]] std::int64_t parse_seconds(std::string_view text);

/// Counts test cases from the start and end of elements.
class CaseCounter {
 public:
  /// `attributes`: name, value, name, value..., null, as Expat gives them.
  void start(std::string_view name, const char* const* attributes);
  void end();
  /// Puts the counts, with those of cases that have not ended, into a summary.
  void write_to(JunitSummary& summary) const;

 private:
  enum class Kind { other, suite, test_case };
  enum class Outcome { success, skipped, error, failure };
  struct Case {
    std::string name;  ///< "suite:classname:name"
    std::int64_t time_us = 0;
    Outcome outcome = Outcome::success;
  };

  void count(const Case& finished);

  std::vector<Kind> open_;
  std::vector<std::string> suites_;  ///< Names of the open ones.
  std::vector<Case> cases_;          ///< The open ones.
  JunitSummary counts_;
  std::int64_t time_us_ = 0;
};

}  // namespace outpost::junit
