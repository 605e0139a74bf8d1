#include "agent/files/partial_file.hpp"

#include "agent/files/disk_space.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace outpost::files {

Result<PartialFile> PartialFile::open(const std::filesystem::path& path, std::uint64_t longest, bool keep) {
  PartialFile part;
  part.path_ = path;
  part.file_ = Descriptor{::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640)};
  if (!part.file_.is_open()) return errno_error("cannot create", path.native(), errno);
  struct stat status{};
  if (::fstat(part.file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{Fault::unavailable, path.string() + ": not a regular file; remove it"};
  if (::flock(part.file_.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{Fault::unavailable, path.string() + ": another download writes this file"};
  const auto there = static_cast<std::uint64_t>(status.st_size);
  auto ready = keep && there <= longest ? part.read_existing() : part.clear();
  if (!ready) return ready.error();
  return part;
}

Result<void> PartialFile::read_existing() {
  std::vector<char> buffer(256 * 1024);
  while (true) {
    const ssize_t got = ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", path_.native(), errno);
    if (got == 0) return {};
    hash_.update({buffer.data(), static_cast<std::size_t>(got)});
    size_ += static_cast<std::uint64_t>(got);
  }
}

Result<void> PartialFile::append(std::string_view bytes, std::optional<std::uint64_t> total) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      const std::uint64_t needed = total && *total > size_ ? *total - size_ : bytes.size();
      return disk_full(path_, needed, free_bytes(file_.get()));
    }
    if (written < 0) return errno_error("cannot write", path_.native(), errno);
    hash_.update(bytes.substr(0, static_cast<std::size_t>(written)));
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> PartialFile::check_room(std::uint64_t bytes) const {
  const auto available = free_bytes(file_.get());
  if (available && bytes > *available) return disk_full(path_, bytes, available);
  return {};
}

Result<void> PartialFile::clear() {
  hash_ = Sha256{};
  size_ = 0;
  if (::ftruncate(file_.get(), 0) != 0) return errno_error("cannot truncate", path_.native(), errno);
  return {};
}

}  // namespace outpost::files
