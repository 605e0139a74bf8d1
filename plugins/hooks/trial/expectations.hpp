#pragma once

#include "plugins/hooks/trial/test_case.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::hooks {

/// A test case that a hook has reported.
struct ReportedCase {
  std::string name;     ///< "classname:name", or the name alone.
  std::string outcome;  ///< pass, fail, error or skip.
};

/// What was seen of a case while it ran.
struct Observed {
  bool ran = false;        ///< The hook under test has begun.
  job::StepEnding ending;  ///< Of its last one.
  job::Judgement judgement;
  std::string output;  ///< Of all hooks of its stage, with the secrets.
  std::vector<ReportedCase> results;
  std::vector<std::string> artifacts;
  std::map<std::string, std::string> variables;  ///< The hook's environment.
  /// What was in the files that the case asks for when the hook had ended, by their path as the case has it; nothing:
  /// there was none.
  std::map<std::string, std::optional<std::string>> files;
  unsigned leftovers = 0;
  std::string survivors;  ///< Processes that nobody could end: "4711 (sleep)".
  std::chrono::milliseconds duration{};
  std::vector<StubCall> calls;
  std::vector<job::Stage> stages;  ///< Of which a hook has run, in their order.
  bool struck = false;             ///< The fault came while the hook ran.
};

/// An expectation that was not met.
struct Mismatch {
  config::Origin where;  ///< Without a file: of no line of the case, but what every hook has to keep.
  std::string what;      ///< "expect.exit"
  std::string detail;    ///< Lines, without a newline at the end.
};

/// What a case has against what was seen.
[[nodiscard]] std::vector<Mismatch> compare(const TestCase& test, const Observed& seen);

/// The same for a case that ran under a fault: what `expect_fault` says, and for what it leaves out, what every plugin
/// has to keep then: its release hook has run if it has one, no process is left, and the verdict tells of the fault.
[[nodiscard]] std::vector<Mismatch> compare_under(const InjectedFault& fault, const TestCase& test,
                                                  const Observed& seen, bool has_release);

/// The lines of two texts, those that only one has with - (expected) and + (found) in front.
[[nodiscard]] std::string line_difference(const std::string& expected, const std::string& found);

/// Puts the values of variables in: "$OUTPOST_STATE/installed", "${HOME}".
[[nodiscard]] std::string with_variables(const std::string& text, const std::map<std::string, std::string>& variables);

}  // namespace outpost::hooks
