#pragma once

#include "agent/log/file.hpp"
#include "agent/log/place.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace outpost::log {

/// The output of a step as it came, in segments. Bytes of a pipe are moved into the open segment by the kernel, so that
/// none is ever only in the memory of this program. The length of the open segment's file is the truth; a segment is
/// made with its first byte.
class RawStream {
 public:
  RawStream(Place place, std::uint64_t segment_size) : place_{std::move(place)}, segment_size_{segment_size} {}

  struct Grown {
    std::size_t bytes = 0;
    int error = 0;  ///< errno. EAGAIN: the pipe is empty. What the disk has refused is still in the pipe.
  };
  /// Takes up to `limit` bytes that are in the pipe, never beyond the end of the segment. Neither bytes nor an error:
  /// the pipe has ended.
  Grown take(int pipe, std::size_t limit);
  /// As many of the bytes as the disk takes, all in one segment.
  Grown append(std::string_view bytes);
  /// Forgets what is behind `size`, which lies in the open segment.
  [[nodiscard]] bool take_back(std::uint64_t size);
  /// Bytes of the open segment.
  [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<char> into) const;

  [[nodiscard]] std::uint64_t size() const { return begin_ + length_; }
  [[nodiscard]] std::uint64_t begin() const { return begin_; }    ///< Of the open segment.
  [[nodiscard]] std::uint64_t length() const { return length_; }  ///< Of the open segment.
  [[nodiscard]] bool full() const { return length_ >= segment_size_; }
  /// The next byte begins a new segment.
  void close();
  /// For a stream that is taken up again: so many bytes of it are in closed segments.
  void go_on_from(std::uint64_t size);

 private:
  [[nodiscard]] bool ensure_open();

  Place place_;
  std::uint64_t segment_size_;
  File file_;
  std::uint64_t begin_ = 0, length_ = 0;
};

}  // namespace outpost::log
