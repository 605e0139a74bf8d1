#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace outpost::journal::sqlite {

/// How the last agent that held the journal ended, as far as its lock file tells.
enum class LastEnd { closed, agent_died, machine_died, damaged };

/// `<journal>.lock`: held (flock) as long as the agent lives, and says how it ended. The kernel frees it when we die.
class StateLock {
 public:
  /// refused when another agent holds it: the message names its process.
  static Result<StateLock> take(const std::filesystem::path& journal, const std::string& boot_id);
  ~StateLock();
  StateLock(StateLock&& other) noexcept;
  StateLock(const StateLock&) = delete;
  StateLock& operator=(StateLock&&) = delete;

  /// A hint that is not synced; machine_died when there is none.
  [[nodiscard]] LastEnd last_end() const { return last_end_; }
  void say_closed();
  /// The file turned out to be damaged while it was in use; say_closed() does not take that back.
  void say_damaged();

 private:
  StateLock(int descriptor, LastEnd last_end) : descriptor_{descriptor}, last_end_{last_end} {}

  int descriptor_;
  LastEnd last_end_;
  bool damaged_ = false;
};

/// Renames a damaged journal and its -wal and -shm to `<journal>.damaged-<UTC time>...` and returns the new name.
Result<std::filesystem::path> set_aside(const std::filesystem::path& journal, Timestamp now);

/// Makes an empty file that only its owner and group can read, if there is none.
Result<void> create_private(const std::filesystem::path& path);

}  // namespace outpost::journal::sqlite
