#pragma once

#include "plugins/dlrn/promoter/record.hpp"
#include "plugins/dlrn/promoter/selection.hpp"

#include <optional>
#include <string>
#include <vector>

namespace outpost::promoter {

struct CandidateReport {
  Candidate candidate;
  Judgement judgement;
};

/// What came of one target in a run.
struct TargetReport {
  enum class Outcome {
    promoted,
    would_promote,  ///< In a dry run.
    nothing_new,    ///< The newest candidates are promoted already.
    not_yet,        ///< No candidate has passed all criteria.
    failed,         ///< Nothing has moved, or all was put back; the message says why.
    open,           ///< Something has moved, and could be neither finished nor put back: the next run goes on with it.
  };

  std::string target, from;
  Outcome outcome = Outcome::failed;
  std::string message;
  std::vector<CandidateReport> candidates;  ///< Those that were judged, newest first.
  std::optional<Candidate> chosen;
  std::vector<std::string> plan;  ///< What a promotion does, in lines.
  std::vector<std::string> warnings;
};
[[nodiscard]] std::string_view to_string(TargetReport::Outcome outcome);

struct RunReport {
  std::string release;
  bool dry_run = false;
  std::vector<Record> resumed;  ///< Promotions that an earlier run had left open.
  std::vector<std::string> warnings;
  std::vector<TargetReport> targets;

  /// Whether nothing failed and nothing is open; that nothing was to be promoted is no failure.
  [[nodiscard]] bool went_well() const;
};

/// For people: of each target what came of it, and of each candidate which jobs stand in its way.
[[nodiscard]] std::string to_text(const RunReport& report);
[[nodiscard]] boost::json::object to_json(const RunReport& report);

/// The promotions of a journal for people, newest first.
[[nodiscard]] std::string to_text(std::span<const Record> history);

}  // namespace outpost::promoter
