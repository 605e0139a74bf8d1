#pragma once

#include "agent/config/load.hpp"

#include <vector>

namespace outpost::config {

/// What outpost.yml names but this machine does not have: plugin folders, credentials, certificates, secrets, the
/// alarm's command, and a configuration that runs nothing. In the order of jobs and sources; for `outpost config
/// check`. Credentials of systemd are looked at only where $CREDENTIALS_DIRECTORY is set, that is inside the unit.
/// Blocks.
[[nodiscard]] std::vector<Problem> check(const Loaded& loaded, const Environment& environment);

/// What works but may surprise: secrets that are too short to be hidden. Blocks.
[[nodiscard]] std::vector<Problem> warnings(const Loaded& loaded, const Environment& environment);

}  // namespace outpost::config
