#pragma once

#include "agent/base/result.hpp"
#include "plugins/junit/test_case.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace outpost::junit {

struct JunitLimits {
  std::uint64_t bytes = std::uint64_t{1} << 30;  ///< Of the file.
  unsigned depth = 256;                          ///< Elements in elements.
  std::uint64_t token = 16 << 20;  ///< Of one tag with its attributes, or one comment: these have to be in memory.
};

/// What a JUnit file says. The control server counts the same cases (DCI protocol §6), but for those that were run again
/// and are written once for each try: for it every failed try is a failure.
struct JunitSummary {
  /// The file is XML to its end. If not, `problem` has the parser's words, and the counts are of what came before.
  bool well_formed = true;
  std::string problem;
  /// The root is `testsuites` or `testsuite`, or there is none because the file is empty.
  bool is_junit = true;
  std::string root;         ///< The name of the root element; "" when there is none.
  bool namespaced = false;  ///< Its elements are in an XML namespace: the server counts none of them.

  std::int64_t total = 0, success = 0, failures = 0, errors = 0, skips = 0;
  std::int64_t time_ms = 0;         ///< Sum of the cases' times.
  std::vector<std::string> failed;  ///< The first 20 that failed or had an error, "suite:classname:name".
  std::int64_t flaky = 0;  ///< Of the successes: those that failed first and passed when they were run again.
  std::vector<std::string> flaky_names;  ///< The first 20 of them.
  std::vector<std::string> attachments;  ///< The paths in the tests' output (AttachmentFinder), as they stand there.
};

/// Called for each case when it ends.
using CaseObserver = std::function<void(const TestCase&)>;

/// Reads a JUnit file as a stream: memory does not depend on its size. Counted are the `testcase` elements directly in
/// a `testsuite`, wherever that is; attributes of suites are not believed. Of several outcomes in a case the last one
/// counts; those of earlier tries (`rerunFailure`, `flakyError`...) do not. Tries that are cases of their own are one case
/// where that is beyond doubt (Retries). A time that is not a number is 0.
///
/// What entities may do is make_xml_parser()'s. Limits make the file ill-formed, with the reason in `problem`.
///
/// Errors: unavailable when the file cannot be read. Blocks: for a worker.
[[nodiscard]] Result<JunitSummary> read_junit(const std::filesystem::path& path, const JunitLimits& limits = {},
                                              CaseObserver observer = {});

/// read_junit() of an open file, from its current position; `name` is for messages.
[[nodiscard]] Result<JunitSummary> read_junit(int descriptor, const std::string& name, const JunitLimits& limits = {},
                                              CaseObserver observer = {});

}  // namespace outpost::junit
