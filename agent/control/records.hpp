#pragma once

#include "agent/base/workers.hpp"
#include "agent/control/agent_control.hpp"
#include "agent/control/answer.hpp"
#include "agent/control/event_stream.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::control {

/// Where the local API reads what a page shows beside the agent's state. Outlived by all that is here.
struct Records {
  AgentControl& agent;
  journal::Journal& journal;
  journal::Deliveries& deliveries;
  Workers& workers;
  EventStreams streams;
  std::filesystem::path jobs_directory;  ///< <state>/jobs
  /// What is installed: {name, version, stages[], path, broken, jobs[]} each. Blocks; called on a worker, on a copy.
  std::function<std::function<boost::json::array()>()> plugins;
  /// {file, since, keys: [{key, value, origin}]}; values that are, or may hold, a secret are not in it.
  std::function<boost::json::object()> configuration;
  /// {url, token}, both empty when the page is not on TCP. Told on the unix socket only.
  std::function<boost::json::object()> page;
  /// What `outpost doctor` finds where the daemon is: {running, looked_at, took_ms, error, report}. A new look begins when
  /// what is known is older than that.
  std::function<boost::json::object(std::chrono::seconds most_age)> doctor;
};

/// A path that is only read; `names` are what stands for its stars.
struct RecordRoute {
  std::string_view path;
  Answering (*answer)(const Records& records, http::ServerRequest& request, std::vector<std::string> names);
};
[[nodiscard]] std::span<const RecordRoute> record_routes();

}  // namespace outpost::control
