#include "agent/base/descriptor.hpp"
#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/doctor/checks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace outpost::doctor {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// A sync that takes longer makes every step wait: a job has a dozen for each.
constexpr milliseconds slow_sync{100};

/// The directory, or what is above it and exists.
fs::path existing(fs::path path) {
  std::error_code ignored;
  while (path.has_parent_path() && path != path.parent_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

Finding space_in(const fs::path& path, std::uint64_t needed) {
  struct statvfs space{};
  if (::statvfs(existing(path).c_str(), &space) != 0)
    return skipped(errno_error("asking for the space of", path.native(), errno).message);
  const std::uint64_t total = std::uint64_t{space.f_blocks} * space.f_frsize,
                      left = std::uint64_t{space.f_bavail} * space.f_frsize;
  std::string measured = path.string() + ": " + format_size(left) + " of " + format_size(total) + " free";
  if (space.f_files > 0)
    measured += ", " + std::to_string(100 * std::uint64_t{space.f_favail} / space.f_files) + " % of inodes";
  const Cure look{"du -xh --max-depth=2 " + shell_word(existing(path).string()) + " | sort -h | tail",
                  "make space; the keys history and spool in outpost.yml say how much is kept"};
  if (left < needed)
    return failed(measured, "with less than " + format_size(needed) + " (disk.keep_free) nothing is claimed", look);
  if (space.f_files > 0 && space.f_favail * 100 < space.f_files)
    return failed(measured, "no new files can be made soon",
                  {"du -x --inodes --max-depth=3 " + shell_word(existing(path).string()) + " | sort -n | tail", "empty the directory with very many files"});
  if (total > 0 && left < total / 20) return warned(measured, "the disk is nearly full", look);
  return passed(measured);
}

/// Who the daemon is: the user outpost for one who may ask for root, else ourselves.
std::optional<User> daemons_user(const Examination& examination) {
  return ::geteuid() == 0 ? user_named(examination.machine, "outpost") : std::nullopt;
}

/// Writes and syncs a small file a few times: how long that takes, at best in the middle of three.
Result<milliseconds> time_of_sync(const fs::path& directory) {
  std::array<milliseconds, 3> times{};
  for (auto& time : times) {
    std::string name = (directory / ".outpost-doctor-XXXXXX").string();
    const auto begin = std::chrono::steady_clock::now();
    const Descriptor file{::mkostemp(name.data(), O_CLOEXEC)};
    if (!file.is_open()) return errno_error("writing into", directory.native(), errno);
    const std::string bytes(4096, 'x');
    const bool done = ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                      ::fsync(file.get()) == 0;
    const int code = errno;
    ::unlink(name.c_str());
    if (!done) return errno_error("writing into", directory.native(), code);
    time = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  std::sort(times.begin(), times.end());
  return times[1];
}

/// The file system that holds a directory can be mounted anew only where it is mounted.
std::string mount_point(const Machine& machine, const fs::path& directory) {
  const auto mount = mount_of(machine, directory);
  return mount ? mount->point.string() : directory.string();
}

Result<std::string> make_directory(const fs::path& directory, const std::optional<User>& owner) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return errno_error("creating", directory.native(), error.value());
  if (::chmod(directory.c_str(), 0751) != 0) return errno_error("chmod", directory.native(), errno);
  if (owner && ::chown(directory.c_str(), owner->id, owner->group) != 0)
    return errno_error("chown", directory.native(), errno);
  return directory.string() + " was made";
}

}  // namespace

Finding check_space(Examination& examination) {
  const std::uint64_t keep = examination.settings() ? examination.settings()->disk.keep_free : config::Disk{}.keep_free;
  constexpr std::uint64_t enough = 8 * 1024 * 1024;
  Findings findings;
  findings.add(space_in(examination.places.state_directory, keep));
  findings.add(space_in(examination.places.runtime_directory, enough));
  findings.add(space_in("/tmp", enough));
  return std::move(findings).all("");
}

Finding check_spool(Examination& examination) {
  const fs::path& directory = examination.places.state_directory;
  const auto owner = daemons_user(examination);
  const std::string name = owner ? owner->name : "the daemon's user";
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) {
    if (errno != ENOENT)
      return skipped(errno_error("looking at", directory.native(), errno).message + "; run it as root");
    Finding missing =
        failed("there is no " + directory.string(), "the daemon has no place for its journal",
               {"install -d -m 0751" + (owner ? " -o " + owner->name + " -g " + owner->name : std::string{}) + " " +
                shell_word(directory.string())});
    missing.repair = [directory, owner] { return make_directory(directory, owner); };
    return missing;
  }
  if (!S_ISDIR(status.st_mode))
    return failed(directory.string() + " is no directory", "the daemon cannot keep its journal there",
                  {examination.edit("state_directory"), "correct state_directory in outpost.yml"});
  if (owner && status.st_uid != owner->id)
    return failed(directory.string() + " belongs to user " + std::to_string(status.st_uid),
                  "user " + name + ", as whom the daemon runs, cannot write there",
                  {"chown -R " + name + ":" + name + " " + shell_word(directory.string())});
  if (::access(directory.c_str(), W_OK) != 0) {
    if (::geteuid() != 0 && errno == EACCES && status.st_uid != ::geteuid())
      return skipped(directory.string() + " is for its owner; run it as root");
    return failed(
        errno_error("writing into", directory.native(), errno).message,
        "nothing can be journaled, so nothing is claimed",
        {errno == EROFS ? "mount -o remount,rw " + shell_word(mount_point(examination.machine, directory)) : "chmod u+rwx " + shell_word(directory.string())});
  }
  const auto took = time_of_sync(directory);
  if (!took)
    return failed(took.error().message, "nothing can be journaled, so nothing is claimed",
                  {"df -h " + shell_word(directory.string()) + "; dmesg | tail"});
  const std::string measured = directory.string() + ": writing and syncing 4 KiB takes " + format_duration(*took);
  if (*took > slow_sync)
    return warned(
        measured,
        "each event of a job is synced, so jobs are slow; is the disk, or what it is shared with, overloaded?",
        {"iostat -x 5 3", "put state_directory on a faster disk"});
  return passed(measured);
}

Finding check_noexec(Examination& examination) {
  std::set<fs::path> places{examination.places.state_directory};
  if (examination.settings())
    places.insert(examination.settings()->plugins_path.begin(), examination.settings()->plugins_path.end());
  Findings findings;
  for (const auto& place : places) {
    const auto mount = mount_of(examination.machine, place);
    if (!mount) continue;
    const std::string measured = place.string() + " on " + mount->point.string() + " (" + mount->type + ")";
    if (mount->has_option("noexec"))
      findings.add(failed(measured + ": noexec", "hooks there cannot be run",
                          {"mount -o remount,exec " + shell_word(mount->point.string()), "correct /etc/fstab too, or move the directory"}));
    else
      findings.add(passed(measured));
  }
  return std::move(findings).all("the mounts of this machine cannot be read");
}

}  // namespace outpost::doctor
