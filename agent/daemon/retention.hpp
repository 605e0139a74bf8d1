#pragma once

#include "agent/base/workers.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace outpost::daemon {

/// Removes the directories of old jobs. The newest ended jobs keep theirs; an older one goes when every reporter of the
/// job has settled (delivered or parked) all that it made of it. Never that of a job that is open, and nothing that the
/// journal does not know.
class Retention {
 public:
  struct Rule {
    std::filesystem::path jobs_directory;  ///< <state>/jobs
    std::size_t keep = 50;                 ///< Directories of ended jobs.
  };

  Retention(journal::Journal& journal, journal::Deliveries& deliveries, Workers& workers, const Logger& logger, Rule rule)
      : journal_{journal}, deliveries_{deliveries}, workers_{workers}, logger_{logger}, rule_{std::move(rule)} {}

  /// Looks once and removes what may go. What cannot be read or removed is logged and left for the next time.
  boost::asio::awaitable<void> sweep();

 private:
  [[nodiscard]] Result<std::vector<journal::JobRow>> beyond_the_newest(const std::set<std::string>& directories);
  [[nodiscard]] Result<bool> is_settled(const journal::JobRow& job);

  journal::Journal& journal_;
  journal::Deliveries& deliveries_;
  Workers& workers_;
  const Logger& logger_;
  Rule rule_;
};

}  // namespace outpost::daemon
