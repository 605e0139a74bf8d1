#pragma once

#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/logger.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace outpost::daemon {

/// Removes the reserve if the file system is full; true when that made room.
bool give_up_reserve(const std::filesystem::path& state_directory);

/// Looks after the file system of the state directory: how much is free, whether it can be written at all, and the
/// reserve, a file of real blocks that is given up when nothing else is left, so that results and verdicts can still be
/// written. What is wrong is an alarm until it is not.
class DiskKeeper {
 public:
  DiskKeeper(Workers& workers, const Logger& logger, Alarms& alarms, std::filesystem::path state_directory, config::Disk settings);

  void set(config::Disk settings) { settings_ = settings; }
  /// Looks once: writes and syncs a small file, and makes the reserve when there is room for it.
  boost::asio::awaitable<void> look();

  /// Whether a job may be claimed: looks at the free space now, and remembers whether the last write failed.
  [[nodiscard]] bool may_claim();
  /// So much has to be freed before one may; 0 when there is enough.
  [[nodiscard]] std::uint64_t missing() const { return free_ < settings_.keep_free ? settings_.keep_free - free_ : 0; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

  /// Whether logs may take more, as of now: the last of the disk is for the journal, for results and verdicts, and so is
  /// the room of the reserve after it was given up.
  [[nodiscard]] bool has_room_for_logs();

  /// Something could not be written: gives up the reserve if the disk is full.
  void write_failed();

  [[nodiscard]] std::uint64_t free() const { return free_; }
  [[nodiscard]] bool reserve_there() const { return reserve_there_; }
  /// Why the directory could not be written; empty when it could.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  struct Look {
    std::uint64_t free = 0, total = 0;
    bool reserve_there = false;
    std::string failure;  ///< Why the directory cannot be written; a full disk is none.
  };
  static Look look_at(const std::filesystem::path& directory, const config::Disk& settings);
  void measure();
  void tell_space();

  Workers& workers_;
  const Logger& logger_;
  Alarms& alarms_;
  std::filesystem::path directory_;
  config::Disk settings_;
  std::uint64_t free_ = 0, total_ = 0;
  bool reserve_there_ = false;
  bool logs_held_ = false;  ///< has_room_for_logs() said no.
  std::string failure_;
};

}  // namespace outpost::daemon
