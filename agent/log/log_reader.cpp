#include "agent/log/log_reader.hpp"

#include <algorithm>

namespace outpost::log {

Result<LogReader> LogReader::open(const Place& place) {
  auto file = File::open(place.log(), O_RDONLY);
  if (!file.is_open()) return errno_error("cannot open the log", place.log().string(), errno);
  return LogReader{std::move(file), LineTimes{place.times()}};
}

void LogReader::seek(std::uint64_t offset) {
  offset_ = offset;
  buffer_.clear();
  in_line_ = false;
}

std::optional<Line> LogReader::next() {
  if (const auto begin = file_.data_begin(); offset_ < begin) {
    Line gone{.offset = offset_, .given_back = begin - offset_};
    seek(begin);
    return gone;
  }
  auto newline = buffer_.find('\n');
  if (newline == std::string::npos && buffer_.size() < longest_part) {
    const auto searched = buffer_.size();
    buffer_ += file_.read(offset_ + buffer_.size(), longest_part - buffer_.size());
    newline = buffer_.find('\n', searched);
  }
  if (buffer_.empty()) return {};
  Line line{.offset = offset_, .begins = !in_line_, .ends = newline != std::string::npos};
  if (line.begins) time_ = times_.at(offset_);
  line.time = time_;
  line.text = buffer_.substr(0, newline);
  const auto used = line.text.size() + (line.ends ? 1 : 0);
  buffer_.erase(0, used);
  offset_ += used;
  in_line_ = !line.ends;
  return line;
}

}  // namespace outpost::log
