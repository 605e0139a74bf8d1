#include "agent/base/sync.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace outpost {

Result<void> sync_directory(const std::filesystem::path& directory) {
  const Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened.is_open() || ::fsync(opened.get()) != 0) return errno_error("cannot sync", directory.native(), errno);
  return {};
}

}  // namespace outpost
