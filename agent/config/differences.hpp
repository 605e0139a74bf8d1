#pragma once

#include "agent/config/settings.hpp"

#include <string>
#include <vector>

namespace outpost::config {

/// What is not the same, for people: "jobs.nightly (new)", "sources.dci (changed)", "slots (changed)".
[[nodiscard]] std::vector<std::string> differences(const Settings& old, const Settings& wanted);

}  // namespace outpost::config
