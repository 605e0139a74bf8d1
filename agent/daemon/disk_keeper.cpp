#include "agent/daemon/disk_keeper.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t nothing_left = 1 << 20;  ///< Less than this is a full disk.
constexpr std::uint64_t for_the_journal = 8 << 20;  ///< Logs leave at least this.

fs::path reserve_of(const fs::path& directory) { return directory / "reserve"; }

struct Space { std::uint64_t free = 0, total = 0; };

std::optional<Space> space_of(const fs::path& directory) {
  struct statvfs status{};
  if (::statvfs(directory.c_str(), &status) != 0) return std::nullopt;
  return Space{std::uint64_t{status.f_bavail} * status.f_frsize, std::uint64_t{status.f_blocks} * status.f_frsize};
}

int open_to_write(const fs::path& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); }

/// Why a byte cannot be written and synced there: an errno, 0 when it can.
int try_to_write(const fs::path& directory) {
  const Descriptor probe{open_to_write(directory / ".probe")};
  if (!probe.is_open() || ::pwrite(probe.get(), "\n", 1, 0) != 1 || ::fsync(probe.get()) != 0) return errno;
  return 0;
}

bool is_full(int code) { return code == ENOSPC || code == EDQUOT; }

/// Of this size and with real blocks; removed again when it cannot have them.
bool make_reserve(const fs::path& path, std::uint64_t size) {
  const Descriptor file{open_to_write(path)};
  const bool made = file.is_open() && ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)) == 0 &&
                    ::ftruncate(file.get(), static_cast<off_t>(size)) == 0 && ::fsync(file.get()) == 0;
  if (!made) ::unlink(path.c_str());
  return made;
}

bool has_blocks(const fs::path& path, std::uint64_t size) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == size &&
         static_cast<std::uint64_t>(status.st_blocks) * 512 >= size;
}

}  // namespace

bool give_up_reserve(const fs::path& state_directory) {
  const auto space = space_of(state_directory);
  return space && space->free < nothing_left && ::unlink(reserve_of(state_directory).c_str()) == 0;
}

DiskKeeper::DiskKeeper(Workers& workers, const Logger& logger, Alarms& alarms, fs::path state_directory, config::Disk settings)
    : workers_{workers}, logger_{logger}, alarms_{alarms}, directory_{std::move(state_directory)}, settings_{settings} {
  reserve_there_ = settings_.reserve > 0 && has_blocks(reserve_of(directory_), settings_.reserve);
  measure();
}

DiskKeeper::Look DiskKeeper::look_at(const fs::path& directory, const config::Disk& settings) {
  Look look;
  const int failure = try_to_write(directory);
  if (failure != 0 && !is_full(failure)) look.failure = errno_error("cannot write in", directory.native(), failure).message;
  const auto space = space_of(directory);
  if (!space) {
    if (look.failure.empty()) look.failure = errno_error("cannot look at", directory.native(), errno).message;
    return look;
  }
  const fs::path reserve = reserve_of(directory);
  look.reserve_there = settings.reserve > 0 && has_blocks(reserve, settings.reserve);
  // Not when that would be what keeps the next job from being claimed.
  const bool room = failure == 0 && space->free >= settings.keep_free + settings.reserve;
  if (settings.reserve > 0 && !look.reserve_there && room) look.reserve_there = make_reserve(reserve, settings.reserve);
  if (settings.reserve == 0) ::unlink(reserve.c_str());
  const Space now = space_of(directory).value_or(*space);
  look.free = now.free;
  look.total = now.total;
  return look;
}

asio::awaitable<void> DiskKeeper::look() {
  auto looking = [directory = directory_, settings = settings_] { return look_at(directory, settings); };
  const Look look = co_await workers_.run(std::move(looking));
  const bool had_reserve = std::exchange(reserve_there_, look.reserve_there);
  if (had_reserve != look.reserve_there)
    logger_.notice(look.reserve_there ? "disk: the reserve of " + format_size(settings_.reserve) + " is there (again)" : "disk: the reserve is gone");
  failure_ = look.failure;
  if (!failure_.empty()) {
    alarms_.raise("state-directory", "degraded", failure_ + ": nothing new is started until it can be written again; look at the disk and its mount");
    co_return;
  }
  alarms_.clear("state-directory");
  free_ = look.free;
  total_ = look.total;
  tell_space();
}

bool DiskKeeper::may_claim() {
  measure();
  tell_space();
  return failure_.empty() && missing() == 0;
}

bool DiskKeeper::has_room_for_logs() {
  const auto space = space_of(directory_);
  if (!space) return true;  // The write itself says what is wrong.
  const std::uint64_t kept = std::min(for_the_journal + (reserve_there_ ? 0 : settings_.reserve), space->total / 8);
  // Once held they want a little more, so that it is not every line that comes between two marks.
  logs_held_ = space->free < kept + (logs_held_ ? kept / 2 : 0);
  return !logs_held_;
}

void DiskKeeper::measure() {
  const auto space = space_of(directory_);
  // What cannot be asked is no reason; look() finds out what is wrong.
  free_ = space ? space->free : settings_.keep_free;
  total_ = space ? space->total : total_;
}

void DiskKeeper::tell_space() {
  if (missing() == 0) return alarms_.clear("disk");
  const bool full = free_ < nothing_left;
  alarms_.raise("disk", "degraded", directory_.string() + " has " + format_size(free_) + " free; no job is claimed below " + format_size(settings_.keep_free) +
                                        (full && settings_.reserve > 0 && !reserve_there_ ? ", and the reserve is used up" : "") + ": make room there");
}

void DiskKeeper::write_failed() {
  measure();
  tell_space();
  if (!give_up_reserve(directory_)) return;
  reserve_there_ = false;
  logger_.warning("disk: " + directory_.string() + " is full: the reserve of " + format_size(settings_.reserve) + " is given up for results and verdicts");
}

}  // namespace outpost::daemon
