#include "agent/log/cut_plan.hpp"

#include <algorithm>

namespace outpost::log {

CutPlan::CutPlan(Limits limits, unsigned made) : limits_{limits}, interval_{limits.first} {
  while (made_ < std::min(made, limits_.pieces)) piece_made();
}

std::optional<std::chrono::milliseconds> CutPlan::next() const {
  if (made_ >= limits_.pieces) return {};
  return interval_;
}

void CutPlan::piece_made() {
  ++made_;
  const auto grown = std::chrono::duration<double, std::milli>{interval_} * limits_.growth;
  interval_ = std::min(limits_.longest, std::chrono::duration_cast<std::chrono::milliseconds>(grown));
}

}  // namespace outpost::log
