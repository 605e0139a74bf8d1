#pragma once

#include "agent/base/result.hpp"
#include "agent/files/unpacker.hpp"

#include <archive.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace outpost::files {

/// A tar archive as it comes off the disk, decompressed: two readers of libarchive, one behind the other, so that the
/// decompressor can be driven to its end (its checksum is there) after the tar reader has seen enough.
class TarStream {
 public:
  TarStream(const std::filesystem::path& file, const UnpackLimits& limits, std::stop_token stop);
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;

  [[nodiscard]] Result<void> open();
  /// The tar reader: for archive_read_next_header() and archive_read_data_block().
  [[nodiscard]] struct archive* reader() const { return tar_.get(); }
  /// After the last entry: reads the rest, so that a cut or damaged end is noticed.
  [[nodiscard]] Result<void> drain();
  /// Why the tar reader failed just now.
  [[nodiscard]] Error failure() const;
  /// A limit or a wish to stop that concerns the stream, not an entry.
  [[nodiscard]] Result<void> check() const;

 private:
  struct Free {
    void operator()(struct archive* archive) const { ::archive_read_free(archive); }
  };
  using Reader = std::unique_ptr<struct archive, Free>;

  static la_ssize_t read(struct archive*, void* self, const void** bytes);
  la_ssize_t read_some();
  void remember_tail(std::size_t size);

  std::filesystem::path file_;
  UnpackLimits limits_;
  std::stop_token stop_;
  Reader raw_, tar_;
  std::array<char, 64 * 1024> buffer_{};
  std::array<char, 512> tail_{};  ///< The last block of the tar stream.
  std::uint64_t unpacked_ = 0;    ///< Bytes that came out of the decompressor.
  bool ended_ = false;
  std::optional<Error> own_error_;
};

}  // namespace outpost::files
