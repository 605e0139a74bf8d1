#pragma once

#include "agent/config/load.hpp"

#include <string>
#include <vector>

namespace outpost::daemon {

/// Everything because of which a promotion of the configuration could not run: the release's own file and its layers,
/// waivers, credentials. A line each, for `outpost config check`. Blocks.
[[nodiscard]] std::vector<std::string> check_promotions(const config::Loaded& loaded,
                                                        const config::Environment& environment);

}  // namespace outpost::daemon
