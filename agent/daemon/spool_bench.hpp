#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/daemon/spool_export.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <list>
#include <memory>
#include <string>
#include <vector>

namespace outpost::daemon {

/// What an export or a receipt needs while no daemon runs: its journal, and reporters that make items of its events and
/// send nothing.
class SpoolBench {
 public:
  SpoolBench(const config::Settings& settings, boost::asio::any_io_executor executor)
      : settings_{settings}, executor_{std::move(executor)} {}

  /// Opens the journal; `reporter`, if there is one of that name, is the only one to be made. Blocks.
  Result<void> set_up(const std::string& reporter);
  /// Starts the dispatchers. They run as long as the loop does.
  std::vector<SpoolOwner> start();
  [[nodiscard]] SpoolPorts ports() {
    return {*journal_, *journal_, workers_, clock_, settings_.state_directory / "jobs"};
  }

 private:
  struct One {
    std::string name;
    ServerAccess access;
    std::unique_ptr<pipeline::Reporter> reporter;
    std::unique_ptr<delivery::Dispatcher> dispatcher;
  };
  Result<void> add(const config::Source& source);

  const config::Settings& settings_;
  boost::asio::any_io_executor executor_;
  SystemClock clock_;
  Workers workers_;
  std::unique_ptr<journal::SqliteJournal> journal_;
  std::list<One> ones_;  ///< Their parts refer to each other.
};

}  // namespace outpost::daemon
