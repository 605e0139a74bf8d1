#pragma once

#include "agent/job/job.hpp"
#include "agent/pipeline/source.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

/// What to do with components that were there before a definition was first polled.
enum class Backlog { newest, none, all };

struct IntakeInput {
  const std::vector<pipeline::Candidates>& candidates;  ///< As the source gave them, best first.
  std::function<bool(const std::string& component_id)> seen;
  bool first_poll = false;  ///< Nothing of this definition has ever been seen.
  Backlog backlog = Backlog::newest;
};

struct Superseded {
  std::string component_id;
  std::string reason;  ///< "newer" | "backlog"
  std::string by;      ///< The component that runs instead; empty when none does.
};

struct Intake {
  struct Seen { std::string selection; job::Component component; };
  std::vector<Seen> seen;
  std::vector<Superseded> superseded;
  std::vector<std::vector<job::Component>> sets;  ///< One job each, oldest first; one component per selection.
  bool backlog = false;  ///< The sets are history that was asked for: newer components don't supersede them.
  std::optional<std::string> unmatched;  ///< A selection that matches nothing: no job can be made, nothing counts as seen.
};

/// Decides which jobs new components are worth. Pure: the caller journals the answer as one transaction.
/// Whenever the best component of a selection is new, one job runs with the best of every selection; older new ones are
/// superseded. Only a backlog of `all` runs each component once, with the best of the other selections.
[[nodiscard]] Intake plan_intake(const IntakeInput& input);

}  // namespace outpost::daemon
