#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::daemon {

/// Keeps what waits for servers below its limits. Beyond them the oldest logs, or artifacts, that wait and have not been
/// tried give up their bytes, artifacts their files too; the server gets a gap marker for each. Results, states and verdicts never do.
class SpoolKeeper {
 public:
  /// Bytes, over all reporters.
  struct Limits {
    std::uint64_t logs = 0;       ///< And results.
    std::uint64_t artifacts = 0;
  };
  struct Waiting {
    std::uint64_t logs = 0, artifacts = 0;  ///< And results.
    std::uint64_t given_up = 0;             ///< Since the agent was started.
  };

  struct Ports {
    journal::Journal& journal;
    journal::Deliveries& deliveries;
    Workers& workers;
    const Logger& logger;
    Alarms& alarms;
  };

  SpoolKeeper(Ports ports, std::filesystem::path jobs_directory) : ports_{ports}, jobs_directory_{std::move(jobs_directory)} {}

  /// Looks once. What cannot be read or written is left for the next time.
  boost::asio::awaitable<void> enforce(Limits limits);

  struct GivenUp {
    std::uint64_t items = 0, bytes = 0;
  };
  /// Gives up logs and artifacts that have waited since before this moment, for this reporter or with "" for any,
  /// because somebody wants their room; with `only_look` says which it would be.
  boost::asio::awaitable<Result<GivenUp>> give_up(std::string reporter, Timestamp before, bool only_look);

  /// As of the last look.
  [[nodiscard]] const Waiting& waiting() const { return waiting_; }

 private:
  struct Candidate {
    std::string reporter, key, job_id, path;
    job::Seq seq = 0;
    Timestamp since{};
    std::uint64_t bytes = 0;
  };
  /// What waits of one kind, and which of it can be given up.
  struct Class {
    std::uint64_t bytes = 0;
    std::vector<Candidate> candidates;
  };

  boost::asio::awaitable<Result<void>> count(const std::string& reporter, Class& logs, Class& artifacts);
  boost::asio::awaitable<void> shrink(Class& waiting, std::uint64_t limit, std::string what);
  boost::asio::awaitable<Result<std::uint64_t>> drop(std::string reporter, std::vector<Candidate> dropped, std::string what, std::string reason);
  boost::asio::awaitable<void> remove_files(std::vector<Candidate> dropped);
  [[nodiscard]] bool is_wanted(const Candidate& dropped);

  Ports ports_;
  std::filesystem::path jobs_directory_;  ///< <state>/jobs
  Waiting waiting_;
};

}  // namespace outpost::daemon
