#include "agent/base/sync.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace outpost {

namespace {

Result<void> sync(const std::filesystem::path& path, int kind) {
  const Descriptor opened{::open(path.c_str(), O_RDONLY | O_CLOEXEC | kind)};
  if (!opened.is_open() || ::fsync(opened.get()) != 0) return errno_error("cannot sync", path.native(), errno);
  return {};
}

}  // namespace

Result<void> sync_file(const std::filesystem::path& file) { return sync(file, O_NOFOLLOW); }

Result<void> sync_directory(const std::filesystem::path& directory) { return sync(directory, O_DIRECTORY); }

}  // namespace outpost
