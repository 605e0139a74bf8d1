#pragma once

#include "agent/base/descriptor.hpp"

#include <map>
#include <string>

// The outputs of commands, of which systemd keeps the read end too: for the next process of this program
// (sd_pid_notify_with_fds(3)). Without systemd nothing is kept.
namespace outpost::process {

/// The name that the output of a slot has there.
[[nodiscard]] std::string stored_output_name(unsigned slot);
/// All that was kept for this process, by name. It is given out once.
[[nodiscard]] std::map<std::string, Descriptor> take_stored_outputs();
void store_output(unsigned slot, int descriptor);
void drop_output(unsigned slot);

}  // namespace outpost::process
