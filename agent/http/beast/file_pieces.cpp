#include "agent/http/beast/file_pieces.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outpost::http {
namespace {

Error too_short(const std::string& path, std::uint64_t wanted, std::uint64_t has) {
  return {Fault::unavailable, "reading " + path + ": the file has " + std::to_string(has) + " bytes, but " +
                                  std::to_string(wanted) + " were to be sent; was it cut meanwhile?"};
}

}  // namespace

Result<FilePieces> FilePieces::open(const FileRange& range) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const int descriptor = ::open(range.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return errno_error("opening", range.path.string(), errno);
  FilePieces pieces{descriptor, range};
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return errno_error("reading", range.path.string(), errno);
  if (!S_ISREG(status.st_mode)) return Error{Fault::unavailable, "reading " + pieces.path_ + ": not a regular file"};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < range.offset || size - range.offset < range.size)
    return too_short(pieces.path_, range.offset + range.size, size);
  ::posix_fadvise(descriptor, static_cast<off_t>(range.offset), static_cast<off_t>(range.size), POSIX_FADV_SEQUENTIAL);
  return pieces;
}

FilePieces::FilePieces(int descriptor, const FileRange& range)
    : descriptor_{descriptor},
      path_{range.path.string()},
      offset_{range.offset},
      left_{range.size},
      piece_(std::min<std::uint64_t>(piece_size, range.size)) {}

FilePieces::FilePieces(FilePieces&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)},
      path_{std::move(other.path_)},
      offset_{other.offset_},
      left_{other.left_},
      piece_{std::move(other.piece_)} {}

FilePieces::~FilePieces() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::string_view> FilePieces::next() {
  if (left_ == 0) return std::string_view{};
  const auto wanted = std::min<std::uint64_t>(left_, piece_.size());
  ssize_t count = 0;
  do {
    count = ::pread(descriptor_, piece_.data(), wanted, static_cast<off_t>(offset_));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno_error("reading", path_, errno);
  if (count == 0) return too_short(path_, offset_ + left_, offset_);
  offset_ += static_cast<std::uint64_t>(count);
  left_ -= static_cast<std::uint64_t>(count);
  return std::string_view{piece_.data(), static_cast<std::size_t>(count)};
}

}  // namespace outpost::http
