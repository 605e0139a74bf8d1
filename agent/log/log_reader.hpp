#pragma once

#include "agent/base/result.hpp"
#include "agent/log/file.hpp"
#include "agent/log/place.hpp"
#include "agent/log/time_index.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace outpost::log {

/// A line of a redacted log, or a part of a long one.
struct Line {
  std::uint64_t offset = 0;       ///< Of its first byte in the log.
  std::optional<Timestamp> time;  ///< When the line came; nothing when that is not known.
  std::string text;               ///< Without the newline; any bytes.
  bool begins = true;             ///< Not the rest of a long line.
  bool ends = true;               ///< A newline follows.
  std::uint64_t given_back = 0;   ///< No line, but so many bytes that the disk has got back (reclaim.hpp).
};

/// Reads a redacted log line by line, also while it grows, in constant memory.
class LogReader {
 public:
  /// Longer lines come in parts.
  static constexpr std::size_t longest_part = std::size_t{64} * 1024;

  /// unavailable when there is no log, or it may not be read.
  static Result<LogReader> open(const Place& place);

  /// The next line; nothing at the end, where asking again later gives what has come since.
  [[nodiscard]] std::optional<Line> next();
  /// Goes on at `offset`, which is taken for the beginning of a line.
  void seek(std::uint64_t offset);
  [[nodiscard]] std::uint64_t size() const { return file_.size(); }

 private:
  LogReader(File file, LineTimes times) : file_{std::move(file)}, times_{std::move(times)} {}

  File file_;
  LineTimes times_;
  std::string buffer_;  ///< What was read and not given out.
  std::uint64_t offset_ = 0;
  std::optional<Timestamp> time_;  ///< Of the line that is being read.
  bool in_line_ = false;
};

}  // namespace outpost::log
