#pragma once

#include "agent/base/clock.hpp"
#include "agent/log/file.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace outpost::log {

/// When the lines of a redacted log came. The file is a head (magic, the clock's time, the time since boot) and records
/// of 16 bytes, in the machine's byte order: an offset in the log, and the microseconds since the head was written. A
/// line has the time of the last record at or before its first byte. There is one record for each read that begins a
/// line, but not more than one for each millisecond.
///
/// Times never go back, and differences are right, whoever sets the clock meanwhile: the time since boot is what counts
/// and the clock is read once. A torn end is ignored by readers and overwritten.
class TimeIndex {
 public:
  struct Record {
    std::uint64_t offset = 0, elapsed_us = 0;
  };

  /// Nothing is written before the first line.
  explicit TimeIndex(std::filesystem::path path) : path_{std::move(path)} {}

  /// Bytes from `offset` on came just now, and a line begins among them. What the disk refuses is left out: lines then
  /// have an earlier time.
  void note(std::uint64_t offset, const Clock& clock);
  /// After a crash: goes on with the file that is there, without what it says of bytes from `log_size` on.
  void resume(std::uint64_t log_size);

 private:
  std::filesystem::path path_;
  File file_;
  std::uint64_t size_ = 0;  ///< Of the file, as far as it is right.
  std::chrono::nanoseconds began_{};
  std::optional<Record> last_;
};

/// Reads a time index.
class LineTimes {
 public:
  /// Without a usable file no line has a time.
  explicit LineTimes(const std::filesystem::path& path);

  /// When the line came whose first byte is at `offset`. Asking in order is fastest.
  [[nodiscard]] std::optional<Timestamp> at(std::uint64_t offset);
  /// When the first line came.
  [[nodiscard]] std::optional<Timestamp> began() const;

 private:
  [[nodiscard]] TimeIndex::Record record(std::uint64_t number);

  File file_;
  std::uint64_t count_ = 0;
  Timestamp start_{};
  std::uint64_t first_ = 0;               ///< The offset of the first record.
  std::vector<TimeIndex::Record> block_;  ///< The last part that was read.
  std::uint64_t block_begin_ = 0;
  std::uint64_t hint_ = 0;  ///< The record that answered last.
};

}  // namespace outpost::log
