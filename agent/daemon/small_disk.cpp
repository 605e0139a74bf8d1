#include "agent/daemon/small_disk.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

namespace outpost::daemon {
namespace {

bool write_to(const char* file, const std::string& text) { return bool{std::ofstream{file} << text << std::flush}; }

/// Mounts of our own: as root at once, else as the root of a user namespace in which everybody is who they were.
Result<void> enter_own_mounts() {
  if (::unshare(CLONE_NEWNS) == 0) return {};
  const auto uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return errno_error("cannot make", "mounts of our own", errno);
  write_to("/proc/self/setgroups", "deny");
  if (!write_to("/proc/self/uid_map", uid + " " + uid + " 1") ||
      !write_to("/proc/self/gid_map", gid + " " + gid + " 1"))
    return Error{Fault::unavailable, "cannot become ourselves in a user namespace"};
  return {};
}

}  // namespace

Result<void> mount_small_disk(const std::filesystem::path& directory, std::uint64_t bytes) {
  if (auto entered = enter_own_mounts(); !entered) return entered;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return errno_error("cannot keep mounts to", "ourselves", errno);
  const std::string options = "mode=0755,size=" + std::to_string(bytes);
  if (::mount("outpost-test", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    return errno_error("cannot mount a tmpfs on", directory.native(), errno);
  return {};
}

Result<void> show_also(const std::filesystem::path& directory, const std::filesystem::path& at) {
  if (::mount(directory.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return errno_error("cannot show on", at.native(), errno);
  return {};
}

void fill_disk(const std::filesystem::path& directory) {
  const Descriptor ballast{::open((directory / ".full").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (!ballast.is_open()) return;
  const std::vector<char> block(4096, 'x');
  while (::write(ballast.get(), block.data(), block.size()) > 0) {
  }
}

}  // namespace outpost::daemon
