#pragma once

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace outpost::log {

/// An open file that is read and written at offsets; errno says why a call did less than it was asked to.
class File {
 public:
  /// Not open when that failed. A new file gets exactly `mode`, whatever the umask.
  static File open(const std::filesystem::path& path, int flags, mode_t mode = 0) {
    File file;
    file.descriptor_ = Descriptor{::open(path.c_str(), flags | O_CLOEXEC, mode)};
    if (file.is_open() && (flags & O_CREAT) != 0) ::fchmod(file.descriptor(), mode);
    return file;
  }

  [[nodiscard]] bool is_open() const { return descriptor_.is_open(); }
  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  void close() { descriptor_.close(); }

  /// How many of the bytes the disk took.
  [[nodiscard]] std::size_t write(std::uint64_t offset, std::string_view bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto size =
          ::pwrite(descriptor(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    return done;
  }

  /// Fewer bytes than there is room for only at the end of the file (errno is 0 then), or on an error.
  [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<char> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto size = ::pread(descriptor(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (size < 0 && errno == EINTR) continue;
      if (size == 0) errno = 0;
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    return done;
  }
  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    bytes.resize(read(offset, std::span<char>{bytes}));
    return bytes;
  }

  [[nodiscard]] bool truncate(std::uint64_t size) const {
    return ::ftruncate(descriptor(), static_cast<off_t>(size)) == 0;
  }
  [[nodiscard]] bool sync() const { return ::fdatasync(descriptor()) == 0; }

  [[nodiscard]] std::uint64_t size() const {
    struct stat status{};
    return ::fstat(descriptor(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  }
  /// Where the bytes begin that have not been given back to the file system.
  [[nodiscard]] std::uint64_t data_begin() const {
    const auto begin = ::lseek(descriptor(), 0, SEEK_DATA);
    if (begin >= 0) return static_cast<std::uint64_t>(begin);
    return errno == ENXIO ? size() : 0;
  }

 private:
  Descriptor descriptor_;
};

}  // namespace outpost::log
