#pragma once

#include "agent/base/hash.hpp"
#include "agent/base/result.hpp"
#include "agent/base/descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace outpost::files {

/// A file that is being downloaded: what is on disk so far, and the running checksum of exactly that.
class PartialFile {
 public:
  /// Opens or makes it and reads what is there into the checksum, or throws it away when it is longer than `longest` or
  /// `keep` is false. Blocks. unavailable: somebody else is writing it.
  static Result<PartialFile> open(const std::filesystem::path& path, std::uint64_t longest, bool keep);

  PartialFile() = default;  ///< Not open.

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// retry_later when the disk is full; the message has path, needed (when known) and free bytes.
  Result<void> append(std::string_view bytes, std::optional<std::uint64_t> total);
  /// Whether `bytes` more fit on the disk, as far as one can know.
  [[nodiscard]] Result<void> check_room(std::uint64_t bytes) const;
  /// Starts again with nothing.
  Result<void> clear();
  /// The checksum of everything; nothing can be appended afterwards but after clear().
  [[nodiscard]] std::string sha256() { return hash_.hex(); }

 private:
  Result<void> read_existing();

  std::filesystem::path path_;
  Descriptor file_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

}  // namespace outpost::files
