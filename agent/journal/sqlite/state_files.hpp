#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace outpost::journal::sqlite {

/// How the last agent that held the journal ended, as far as its lock file tells.
enum class LastEnd { closed, agent_died, machine_died, damaged };

/// `<journal>.lock`: held (flock) as long as the agent lives, and says how it ended and what it had acknowledged last.
/// The kernel frees it when we die. What it says is a hint that is not synced: after a power cut it may be older than
/// the journal, never newer.
class StateLock {
 public:
  /// refused when another agent holds it: the message names its process.
  static Result<StateLock> take(const std::filesystem::path& journal, const std::string& boot_id);
  ~StateLock();
  StateLock(StateLock&& other) noexcept;
  StateLock(const StateLock&) = delete;
  StateLock& operator=(StateLock&&) = delete;

  /// machine_died when nothing is known.
  [[nodiscard]] LastEnd last_end() const;
  /// The number of the last event that the last agent had acknowledged; 0 when it is not known.
  [[nodiscard]] std::uint64_t acknowledged() const;

  // From any thread:

  /// Everything up to this event is durable.
  void note(std::uint64_t last_event);
  void say_closed();
  /// The file turned out to be damaged while it was in use; say_closed() does not take that back.
  void say_damaged();

 private:
  struct State;
  explicit StateLock(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `<journal>.damaged-<UTC time>`, a name that is not taken.
std::filesystem::path free_name_aside(const std::filesystem::path& journal, Timestamp now);
/// Renames a damaged journal and its -wal and -shm.
Result<void> set_aside(const std::filesystem::path& journal, const std::filesystem::path& aside);

Result<void> move_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes an empty file that only its owner and group can read, if there is none.
Result<void> create_private(const std::filesystem::path& path);

}  // namespace outpost::journal::sqlite
