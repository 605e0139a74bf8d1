#pragma once

#include "agent/log/capture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace outpost::log {

/// A descriptor that is only ever appended to.
class Capture::File {
 public:
  explicit File(int descriptor) : descriptor_{descriptor} {}
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  static Result<std::unique_ptr<File>> open(const std::filesystem::path& path, int flags, mode_t mode) {
    const int descriptor = ::open(path.c_str(), flags | O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, mode);
    if (descriptor < 0) return errno_error("cannot open the log file", path.string(), errno);
    auto file = std::make_unique<File>(descriptor);
    if (::fchmod(descriptor, mode) != 0) return errno_error("cannot set the mode of", path.string(), errno);
    return file;
  }

  /// How many of the bytes the disk took; errno says why not all.
  std::size_t append(std::string_view bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto size = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    return done;
  }

  /// Up to `size` bytes from `offset`; fewer only at the end of the file, or on an error.
  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const auto got = ::pread(descriptor_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
  }

  [[nodiscard]] bool truncate(std::uint64_t size) const {
    return ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0;
  }

  [[nodiscard]] std::uint64_t size() const {
    struct stat status{};
    return ::fstat(descriptor_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }

  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace outpost::log
