#pragma once

#include "agent/config/settings.hpp"
#include "agent/job/job.hpp"

namespace outpost::daemon {

/// A job of the configuration as the journal keeps it with each run. What only matters until a job is queued (windows,
/// backlog) is left out.
[[nodiscard]] job::Definition definition_of(const config::Job& settings);

}  // namespace outpost::daemon
