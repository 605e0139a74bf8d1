#pragma once

#include "agent/config/load.hpp"

#include <string>
#include <vector>

namespace outpost::daemon {

/// What jobs select that their source's server could never be asked for, one line each. For `outpost config check`.
[[nodiscard]] std::vector<std::string> check_selections(const config::Loaded& loaded);

}  // namespace outpost::daemon
