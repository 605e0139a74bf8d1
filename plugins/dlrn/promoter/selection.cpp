#include "plugins/dlrn/promoter/selection.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace outpost::promoter {

namespace {

constexpr std::size_t length_of_a_hash = 40;

JobState state_of(const std::string& job, const Target& target, std::span<const dlrn::Vote> votes, Timestamp now) {
  const dlrn::Vote* newest = nullptr;
  const dlrn::Vote* success = nullptr;
  for (const auto& vote : votes) {
    if (vote.job_id != job || vote.in_progress) continue;
    // Of two in one second the one that came later counts: votes come in that order.
    if (!newest || vote.timestamp >= newest->timestamp) newest = &vote;
    if (vote.success && (!success || vote.timestamp >= success->timestamp)) success = &vote;
  }
  if (!newest) return JobState::absent;
  const dlrn::Vote* counts = target.any_success ? success : newest->success ? newest : nullptr;
  if (!counts) return JobState::failed;
  if (target.max_vote_age && counts->timestamp + *target.max_vote_age < now) return JobState::too_old;
  return JobState::passed;
}

}  // namespace

std::vector<Candidate> distinct(std::span<const dlrn::Promotion> rows) {
  const bool of_aggregates =
      std::any_of(rows.begin(), rows.end(), [](const auto& row) { return !row.aggregate.empty(); });
  std::vector<Candidate> found;
  std::set<std::string> seen;
  for (const auto& row : rows) {
    if (of_aggregates && row.aggregate.empty()) continue;
    if (!row.build.extended.empty() && row.build.extended.size() <= length_of_a_hash) continue;
    Candidate candidate = candidate_of(row);
    if (seen.insert(candidate.full_hash()).second) found.push_back(std::move(candidate));
  }
  return found;
}

std::vector<Candidate> eligible(std::vector<Candidate> candidates, std::span<const Candidate> target_history,
                                std::size_t limit) {
  std::set<std::string> promoted;
  for (const auto& each : target_history) promoted.insert(each.full_hash());
  if (candidates.size() > limit) candidates.resize(limit);
  const auto first = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& each) { return promoted.contains(each.full_hash()); });
  candidates.erase(first, candidates.end());
  return candidates;
}

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::passed: return "passed";
    case JobState::alternative: return "alternative";
    case JobState::waived: return "waived";
    case JobState::failed: return "failed";
    case JobState::too_old: return "too old";
    case JobState::absent: return "no vote";
  }
  return "";
}

bool Judgement::passed() const { return missing().empty(); }

std::vector<std::string> Judgement::missing() const {
  std::vector<std::string> found;
  for (const auto& job : jobs)
    if (job.state == JobState::failed || job.state == JobState::too_old || job.state == JobState::absent)
      found.push_back(job.job);
  return found;
}

Judgement judge(const Target& target, const Candidate& candidate, std::span<const dlrn::Vote> votes,
                std::span<const Waiver> waivers, Timestamp now) {
  Judgement judgement;
  for (const auto& job : target.criteria) {
    JobJudgement judged{job, state_of(job, target, votes, now), {}};
    if (judged.state != JobState::passed)
      if (const auto others = target.alternatives.find(job); others != target.alternatives.end())
        for (const auto& other : others->second)
          if (state_of(other, target, votes, now) == JobState::passed) {
            judged = {job, JobState::alternative, other};
            break;
          }
    if (judged.state != JobState::passed && judged.state != JobState::alternative)
      for (const auto& waiver : waivers)
        if (target.is_meant_by(waiver.target) && waiver.holds_for(waiver.target, job, candidate.full_hash(), now)) {
          judged = {job, JobState::waived, waiver.by + ": " + waiver.why};
          break;
        }
    judgement.jobs.push_back(std::move(judged));
  }
  return judgement;
}

std::map<std::string, std::string> unknown_jobs(const Target& target, std::span<const std::string> seen) {
  std::map<std::string, std::string> unknown;
  const auto was_seen = [&](const std::string& job) { return std::find(seen.begin(), seen.end(), job) != seen.end(); };
  for (const auto& job : target.criteria) {
    const auto others = target.alternatives.find(job);
    if (was_seen(job) ||
        (others != target.alternatives.end() && std::any_of(others->second.begin(), others->second.end(), was_seen)))
      continue;
    unknown[job] = nearest(job, seen).value_or("");
  }
  return unknown;
}

}  // namespace outpost::promoter
