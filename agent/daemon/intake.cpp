#include "agent/daemon/intake.hpp"

namespace outpost::daemon {
namespace {

std::vector<job::Component> best_of_each(const std::vector<pipeline::Candidates>& candidates) {
  std::vector<job::Component> best;
  for (const auto& selection : candidates) best.push_back(selection.components.front());
  return best;
}

/// Every older new component once, beside the best of the other selections, oldest first.
void add_history(Intake& intake, const IntakeInput& input) {
  for (std::size_t index = 0; index < input.candidates.size(); ++index) {
    const auto& components = input.candidates[index].components;
    for (std::size_t age = components.size() - 1; age > 0; --age) {
      if (input.seen(components[age].id)) continue;
      auto set = best_of_each(input.candidates);
      set[index] = components[age];
      intake.sets.push_back(std::move(set));
    }
  }
}

}  // namespace

Intake plan_intake(const IntakeInput& input) {
  Intake intake;
  for (const auto& selection : input.candidates) {
    if (!selection.components.empty()) continue;
    intake.unmatched = selection.selection;
    return intake;
  }
  const bool history = input.first_poll && input.backlog == Backlog::all;
  const bool nothing = input.first_poll && input.backlog == Backlog::none;
  bool best_is_new = false;
  for (const auto& selection : input.candidates) {
    const auto& best = selection.components.front();
    for (const auto& component : selection.components) {
      if (input.seen(component.id)) continue;
      intake.seen.push_back({selection.selection, component});
      const bool is_best = &component == &best;
      best_is_new = best_is_new || is_best;
      if (nothing) intake.superseded.push_back({component.id, "backlog", {}});
      else if (!is_best && !history) intake.superseded.push_back({component.id, input.first_poll ? "backlog" : "newer", best.id});
    }
  }
  if (nothing || input.candidates.empty()) return intake;
  if (history) add_history(intake, input);
  if (best_is_new) intake.sets.push_back(best_of_each(input.candidates));
  intake.backlog = history;
  return intake;
}

}  // namespace outpost::daemon
