#include "agent/log/capture.hpp"
#include "agent/log/capture_file.hpp"

#include <algorithm>

namespace outpost::log {

/// Compares the log that the raw file gives with the one that is there, and writes from where they part.
class Capture::Rebuild {
 public:
  /// The first `fixed` bytes of the log stay as they are.
  Rebuild(Capture& capture, std::uint64_t fixed) : capture_{capture}, fixed_{fixed} {}

  Result<void> run() {
    constexpr std::size_t chunk_size = 1 << 20;
    for (std::uint64_t offset = 0;;) {
      const auto chunk = capture_.raw_->read(offset, chunk_size);
      if (chunk.empty()) break;
      offset += chunk.size();
      if (auto merged = merge(capture_.redactor_.feed(chunk)); !merged) return merged;
    }
    return merge(capture_.redactor_.flush());
  }

 private:
  Result<void> merge(std::string_view redacted) {
    if (!parted_) {
      const auto there = capture_.log_->read(position_, redacted.size());
      const auto length = std::min(there.size(), redacted.size());
      const auto common = static_cast<std::size_t>(
          std::mismatch(redacted.begin(), redacted.begin() + static_cast<std::ptrdiff_t>(length), there.begin()).first -
          redacted.begin());
      position_ += common;
      redacted.remove_prefix(common);
      if (redacted.empty()) return {};
      parted_ = true;
      if (auto cleared = clear_rest(); !cleared) return cleared;
    }
    return append(redacted);
  }

  /// Takes away what differs, but never what has been cut.
  Result<void> clear_rest() {
    const auto keep = std::max(position_, fixed_);
    if (!capture_.log_->truncate(keep)) return refused();
    capture_.log_size_ = keep;
    if (position_ >= fixed_) return {};
    const bool in_line = capture_.log_->read(keep - 1, 1) != "\n";
    return append((in_line ? "\n" : "") +
                  ("[redacted anew after a restart: repeated from byte " + std::to_string(position_)) + "]\n");
  }

  Result<void> append(std::string_view text) {
    const auto done = capture_.log_->append(text);
    capture_.log_size_ += done;
    if (done < text.size()) return refused();
    return {};
  }

  [[nodiscard]] Error refused() const {
    return errno_error("cannot write the log file", capture_.place_.log().string(), errno);
  }

  Capture& capture_;
  const std::uint64_t fixed_;
  std::uint64_t position_ = 0;
  bool parted_ = false;
};

Result<Capture> Capture::recover(Place place, Redactor redactor, std::uint64_t cut_bytes) {
  Capture capture{std::move(place), std::move(redactor), 0};
  if (auto opened = capture.open_files(0); !opened) return opened.error();
  capture.closed_ = true;
  capture.cut_ = cut_bytes;
  capture.raw_size_ = capture.raw_->size();
  capture.log_size_ = capture.log_->size();
  Rebuild rebuild{capture, std::min(cut_bytes, capture.log_size_)};
  if (auto rebuilt = rebuild.run(); !rebuilt) return rebuilt.error();
  if (capture.log_size_ < cut_bytes)
    capture.gaps_.push_back({.offset = capture.log_size_,
                             .bytes = cut_bytes - capture.log_size_,
                             .reason = "no longer in the file after a restart"});
  return capture;
}

}  // namespace outpost::log
