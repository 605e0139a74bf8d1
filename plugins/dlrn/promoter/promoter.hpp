#pragma once

#include "plugins/dlrn/promoter/promotion.hpp"
#include "plugins/dlrn/promoter/report.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <span>
#include <string>
#include <vector>

namespace outpost::promoter {

/// What one release's promoter works with; all outlive it.
struct PromoterPorts {
  journal::Journal& journal;  ///< Of this release: whoever has it open holds the release.
  Builder& builder;
  std::span<Place* const> places;
  const Clock& clock;
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

struct PromoterOptions {
  bool dry_run = false;              ///< Nothing is written anywhere, the journal included.
  std::vector<std::string> targets;  ///< Only these, as Target::is_meant_by() reads them; empty: all.
  std::vector<Waiver> waivers;
};

/// A hash that somebody has chosen, whatever the criteria say.
struct Forced {
  Move move;
  std::string by;  ///< Who, and why: kept in the history.
};

/// One release: finishes or puts back what an earlier run has left open, then looks at each target in turn. A failure
/// ends its target only. A hash that has just been promoted is a candidate of the next target in the same run.
class Promoter {
 public:
  Promoter(PromoterPorts ports, Release release, PromoterOptions options)
      : ports_{std::move(ports)}, release_{std::move(release)}, options_{std::move(options)} {}

  /// An error: the journal cannot be read.
  boost::asio::awaitable<Result<RunReport>> run();
  /// Promotes one hash without looking at the votes.
  boost::asio::awaitable<Result<RunReport>> force(Forced forced);
  /// Promotes what a label named before its last promotion, in the same way. `by` is who wants it, and why.
  boost::asio::awaitable<Result<RunReport>> roll_back(Label label, std::string by);

 private:
  using Outcome = TargetReport::Outcome;

  boost::asio::awaitable<Result<void>> resume(RunReport& report);
  boost::asio::awaitable<TargetReport> look_at(Target target);
  boost::asio::awaitable<void> judge_candidates(const Target& target, std::vector<Candidate> candidates,
                                                TargetReport& report);
  boost::asio::awaitable<void> promote(Move move, std::string by, TargetReport& report);
  boost::asio::awaitable<Result<std::vector<std::string>>> plan(Move move);
  [[nodiscard]] bool is_wanted(const Target& target) const;

  PromoterPorts ports_;
  Release release_;
  PromoterOptions options_;
};

/// All promotions in a journal, oldest first.
[[nodiscard]] Result<std::vector<Record>> read_history(journal::Journal& journal);

}  // namespace outpost::promoter
