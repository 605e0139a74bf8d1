#include "agent/files/durable_file.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/sync.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace outpost::files {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path{"."}; }

Result<void> write_and_sync(const fs::path& path, std::string_view content, unsigned mode) {
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!file.is_open()) return errno_error("cannot create", path.native(), errno);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error("cannot write", path.native(), errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return errno_error("cannot sync", path.native(), errno);
  return {};
}

}  // namespace

Result<void> write_durably(const fs::path& target, std::string_view content, unsigned mode) {
  fs::path draft = target;
  draft += ".draft";
  if (auto written = write_and_sync(draft, content, mode); !written) {
    ::unlink(draft.c_str());
    return written;
  }
  if (::rename(draft.c_str(), target.c_str()) != 0) {
    const int code = errno;
    ::unlink(draft.c_str());
    return errno_error("cannot replace", target.native(), code);
  }
  return sync_directory(directory_of(target));
}

Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  {
    const Descriptor file{::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (!file.is_open()) return errno_error("cannot open", from.native(), errno);
    if (::fsync(file.get()) != 0) return errno_error("cannot sync", from.native(), errno);
  }
  if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("cannot rename to", to.native(), errno);
  if (auto synced = sync_directory(directory_of(to)); !synced) return synced;
  return directory_of(from) == directory_of(to) ? Result<void>{} : sync_directory(directory_of(from));
}

Result<void> remove_durably(const fs::path& target) {
  if (::unlink(target.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove", target.native(), errno);
  return sync_directory(directory_of(target));
}

}  // namespace outpost::files
