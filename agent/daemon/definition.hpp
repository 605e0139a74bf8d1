#pragma once

#include "agent/config/settings.hpp"
#include "agent/job/job.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <string>

namespace outpost::daemon {

/// A job of the configuration as the journal keeps it with each run. What only matters until a job is queued (windows,
/// backlog) is left out.
[[nodiscard]] job::Definition definition_of(const config::Job& settings);

/// Lab resources as hooks find them in OUTPOST_RESOURCES, by name.
[[nodiscard]] std::map<std::string, boost::json::object> described(const std::map<std::string, config::Resource>& resources);

}  // namespace outpost::daemon
