#pragma once

#include "agent/process/usage.hpp"

#include <filesystem>
#include <string>

namespace outpost::process {

/// Measures the control group of a unit, in either version of them. It is looked for once, in the slices: the processes
/// in it may be hidden from this one, when they are another user's. `mounted` is where control groups are mounted.
[[nodiscard]] Probe unit_probe(std::string unit, std::filesystem::path mounted);

}  // namespace outpost::process
