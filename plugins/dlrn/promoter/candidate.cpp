#include "plugins/dlrn/promoter/candidate.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

namespace outpost::promoter {

std::string Candidate::full_hash() const { return is_aggregate() ? aggregate : dlrn::directory_name(build); }

Candidate candidate_of(const dlrn::Promotion& row) { return {row.build, row.component, row.aggregate, row.timestamp}; }

boost::json::object to_json(const Candidate& candidate) {
  return {{"full_hash", candidate.full_hash()},
          {"commit_hash", candidate.build.commit},
          {"distro_hash", candidate.build.distro},
          {"extended_hash", candidate.build.extended},
          {"component", candidate.component},
          {"aggregate_hash", candidate.aggregate},
          {"timestamp", candidate.promoted_at.time_since_epoch().count()}};
}

Result<Candidate> candidate_from_json(const boost::json::object& json) {
  Candidate candidate;
  candidate.build = {job::text_at(json, "commit_hash"), job::text_at(json, "distro_hash"),
                     job::text_at(json, "extended_hash")};
  candidate.component = job::text_at(json, "component");
  candidate.aggregate = job::text_at(json, "aggregate_hash");
  candidate.promoted_at = std::chrono::sys_seconds{std::chrono::seconds{job::number_at(json, "timestamp")}};
  if (candidate.full_hash() != job::text_at(json, "full_hash"))
    return Error{Fault::malformed, "the journal holds a hash that does not fit itself"};
  return candidate;
}

Result<Candidate> parse_candidate(std::string_view text) {
  Candidate candidate;
  if (dlrn::is_aggregate_hash(text)) {
    candidate.aggregate = text;
    return candidate;
  }
  const auto parts = split(text, '_');
  if (parts.size() >= 2 && dlrn::is_commit_hash(parts[0]) && dlrn::is_commit_hash(parts[1])) {
    candidate.build.commit = parts[0];
    candidate.build.distro = parts[1];
    if (parts.size() > 2) candidate.build.extended = text.substr(parts[0].size() + parts[1].size() + 2);
    return candidate;
  }
  return Error{Fault::malformed, "\"" + printable(text, 200) +
                                     "\" is not a hash: give COMMIT_DISTRO[_EXTENDED] with 40 digits each, or the 32 "
                                     "digits of an aggregate"};
}

}  // namespace outpost::promoter
