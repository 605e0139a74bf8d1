#pragma once

#include <chrono>
#include <optional>

namespace outpost::log {

/// When to cut the next piece of a running step's log, so that people see it live and a day-long step does not become
/// ten thousand files at the server: soon at first, then less and less often, and from some number on not at all until
/// the step ends. With the defaults the interval reaches a minute after 9 pieces and 200 pieces last for 3 h 13 min.
class CutPlan {
 public:
  struct Limits {
    std::chrono::milliseconds first = std::chrono::seconds{2};
    std::chrono::milliseconds longest = std::chrono::seconds{60};
    double growth = 1.5;
    unsigned pieces = 200;  ///< Without the last one.
  };

  CutPlan() : CutPlan{Limits{}} {}
  /// `made`: pieces from before a restart.
  explicit CutPlan(Limits limits, unsigned made = 0);

  /// How long after the previous piece (or the start of the step) the next one is due; nothing: not before the end.
  [[nodiscard]] std::optional<std::chrono::milliseconds> next() const;
  /// A piece was cut. When there was no output, there was no piece: ask again after the same interval.
  void piece_made();

 private:
  Limits limits_;
  std::chrono::milliseconds interval_;
  unsigned made_ = 0;
};

}  // namespace outpost::log
