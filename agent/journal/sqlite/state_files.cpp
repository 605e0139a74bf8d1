#include "agent/journal/sqlite/state_files.hpp"

#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace outpost::journal::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view closed_mark = "closed";
constexpr std::string_view damaged_mark = "damaged";
constexpr std::string_view last_mark = ", last ";

std::string content(int descriptor) {
  std::array<char, 256> bytes{};
  const auto count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  return count > 0 ? std::string{trim(std::string_view{bytes.data(), static_cast<std::size_t>(count)})} : std::string{};
}

/// What stands before ", last".
std::string_view head_of(std::string_view text) { return text.substr(0, text.find(last_mark)); }

LastEnd read_end(std::string_view text, const std::string& boot_id) {
  const std::string_view head = head_of(text);
  if (head == closed_mark) return LastEnd::closed;
  if (head == damaged_mark) return LastEnd::damaged;
  const bool same_boot = !boot_id.empty() && head.find("boot " + boot_id) != std::string::npos;
  return same_boot ? LastEnd::agent_died : LastEnd::machine_died;
}

std::uint64_t read_last(std::string_view text) {
  const auto mark = text.find(last_mark);
  std::uint64_t last = 0;
  if (mark != std::string::npos) {
    const std::string_view digits = text.substr(mark + last_mark.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), last);
  }
  return last;
}

}  // namespace

struct StateLock::State {
  State(int opened, std::string_view text, const std::string& boot_id)
      : descriptor{opened},
        before{read_end(text, boot_id)},
        acknowledged{read_last(text)},
        head{"pid " + std::to_string(::getpid()) + ", boot " + boot_id},
        last{acknowledged} {}

  /// One write of one length, so that nobody ever reads half of it. Best effort: on a full disk the lock still holds,
  /// only the hint is missing.
  void write(std::string_view mark) {
    const std::string digits = std::to_string(last);
    std::string line = std::string{mark} + std::string{last_mark} + digits;
    line.resize(std::max(line.size(), length - 1), ' ');
    line += '\n';
    static_cast<void>(::pwrite(descriptor, line.data(), line.size(), 0) < 0);
  }

  static constexpr std::size_t length = 120;
  int descriptor;
  LastEnd before;
  std::uint64_t acknowledged;
  std::string head;
  std::mutex mutex;  ///< Guards what follows.
  std::uint64_t last;
  bool damaged = false;
};

namespace {

/// Whether the process that wrote the head of a lock file is there: "pid 4711, boot ...". Unknown counts as there.
bool is_alive(const std::string& holder) {
  constexpr std::string_view prefix = "pid ";
  const int pid = holder.starts_with(prefix) ? std::atoi(holder.c_str() + prefix.size()) : 0;
  return pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH;
}

/// A child that an agent was about to start when it was killed has its descriptors until it is another program.
bool lock_within(int descriptor, std::chrono::milliseconds limit) {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    const int code = errno;
    const bool may_pass = code == EWOULDBLOCK && !is_alive(std::string{head_of(content(descriptor))});
    errno = code;
    if (!may_pass || std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

}  // namespace

Result<StateLock> StateLock::take(const fs::path& journal, const std::string& boot_id) {
  const fs::path path = journal.string() + ".lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return errno_error("open", path.string(), errno);
  if (!lock_within(descriptor, std::chrono::seconds{5})) {
    const int code = errno;
    const std::string holder{head_of(content(descriptor))};
    ::close(descriptor);
    if (code != EWOULDBLOCK) return errno_error("lock", path.string(), code);
    return Error{Fault::refused, journal.parent_path().string() + ": another agent uses this state directory (" +
                                     printable(holder.empty() ? "process unknown" : holder) +
                                     "); stop it first, or give this one a state directory of its own"};
  }
  auto state = std::make_unique<State>(descriptor, content(descriptor), boot_id);
  state->write(state->head);
  return StateLock{std::move(state)};
}

StateLock::StateLock(std::unique_ptr<State> state) : state_{std::move(state)} {}

StateLock::StateLock(StateLock&&) noexcept = default;

StateLock::~StateLock() {
  if (state_) ::close(state_->descriptor);
}

LastEnd StateLock::last_end() const { return state_->before; }

std::uint64_t StateLock::acknowledged() const { return state_->acknowledged; }

void StateLock::note(std::uint64_t last_event) {
  const std::lock_guard lock{state_->mutex};
  if (state_->last == last_event) return;
  state_->last = last_event;
  state_->write(state_->damaged ? damaged_mark : std::string_view{state_->head});
}

void StateLock::say_closed() {
  const std::lock_guard lock{state_->mutex};
  if (!state_->damaged) state_->write(closed_mark);
}

void StateLock::say_damaged() {
  const std::lock_guard lock{state_->mutex};
  state_->damaged = true;
  state_->write(damaged_mark);
}

fs::path free_name_aside(const fs::path& journal, Timestamp now) {
  const std::string base = journal.string() + ".damaged-" + to_basic_utc(now);
  std::string name = base;
  for (int number = 2; fs::exists(name); ++number) name = base + "-" + std::to_string(number);
  return name;
}

Result<void> set_aside(const fs::path& journal, const fs::path& aside) {
  // The log first: a crash in between must not let a new journal meet the old one's log.
  for (const std::string suffix : {"-wal", "-shm", ""}) {
    if (::rename((journal.string() + suffix).c_str(), (aside.string() + suffix).c_str()) != 0 && errno != ENOENT)
      return errno_error("rename", journal.string() + suffix, errno);
    if (auto synced = sync_directory(journal.parent_path()); !synced) return synced;
  }
  return {};
}

Result<void> move_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("rename", from.string(), errno);
  return sync_directory(to.parent_path());
}

Result<void> create_private(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return errno_error("open", path.string(), errno);
  ::close(descriptor);
  return sync_directory(path.parent_path());
}

}  // namespace outpost::journal::sqlite
