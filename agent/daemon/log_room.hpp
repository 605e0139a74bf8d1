#pragma once

#include "agent/base/workers.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace outpost::daemon {

/// Gives the disk back what it holds of logs that every server has: of jobs that still run, or that wait for the rest to
/// be delivered. (Jobs that nobody needs any more are Retention's.)
class LogRoom {
 public:
  struct Ports {
    journal::Journal& journal;
    journal::Deliveries& deliveries;
    Workers& workers;
    const Logger& logger;
  };

  LogRoom(Ports ports, std::filesystem::path jobs_directory) : ports_{ports}, jobs_directory_{std::move(jobs_directory)} {}

  /// Frees about so many bytes, the oldest jobs' first, and returns how many it was. An event says what goes before it
  /// does. 0 when there is nothing and when the event cannot be written. While another call is under way it waits for
  /// that, and returns how many bytes that has freed: they are for both.
  boost::asio::awaitable<std::uint64_t> make(std::uint64_t bytes);

 private:
  boost::asio::awaitable<std::uint64_t> make_of(std::string job_id, std::uint64_t bytes);
  [[nodiscard]] Result<job::Story> story_of(const std::string& job_id);
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> delivered(const job::Story& story);
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> delivered_to(const std::string& reporter, const job::Story& story);

  Ports ports_;
  std::filesystem::path jobs_directory_;  ///< <state>/jobs

  /// A call that is under way.
  struct Making {
    explicit Making(const boost::asio::any_io_executor& loop) : ended{loop, boost::asio::steady_timer::time_point::max()} {}
    boost::asio::steady_timer ended;  ///< Cancelled then.
    std::uint64_t freed = 0;
  };
  std::shared_ptr<Making> making_;
};

}  // namespace outpost::daemon
