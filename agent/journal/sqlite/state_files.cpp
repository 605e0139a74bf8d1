#include "agent/journal/sqlite/state_files.hpp"

#include "agent/base/text.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace outpost::journal::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view closed_mark = "closed\n";
constexpr std::string_view damaged_mark = "damaged\n";

std::string content(int descriptor) {
  std::array<char, 128> bytes{};
  const auto count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  return count > 0 ? std::string{bytes.data(), static_cast<std::size_t>(count)} : std::string{};
}

void write_content(int descriptor, std::string_view text) {
  // Best effort: on a full disk the lock still holds, only the hint is missing.
  if (::ftruncate(descriptor, 0) == 0) static_cast<void>(::pwrite(descriptor, text.data(), text.size(), 0) < 0);
}

LastEnd read_end(const std::string& text, const std::string& boot_id) {
  if (text == closed_mark) return LastEnd::closed;
  if (text == damaged_mark) return LastEnd::damaged;
  const bool same_boot = !boot_id.empty() && text.find("boot " + boot_id) != std::string::npos;
  return same_boot ? LastEnd::agent_died : LastEnd::machine_died;
}

void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

Result<StateLock> StateLock::take(const fs::path& journal, const std::string& boot_id) {
  const fs::path path = journal.string() + ".lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return errno_error("open", path.string(), errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    const std::string holder{trim(content(descriptor))};
    ::close(descriptor);
    if (code != EWOULDBLOCK) return errno_error("lock", path.string(), code);
    return Error{Fault::refused, journal.parent_path().string() + ": another agent uses this state directory (" +
                                     printable(holder.empty() ? "process unknown" : holder) +
                                     "); stop it first, or give this one a state directory of its own"};
  }
  const LastEnd last_end = read_end(content(descriptor), boot_id);
  write_content(descriptor, "pid " + std::to_string(::getpid()) + ", boot " + boot_id + "\n");
  return StateLock{descriptor, last_end};
}

StateLock::StateLock(StateLock&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)}, last_end_{other.last_end_}, damaged_{other.damaged_} {}

StateLock::~StateLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StateLock::say_closed() {
  if (!damaged_) write_content(descriptor_, closed_mark);
}

void StateLock::say_damaged() {
  damaged_ = true;
  write_content(descriptor_, damaged_mark);
}

Result<fs::path> set_aside(const fs::path& journal, Timestamp now) {
  const std::string base = journal.string() + ".damaged-" + to_basic_utc(now);
  std::string target = base;
  for (int number = 2; fs::exists(target); ++number) target = base + "-" + std::to_string(number);
  // The log first: a crash in between must not let a new journal meet the old one's log.
  for (const std::string suffix : {"-wal", "-shm", ""}) {
    if (::rename((journal.string() + suffix).c_str(), (target + suffix).c_str()) != 0 && errno != ENOENT)
      return errno_error("rename", journal.string() + suffix, errno);
    sync_directory(journal.parent_path());
  }
  return fs::path{target};
}

Result<void> create_private(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return errno_error("open", path.string(), errno);
  ::close(descriptor);
  sync_directory(path.parent_path());
  return {};
}

}  // namespace outpost::journal::sqlite
