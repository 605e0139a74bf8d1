// The limits of a job, which its unit has for as long as the command runs.

#include "agent/base/text.hpp"
#include "agent/process/systemd/running_step.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include <utility>

namespace outpost::process {

namespace asio = boost::asio;

/// Limits that are set for a unit stay until they are set again, whatever an agent has come to since, and outrank what an
/// administrator says of all units. So none are set where none are asked for; where some were, the unit has to be told what
/// it has without them from then on (slot_limits.hpp).
asio::awaitable<Result<void>> SystemdCommandRunner::limit(const Step& step, Limits limits) {
  const bool has_limits = is_limited(limits);
  if (has_limits || step.inherited) unlimited_.erase(step.unit);
  if (unlimited_.contains(step.unit)) co_return Result<void>{};
  auto asking = systemd_.has_set_limits(step.unit);
  const auto were_set = co_await std::move(asking);
  if (!were_set) co_return were_set.error();
  if (!has_limits && !*were_set) {
    // For the next agent: whatever is set from now on, and not noted, is somebody else's.
    if (auto noted = step.directory.note_limits(step.unit, {}); !noted) co_return noted;
    unlimited_.insert(step.unit);
    co_return Result<void>{};
  }
  auto applying = apply(step, limits);
  co_return co_await std::move(applying);
}

/// What all units of its kind have the instance 0 knows, for which nobody sets anything.
asio::awaitable<Result<void>> SystemdCommandRunner::apply(const Step& step, Limits limits) {
  auto reading_present = systemd_.limits(step.unit);
  const auto present = co_await std::move(reading_present);
  if (!present) co_return present.error();
  auto reading_usual = systemd_.limits(*unit_of(step.command.profile, 0));
  const auto usual = co_await std::move(reading_usual);
  if (!usual) co_return usual.error();
  auto known = known_limits(step, *present);
  auto own = known.without_ours(*present, *usual);
  if (is_limited(limits)) tell_outranked(step, own);
  auto wanted = with_limits(std::move(own), limits);
  std::erase_if(wanted, [&](const auto& value) {
    const auto found = present->find(value.first);
    return found != present->end() && found->second == value.second;
  });
  known.note_ours(wanted);
  if (auto noted = step.directory.note_limits(step.unit, known); !noted || wanted.empty()) co_return noted;
  auto setting = systemd_.set_limits(step.unit, wanted);
  if (auto set = co_await std::move(setting); !set) co_return set;
  known.note_set(wanted);
  // Without it, those of before count as ours for a while.
  static_cast<void>(step.directory.note_limits(step.unit, known));
  co_return Result<void>{};
}

/// An agent of a version that did not note the limits it set gave back what all units of the kind have, and so do we after
/// a step that it has left.
SlotLimits SystemdCommandRunner::known_limits(const Step& step, const ServiceManager::LimitValues& present) {
  const auto noted = step.directory.limits(step.unit);
  if (noted) return *noted;
  SlotLimits limits;
  if (step.inherited) limits.note_ours(present);
  return limits;
}

/// A command that an earlier agent has started may have had limits whatever is known of it now.
asio::awaitable<void> SystemdCommandRunner::give_limits_back(const Step& step) {
  if (!is_limited(step.command.limits) && !step.inherited) co_return;
  auto limiting = limit(step, {});
  co_await std::move(limiting);
}

void SystemdCommandRunner::tell_outranked(const Step& step, const ServiceManager::LimitValues& own) {
  for (const auto& limit : outranked(own, step.command.limits))
    if (told_limits_.insert(step.command.profile + ": " + limit).second)
      options_.log(step.unit + ": " + limit + ", which " + printable(step.command.name) + " asks for: the limits of a job only make those of its unit stricter");
}

}  // namespace outpost::process
