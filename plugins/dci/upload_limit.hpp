#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace outpost::dci {

/// How large a file the server takes: configured, or learned from its 413s, which do not say it.
class UploadLimit {
 public:
  explicit UploadLimit(std::optional<std::uint64_t> configured) : configured_{configured} {}

  /// Whether a file of this size need not be tried.
  [[nodiscard]] bool refuses(std::uint64_t size) const {
    return (configured_ && size > *configured_) || size >= smallest_refused_;
  }

  /// The size of the pieces in which a larger log is sent. A guess gets smaller with each 413.
  [[nodiscard]] std::uint64_t piece() const {
    std::uint64_t size = configured_.value_or(std::numeric_limits<std::uint64_t>::max());
    if (size < smallest_refused_) return size;
    if (largest_accepted_ > 0 && largest_accepted_ < smallest_refused_ && largest_accepted_ >= smallest_refused_ / 4)
      return largest_accepted_;
    return smallest_refused_ > server_default ? server_default : smallest_refused_ / 2;
  }

  void accepted(std::uint64_t size) {
    largest_accepted_ = std::max(largest_accepted_, size);
    // The administrator has raised it meanwhile.
    if (size >= smallest_refused_) smallest_refused_ = std::numeric_limits<std::uint64_t>::max();
  }
  void refused(std::uint64_t size) {
    smallest_refused_ = std::min(smallest_refused_, size);
    if (largest_accepted_ >= smallest_refused_) largest_accepted_ = 0;
  }

  /// "at most 20.0 MiB (20971520 bytes; upload_limit)", "less than 30.0 MiB (31457280 bytes), ..."
  [[nodiscard]] std::string describe() const;

 private:
  static constexpr std::uint64_t server_default = 20 * 1024 * 1024;  ///< MAX_CONTENT_LENGTH_MB
  std::optional<std::uint64_t> configured_;
  std::uint64_t largest_accepted_ = 0;
  std::uint64_t smallest_refused_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace outpost::dci
