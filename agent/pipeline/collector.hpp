#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"
#include "agent/log/redactor.hpp"
#include "agent/pipeline/step_runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// What is different in a result from the one of its name in the job before. Names are "suite:classname:name", of each
/// kind the first 20.
struct ResultComparison {
  std::string job_id;            ///< The job before.
  std::int64_t regressions = 0;  ///< From success to failure.
  std::int64_t fixes = 0;        ///< From failure to success.
  std::int64_t added = 0, removed = 0;
  std::int64_t changed = 0;         ///< In another way, as from success to error.
  std::int64_t time_ms_before = 0;  ///< What time_ms was.
  std::vector<std::string> regressed, fixed, added_names, removed_names;
  std::vector<std::string> changed_names;  ///< "suite:classname:name (success, now error)"
};

struct FoundResult {
  std::string name;  ///< Unique in the job, the same in every run: "<stage>/<plugin>/<path without .xml>" or shorter.
  job::Blob blob;    ///< Path relative to the job's directory; sha256 and size of the synced file.
  bool well_formed = true;
  std::string problem;  ///< Why not.
  bool can_be_part = true;  ///< Of a result that several files become; what is broken or empty cannot.
  std::int64_t total = 0, success = 0, failures = 0, errors = 0, skips = 0;
  std::int64_t time_ms = 0;
  std::vector<std::string> failed;  ///< The first 20 "suite:classname:name".
  std::int64_t flaky = 0;           ///< Successes only when they were run again.
  std::vector<std::string> flaky_names;  ///< The first 20.
  std::optional<ResultComparison> comparison;  ///< By compare().
};

/// As the event result.found has it, without the names of the step.
[[nodiscard]] boost::json::object to_json(const FoundResult& result);

struct FoundArtifact {
  std::string name;  ///< The path below the artifacts directory.
  job::Blob blob;    ///< With its mime type.
};

struct Collected {
  std::vector<FoundResult> results;
  std::vector<FoundArtifact> artifacts;
  std::vector<std::string> warnings;  ///< What was left out, and why.
};

/// The results of an earlier job.
struct PreviousResults {
  std::string job_id;
  std::filesystem::path directory;           ///< The job's.
  std::map<std::string, std::string> files;  ///< By the results' names: paths in the directory.
};

/// Turns the files that a step left in its results and artifacts directories into results and artifacts. Files and
/// directories are synced to disk before it returns, so that events may name them.
class Collector {
 public:
  virtual ~Collector() = default;
  /// What is found, its files, paths and names, holds nothing that the redactor hides; the names of cases and the warnings
  /// may.
  virtual boost::asio::awaitable<Result<Collected>> collect(Step step, std::string step_id, JobDirectory directory, log::Redactor redactor) = 0;

  /// Returns the results with their comparisons to those of the same names in `previous`. One that cannot be compared,
  /// for example because its file is gone, has none.
  virtual boost::asio::awaitable<std::vector<FoundResult>> compare(std::vector<FoundResult> results, JobDirectory directory,
                                                                   PreviousResults previous) = 0;

  /// Reads a file that the step has handed over as a result called `name`; it lies at `blob`'s path and is synced.
  /// malformed: it is not JUnit.
  virtual boost::asio::awaitable<Result<FoundResult>> examine(Step step, std::string name, job::Blob blob, JobDirectory directory) = 0;

  /// Makes one result called `name` of files that the step has handed over, in their order, as a new file at the path `to`
  /// in the job's directory, synced. The files stay. It holds nothing that the redactor hides, also where that shows only
  /// after the files were read and written again.
  virtual boost::asio::awaitable<Result<FoundResult>> merge(Step step, std::string name, std::vector<job::Blob> parts, std::filesystem::path to,
                                                            JobDirectory directory, log::Redactor redactor) = 0;
};

}  // namespace outpost::pipeline
