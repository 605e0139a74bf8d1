#pragma once

#include "agent/base/workers.hpp"
#include "agent/pipeline/collector.hpp"
#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/tap_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::junit {

struct CollectorLimits {
  std::size_t results = 1000;      ///< Files of one step that are looked at in its results directory.
  std::size_t artifacts = 10'000;  ///< Files of one step in its artifacts directory.
  std::uint64_t artifact_bytes = std::uint64_t{20} << 30;  ///< Of one file.
  std::size_t attachments = 1000;  ///< Files of one step that its tests name.
  JunitLimits junit;
  TapLimits tap;
};

/// Collects what a step left: JUnit files (*.xml) and TAP files (*.tap) from OUTPOST_RESULTS as results, everything in
/// OUTPOST_ARTIFACTS and what tests name as their attachments (find_attachment()) as artifacts, and what else in the
/// workspace the step's rules say. Links are not followed; fifos, devices and whatever breaks a limit are left out with a
/// warning.
///
/// A result is called "<stage>/<plugin>/<path without .xml>", with the hook in between when it is one of several
/// ("test/acme/test.d/10-smoke/unit"): unique in the job as long as no step runs twice, the same in every run. A file
/// that is broken is a result that is not well-formed. A TAP file is a result as the JUnit that it is converted to, which
/// lies in the step's directory "made"; as it was it is the artifact "results/<path>", like other files in
/// OUTPOST_RESULTS, also XML that is no JUnit: nothing that a step made gets lost. Where the step's rules say so, all that
/// is whole becomes one result, called as they say, from the JunitMerger.
///
/// A file whose content or path holds a secret stays as it is, on this host; collected is a copy without, in "made".
class JunitCollector final : public pipeline::Collector {
 public:
  /// `workers` outlives the collector and its calls.
  explicit JunitCollector(Workers& workers, CollectorLimits limits = {}) : workers_{workers}, limits_{limits} {}

  /// unavailable, retry_later: the directory of the step is missing, or those with files cannot be synced. A file that
  /// cannot be read is a warning.
  boost::asio::awaitable<Result<pipeline::Collected>> collect(pipeline::Step step, std::string step_id,
                                                              pipeline::JobDirectory directory, log::Redactor redactor) override;
  boost::asio::awaitable<Result<pipeline::FoundResult>> examine(pipeline::Step step, std::string name, job::Blob blob,
                                                                pipeline::JobDirectory directory) override;
  boost::asio::awaitable<Result<pipeline::FoundResult>> merge(pipeline::Step step, std::string name, std::vector<job::Blob> parts,
                                                              std::filesystem::path to, pipeline::JobDirectory directory, log::Redactor redactor) override;

  boost::asio::awaitable<std::vector<pipeline::FoundResult>> compare(std::vector<pipeline::FoundResult> results,
                                                                     pipeline::JobDirectory directory,
                                                                     pipeline::PreviousResults previous) override;

 private:
  Workers& workers_;
  CollectorLimits limits_;
};

}  // namespace outpost::junit
