#pragma once

#include "agent/base/result.hpp"
#include "agent/delivery/spool_entry.hpp"
#include "agent/delivery/spool_seal.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace outpost::delivery {

/// Reads a spool archive, twice: verify() decides whether it is what was sealed, before a byte of it is decompressed.
/// Reading its entries computes the seal again, because somebody may write to the file meanwhile, and the end of the
/// entries is told only if it is right: what was read until then is not to be acted upon. Blocks; memory is constant.
class SpoolReader {
 public:
  /// malformed: no spool archive, or cut off; refused: of a newer version; unavailable: the file cannot be read.
  static Result<SpoolReader> open(const std::filesystem::path& file);
  SpoolReader(SpoolReader&&) noexcept;
  SpoolReader& operator=(SpoolReader&&) noexcept;
  ~SpoolReader();

  /// Whose it says it is, printable. A hint until it is verified.
  [[nodiscard]] const std::string& client_id() const;
  [[nodiscard]] std::uint64_t size() const;  ///< Of the file, in bytes.

  /// Told now and then how many bytes have been read; its error ends the reading.
  using Progress = std::function<Result<void>(std::uint64_t bytes)>;
  /// refused: of another remoteci, or not as it was sealed.
  Result<void> verify(const SpoolKey& key, const Progress& progress = nullptr);

  /// Begins to read the entries.
  Result<SpoolManifest> begin(const SpoolKey& key);
  /// The next entry; nothing after the last. The bytes of the one before, if it has any, have to be saved first.
  Result<std::optional<SpoolEntry>> next();
  /// Writes the bytes of the entry that was read last into a new file (0600).
  Result<void> save_bytes(const std::filesystem::path& file);

 private:
  struct State;
  explicit SpoolReader(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace outpost::delivery
