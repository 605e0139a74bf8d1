#pragma once

#include "agent/base/result.hpp"
#include "agent/pipeline/collector.hpp"
#include "plugins/junit/junit_summary.hpp"

#include <filesystem>

namespace outpost::junit {

/// What is different in `now` from `before`, two JUnit files of one name in a job and in the one before it. Of cases with
/// the same suite, class and name the last one counts. The numbers of regressions and fixes are the control server's (DCI
/// protocol §6); it does not count a case that is removed together with its whole suite.
///
/// Takes about 50 bytes of memory for each case; with more than `most_cases` in a file nothing is compared: refused.
/// Errors otherwise: unavailable when a file cannot be read. Blocks: for a worker.
[[nodiscard]] Result<pipeline::ResultComparison> compare_junit(const std::filesystem::path& now,
                                                               const std::filesystem::path& before,
                                                               const JunitLimits& limits = {},
                                                               std::size_t most_cases = 2'000'000);

}  // namespace outpost::junit
