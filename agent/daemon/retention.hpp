#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outpost::daemon {

/// Removes old jobs: what the journal says of them, and their directories. A job that has ended goes when it is not among
/// the newest, too old, or beyond the size of all directories together, and every reporter of it has settled (delivered
/// or parked) all that it made of it. A reporter that is no longer configured holds on to what it has not been told,
/// until it is forgotten.
///
/// First an event says what goes, in the transaction that takes it out of the journal; then the files go. So whatever
/// the moment of a crash, the next sweep finds the directories that no job has any more. What was seen is never removed:
/// no component runs twice because its job is gone.
class Retention {
 public:
  struct Ports {
    journal::Journal& journal;
    journal::Deliveries& deliveries;
    Workers& workers;
    const Clock& clock;
    const Logger& logger;
    Alarms& alarms;
  };

  Retention(Ports ports, std::filesystem::path jobs_directory, config::History keep)
      : ports_{ports}, jobs_directory_{std::move(jobs_directory)}, keep_{keep} {}

  /// Looks once and removes what may go. What cannot be read or removed is logged and left for the next time.
  boost::asio::awaitable<void> sweep();

  /// Removes the oldest jobs that nobody needs any more, until about so many bytes are free, or none is left.
  boost::asio::awaitable<void> make_room(std::uint64_t bytes);

  struct Pruned {
    std::size_t jobs = 0;
    std::uint64_t bytes = 0;  ///< Of their directories.
  };
  /// Removes all jobs that ended before this moment and of which every reporter has delivered everything; with
  /// `only_look` says which it would be.
  boost::asio::awaitable<Result<Pruned>> prune(Timestamp before, bool only_look);

  void set(config::History keep) { keep_ = keep; }
  /// What the agent noted about itself from this moment on is still needed.
  void keep_since(Timestamp moment) { needed_since_ = moment; }

  /// Bytes of all directories of jobs, as of the last sweep.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Directory {
    std::uint64_t bytes = 0;
    Timestamp changed{};
    bool final = false;  ///< Measured after its job had ended.
  };
  using Directories = std::map<std::string, Directory>;  ///< By name, which is the job's id.

  static Directories measure(const std::filesystem::path& parent, Directories known, const std::set<std::string>& open);
  boost::asio::awaitable<Directories> look(const std::vector<journal::JobRow>& rows);
  boost::asio::awaitable<void> remove_jobs(std::vector<std::string> ids);
  boost::asio::awaitable<void> remove_strays(std::set<std::string> known);
  boost::asio::awaitable<void> remove_old_events();
  boost::asio::awaitable<void> unlink(std::vector<std::string> names);
  [[nodiscard]] Result<std::vector<std::string>> what_may_go(const std::vector<journal::JobRow>& rows, const config::History& keep);
  boost::asio::awaitable<void> remove_in_turn(std::vector<std::string> ids);
  [[nodiscard]] Result<std::set<std::string>> ended_long_ago(const std::vector<journal::JobRow>& rows, Timestamp moment);
  [[nodiscard]] Result<std::optional<Timestamp>> end_of(const journal::JobRow& job);
  /// Whether parked items count as settled too: nobody will ever send them unasked.
  enum class Parked { settled, open };
  [[nodiscard]] Result<bool> is_settled(const journal::JobRow& job, Parked parked = Parked::settled);
  [[nodiscard]] Result<bool> is_settled(const journal::JobRow& job, const std::string& reporter, Parked parked);
  [[nodiscard]] Result<std::set<std::string>> tombstones();
  [[nodiscard]] std::uint64_t bytes_of(const std::vector<std::string>& names) const;

  Ports ports_;
  std::filesystem::path jobs_directory_;  ///< <state>/jobs
  config::History keep_;
  Directories directories_;
  std::uint64_t bytes_ = 0;
  Timestamp needed_since_ = Timestamp::max();
};

}  // namespace outpost::daemon
