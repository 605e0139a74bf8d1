#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <string_view>
#include <vector>

namespace outpost::http {

/// Reads a range of a file piece by piece, in constant memory.
/// The reads are synchronous and happen on the loop: what is uploaded was written or hashed shortly before, so a piece
/// of 256 KiB is a copy out of the page cache (tens of microseconds), less than the hand-over to another thread and
/// back.
class FilePieces {
 public:
  static constexpr std::size_t piece_size = 256UL * 1024;

  /// Fails when the file cannot be read, is not a regular file, or ends before the range does.
  [[nodiscard]] static Result<FilePieces> open(const FileRange& range);
  FilePieces(FilePieces&& other) noexcept;
  FilePieces& operator=(FilePieces&&) = delete;
  ~FilePieces();

  /// The next bytes, valid until the next call; empty at the end of the range. Fails when the file has shrunk.
  [[nodiscard]] Result<std::string_view> next();

 private:
  FilePieces(int descriptor, const FileRange& range);

  int descriptor_;
  std::string path_;
  std::uint64_t offset_, left_;
  std::vector<char> piece_;
};

}  // namespace outpost::http
