#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <map>
#include <string>

// Descriptors that systemd keeps too, for the next process of this program, until its unit is stopped
// (sd_pid_notify_with_fds(3)). Without systemd nothing is kept.
namespace outpost::process {

/// By name.
using Stored = std::map<std::string, Descriptor>;

/// All that was kept for this process. It is given out once.
[[nodiscard]] Stored take_stored();
/// There is at most one of a name, when whoever stores another drops the one before. An error: there is a systemd, and it
/// was not told.
Result<void> store(const std::string& name, int descriptor);
void drop_stored(const std::string& name);

/// What the output of the command in a slot is called there.
[[nodiscard]] std::string output_of_slot(unsigned slot);

}  // namespace outpost::process
