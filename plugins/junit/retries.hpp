#pragma once

#include "plugins/junit/test_case.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace outpost::junit {

/// Finds the cases of a file that were run again until they passed, where each try is a case of its own: openshift-tests,
/// gotestsum, Gradle and others write them so.
///
/// Two cases of one name can also be two tests whose names are too short. So a case counts as run again only when its
/// tries failed and the last one passed, all in one suite, and only in a file where no case passes and then comes again.
class Retries {
 public:
  struct Found {
    std::unordered_set<std::uint64_t> keys;  ///< key() of cases that passed in the end.
    std::int64_t failures = 0, errors = 0;   ///< Their earlier tries.
  };

  /// As much of what stands for a case as is remembered.
  [[nodiscard]] static constexpr std::uint64_t key(std::uint64_t test) { return test & ~outcome_bits; }

  /// The next case of the file. `test` stands for all that identifies the test; 0: nothing does.
  void note(std::uint64_t test, Outcome outcome);

  /// Nothing in files with more than a million cases, of which not all are remembered.
  [[nodiscard]] Found find() &&;

 private:
  static constexpr std::size_t most_cases = std::size_t{1} << 20;
  static constexpr std::uint64_t outcome_bits = 3;

  static constexpr Outcome outcome_of(std::uint64_t attempt) { return static_cast<Outcome>(attempt & outcome_bits); }

  std::vector<std::uint64_t> tries_;  ///< In order: key() with the outcome in the bits that it leaves.
  bool any_failed_ = false, too_many_ = false;
};

}  // namespace outpost::junit
