#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace outpost::journal::sqlite {

/// `<journal>.lock`: held (flock) as long as the agent lives, and says how it ended. The kernel frees it when we die.
class StateLock {
 public:
  /// refused when another agent holds it: the message names its process.
  static Result<StateLock> take(const std::filesystem::path& journal);
  ~StateLock();
  StateLock(StateLock&& other) noexcept;
  StateLock(const StateLock&) = delete;
  StateLock& operator=(StateLock&&) = delete;

  /// Whether the last holder said that it closed the journal in order. A hint, not synced.
  [[nodiscard]] bool was_clean() const { return was_clean_; }
  void say_clean();

 private:
  StateLock(int descriptor, bool was_clean) : descriptor_{descriptor}, was_clean_{was_clean} {}

  int descriptor_;
  bool was_clean_;
};

/// Renames a damaged journal and its -wal and -shm to `<journal>.damaged-<UTC time>...` and returns the new name.
Result<std::filesystem::path> set_aside(const std::filesystem::path& journal, Timestamp now);

/// Makes an empty file that only its owner and group can read, if there is none.
Result<void> create_private(const std::filesystem::path& path);

}  // namespace outpost::journal::sqlite
