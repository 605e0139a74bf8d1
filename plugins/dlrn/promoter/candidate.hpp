#pragma once

#include "plugins/dlrn/api.hpp"
#include "plugins/dlrn/build_hash.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace outpost::promoter {

/// What a label names: one build, or the aggregate of one build of each component. Two are the same when their
/// full_hash() is, whenever and by whom they were promoted.
struct Candidate {
  dlrn::BuildHash build;  ///< Of an aggregate: that of the last component of its batch, which says nothing about it.
  std::string component;  ///< Empty on a builder without components.
  std::string aggregate;  ///< Empty: it is the build alone.
  std::chrono::sys_seconds promoted_at{};

  /// The tag of its containers and the name of its directories: "commit_distro8[_extended8_extended8]", or the
  /// aggregate.
  [[nodiscard]] std::string full_hash() const;
  [[nodiscard]] bool is_aggregate() const { return !aggregate.empty(); }
};

[[nodiscard]] Candidate candidate_of(const dlrn::Promotion& row);

[[nodiscard]] boost::json::object to_json(const Candidate& candidate);
/// malformed: it was not made by to_json().
[[nodiscard]] Result<Candidate> candidate_from_json(const boost::json::object& json);

/// "commit_distro[_extended]" with whole hashes, or an aggregate of 32 digits, as people give them on a command line.
/// malformed: it is neither.
[[nodiscard]] Result<Candidate> parse_candidate(std::string_view text);

}  // namespace outpost::promoter
