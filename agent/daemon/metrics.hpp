#pragma once

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "agent/telemetry/figures.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::daemon {

/// What came last from a control server.
struct ServerFigures {
  std::string source;
  double round_trip_seconds = 0;
  double ahead_seconds = 0;  ///< Of its clock, against ours.
  bool knows_time = false;
};

/// The figures of the daemon, for Prometheus and for a collector. Counters begin with this process, as both expect; what
/// is there now comes from the status. Jobs, stages and hooks are counted as their events become durable.
class Metrics {
 public:
  void note(const job::Event& event);

  /// `status` is the daemon's (agent/control/README.md); `oldest_seconds` is how long something waits for each reporter.
  [[nodiscard]] std::vector<telemetry::Family> families(const boost::json::object& status,
                                                        const std::vector<ServerFigures>& servers,
                                                        const std::map<std::string, double>& oldest_seconds) const;

 private:
  struct Duration {
    double sum = 0;
    std::uint64_t count = 0;
  };
  using Key = std::vector<std::string>;

  void add_counters(telemetry::Figures& to) const;

  std::map<Key, std::uint64_t> jobs_;    ///< By verdict and reason.
  std::map<Key, Duration> stages_;       ///< By stage and outcome.
  std::map<Key, std::uint64_t> hooks_;   ///< By plugin, point and class.
  std::map<std::string, Key> verdicts_;  ///< Of jobs that have not ended, by id.
  std::uint64_t log_bytes_ = 0, gap_bytes_ = 0;
};

}  // namespace outpost::daemon
