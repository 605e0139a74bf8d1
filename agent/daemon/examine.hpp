#pragma once

#include "agent/config/load.hpp"
#include "agent/doctor/checks.hpp"

#include <memory>

namespace outpost::daemon {

/// The network, the control servers, the daemon and the plugins as they really are. Blocks.
[[nodiscard]] std::unique_ptr<doctor::Outside> real_outside();

}  // namespace outpost::daemon
