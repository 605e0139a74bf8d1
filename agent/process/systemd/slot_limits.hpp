#pragma once

#include "agent/process/systemd/service_manager.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace outpost::process {

/// Where the limits of one unit come from: systemd keeps what it was told at run time until it is told something else, and
/// does not say by whom. Remembered for as long as systemd does: until the machine is restarted.
class SlotLimits {
 public:
  using Values = ServiceManager::LimitValues;

  /// What the unit has but for us: what all of its kind have, `usual`, and what an administrator has given it alone, whom
  /// we know by values that we have not set. `present`: what it has at the moment.
  [[nodiscard]] Values without_ours(const Values& present, const Values& usual);
  /// We are about to set these. What we set before counts as ours too until note_set(): systemd may not come to hear of it.
  void note_ours(const Values& values);
  /// systemd has them.
  void note_set(const Values& values);

  [[nodiscard]] std::string to_text() const;
  /// Lines that are none of to_text() count as nothing.
  [[nodiscard]] static SlotLimits from_text(std::string_view text);

 private:
  Values own_;  ///< Of an administrator, for this unit alone.
  std::map<std::string, std::set<std::uint64_t>> ours_;  ///< As they were set last, and may have been since.
};

}  // namespace outpost::process
