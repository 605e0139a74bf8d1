#include "agent/files/place_file.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/files/disk_space.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace outpost::files {
namespace {

namespace fs = std::filesystem;

constexpr mode_t read_only = 0444;

bool reflink(int from, int to) { return ::ioctl(to, FICLONE, from) == 0; }

Result<void> write_all(int to, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(to, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == ENOSPC || errno == EDQUOT)) return disk_full(path, std::nullopt, free_bytes(to));
    if (written < 0) return errno_error("cannot write", path.native(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> copy(int from, int to, const fs::path& source, const fs::path& target) {
  std::vector<char> buffer(1 << 20);
  while (true) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", source.native(), errno);
    if (got == 0) return {};
    if (auto written = write_all(to, {buffer.data(), static_cast<std::size_t>(got)}, target); !written) return written;
  }
}

}  // namespace

Result<void> place_file(const fs::path& from, const fs::path& to) {
  const Descriptor source{::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!source.is_open()) return errno_error("cannot open", from.native(), errno);
  Descriptor target{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!target.is_open()) return errno_error("cannot create", to.native(), errno);
  if (reflink(source.get(), target.get())) {
    ::fchmod(target.get(), read_only);
    return {};
  }
  ::unlink(to.c_str());
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::chmod(to.c_str(), read_only);
    return {};
  }
  // Another file system, too many links, or not our file.
  target = Descriptor{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!target.is_open()) return errno_error("cannot create", to.native(), errno);
  auto copied = copy(source.get(), target.get(), from, to);
  if (!copied)
    ::unlink(to.c_str());
  else
    ::fchmod(target.get(), read_only);
  return copied;
}

}  // namespace outpost::files
