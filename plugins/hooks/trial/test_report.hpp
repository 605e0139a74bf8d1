#pragma once

#include "agent/base/result.hpp"
#include "plugins/hooks/trial/expectations.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

/// How one run of one case went.
struct TestOutcome {
  enum class State { passed, failed, skipped };
  std::string plugin;
  std::string name;   ///< Of the case.
  std::string fault;  ///< Under which it ran, "cancel@1s"; empty: none.
  State state = State::passed;
  std::string why;  ///< Why it was skipped, or could not be run at all.
  std::vector<Mismatch> mismatches;
  std::chrono::milliseconds duration{};
  std::string output;  ///< What the hook printed.
  std::string kept;    ///< Where its files are, when they are kept.

  /// "install cancel@1s"
  [[nodiscard]] std::string title() const { return fault.empty() ? name : name + " " + fault; }
};

[[nodiscard]] std::string_view to_string(TestOutcome::State state);
[[nodiscard]] boost::json::object to_json(const TestOutcome& outcome);
/// malformed: it was not written by to_json().
[[nodiscard]] Result<TestOutcome> test_outcome_from_json(const boost::json::value& json);

/// Lines about one run, for people; `width` is that of the widest title.
[[nodiscard]] std::string human_report(const TestOutcome& outcome, std::size_t width);
/// "3 passed, 1 failed, 0 skipped"
[[nodiscard]] std::string test_summary(const std::vector<TestOutcome>& outcomes);
/// All runs as JUnit: a suite for each plugin.
[[nodiscard]] std::string junit_report(const std::vector<TestOutcome>& outcomes);

}  // namespace outpost::hooks
