#pragma once

#include <cstdint>
#include <string>

namespace outpost::junit {

enum class Outcome : unsigned char { success, skipped, error, failure };

/// A test case as a JUnit file has it.
struct TestCase {
  /// Stands for suite, class and name in their full length: the same for the same case in every run.
  std::uint64_t key = 0;
  std::string suite, class_name, name;  ///< Each of them shortened to 300 bytes.
  std::int64_t time_us = 0;
  Outcome outcome = Outcome::success;
  bool flaky = false;  ///< It passed, but only when it was tried again.

  /// "suite:classname:name"
  [[nodiscard]] std::string full_name() const { return suite + ":" + class_name + ":" + name; }
};

}  // namespace outpost::junit
