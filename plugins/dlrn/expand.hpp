#pragma once

#include "agent/job/story.hpp"
#include "agent/journal/deliveries.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace outpost::dlrn {

/// The only kind of item: {job_id, commit_hash, distro_hash, extended_hash | aggregate_hash, success, url, notes,
/// timestamp: seconds}.
inline constexpr std::string_view vote_kind = "vote";

struct VoteSettings {
  std::string source;         ///< The source instance whose jobs are voted for; Claim::source.
  std::string logs_url;       ///< Where people find a job: {job} is our id of it, {name} its name. May be empty.
  bool vote_on_error = true;  ///< A job that ended in an error of the lab votes too: against.
};

/// The votes that the end of a job gives rise to: one for each of its hashes. Pure. A job that was killed has none, and a
/// job of another source.
[[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before,
                                                const VoteSettings& settings);

/// How the notes of a vote begin; nobody else's do, so it is found again by that.
[[nodiscard]] std::string mark_of(const std::string& job_id);

}  // namespace outpost::dlrn
