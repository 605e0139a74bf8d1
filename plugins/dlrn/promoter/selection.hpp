#pragma once

#include "plugins/dlrn/promoter/candidate.hpp"
#include "plugins/dlrn/promoter/settings.hpp"
#include "plugins/dlrn/promoter/waivers.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

/// The decisions of the promoter, as functions of what the builder answered.
namespace outpost::promoter {

/// The rows of a label as what it named, newest first, each hash once, at its newest row.
///
/// Where a row has an aggregate, the label is one of aggregates, and rows without are dropped: of a batch only the last
/// row has the aggregate, and the others must not come up as builds. So are rows with an extended hash of at most 40
/// characters, which is no hash of a build.
[[nodiscard]] std::vector<Candidate> distinct(std::span<const dlrn::Promotion> rows);

/// Which of `candidates` (newest first) may still move to a target with this history: the newest `limit` of them, cut
/// at the first that was ever promoted there. So nothing moves backwards, and nothing twice.
[[nodiscard]] std::vector<Candidate> eligible(std::vector<Candidate> candidates,
                                              std::span<const Candidate> target_history, std::size_t limit);

/// Why a job of the criteria counts as passed, or does not.
enum class JobState {
  passed,
  alternative,  ///< `by` is the job that stood in.
  waived,       ///< `by` is who has waived it, and why.
  failed,       ///< Its newest vote is no success.
  too_old,      ///< It succeeded longer ago than counts.
  absent,       ///< It has said nothing yet, or is in progress.
};
[[nodiscard]] std::string_view to_string(JobState state);

struct JobJudgement {
  std::string job;
  JobState state = JobState::absent;
  std::string by;
};

struct Judgement {
  std::vector<JobJudgement> jobs;  ///< One for each criterion, in their order.

  [[nodiscard]] bool passed() const;
  /// The jobs that stand in the way.
  [[nodiscard]] std::vector<std::string> missing() const;
};

/// What the votes on one hash say about the criteria. Nothing of it is kept for the next hash.
[[nodiscard]] Judgement judge(const Target& target, const Candidate& candidate, std::span<const dlrn::Vote> votes,
                              std::span<const Waiver> waivers, Timestamp now);

/// Jobs of the criteria of which no vote has ever been seen on any candidate, with the job that is nearest by name (""
/// when none is): they are probably written wrong.
[[nodiscard]] std::map<std::string, std::string> unknown_jobs(const Target& target, std::span<const std::string> seen);

}  // namespace outpost::promoter
