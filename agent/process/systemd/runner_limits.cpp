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
  if (!has_limits && unlimited_.contains(step.unit)) co_return Result<void>{};
  if (has_limits) unlimited_.erase(step.unit);
  auto asking = systemd_.has_set_limits(step.unit);
  const auto were_set = co_await std::move(asking);
  if (!were_set) co_return were_set.error();
  if (!has_limits && !*were_set) {
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
  auto known = step.directory.limits(step.unit);
  auto own = known.without_ours(*present, *usual);
  if (is_limited(limits)) tell_outranked(step, own);
  auto wanted = with_limits(std::move(own), limits);
  std::erase_if(wanted, [&](const auto& value) {
    const auto found = present->find(value.first);
    return found != present->end() && found->second == value.second;
  });
  if (wanted.empty()) co_return Result<void>{};
  known.note_ours(wanted);
  if (auto noted = step.directory.note_limits(step.unit, known); !noted) co_return noted;
  auto setting = systemd_.set_limits(step.unit, std::move(wanted));
  co_return co_await std::move(setting);
}

void SystemdCommandRunner::tell_outranked(const Step& step, const ServiceManager::LimitValues& own) {
  for (const auto& limit : outranked(own, step.command.limits))
    if (told_limits_.insert(step.command.profile + ": " + limit).second)
      options_.log(step.unit + ": " + limit + ", which " + printable(step.command.name) + " asks for: the limits of a job only make those of its unit stricter");
}

}  // namespace outpost::process
