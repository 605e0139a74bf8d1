#pragma once

#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/retries.hpp"
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
  /// The end of the file: puts the counts, with those of cases that have not ended, into a summary. Tries of a case that
  /// was run again until it passed (Retries) are one case, which is flaky.
  void finish(JunitSummary& summary);

 private:
  enum class Kind { other, suite, test_case };
  struct Suite {
    std::string name;  ///< Shortened.
    std::size_t hash = 0;
    std::uint64_t number = 0;  ///< In the file, from 1.
  };

  /// One that has begun.
  struct Begun {
    TestCase test;
    std::uint64_t place = 0;  ///< Stands for the test as Retries wants it.
  };
  struct Named {
    std::uint64_t place = 0;
    std::string name;
  };

  void begin_case(const char* const* attributes);
  void note_outcome(std::string_view element);
  void count(const Begun& finished);
  void join_retries();

  CaseObserver ended_;
  std::vector<Kind> open_;
  std::vector<Suite> suites_;    ///< The open ones.
  std::vector<Begun> cases_;     ///< The open ones.
  std::vector<Named> failed_;    ///< The first of those that failed.
  Retries retries_;
  JunitSummary counts_;
  std::int64_t time_us_ = 0;
  std::uint64_t suites_begun_ = 0;
};

}  // namespace outpost::junit
