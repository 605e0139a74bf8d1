#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>

namespace outpost::sample {

/// The test suites of a JUnit file, read as a stream, in the form that GET /files/<id>/junit shows. Every testsuite
/// element counts, nested ones too; counts come from the cases. An empty file has none.
/// Throws ApiError 400 "Invalid XML: <what>: line <n>, column <m>".
[[nodiscard]] boost::json::array read_junit(const std::filesystem::path& file);

/// Marks in each case of `suites` what changed against the suites of the previous run (REGRESSED, RECOVERED, ADDED,
/// REMOVED, UNCHANGED), and counts the changes in each suite.
void compare_with_previous(boost::json::array& suites, const boost::json::array& previous);

struct TestCounts {
  std::int64_t total = 0, success = 0, skips = 0, failures = 0, errors = 0, regressions = 0, successfixes = 0;
  double time = 0;  ///< Seconds.
};
[[nodiscard]] TestCounts count_tests(const boost::json::array& suites);

}  // namespace outpost::sample
