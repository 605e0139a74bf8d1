#pragma once

#include "agent/base/result.hpp"
#include "agent/base/descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace outpost::daemon {

/// A new file that appears whole or not at all (0600), or standard output for "-". Blocks.
class SpoolFile {
 public:
  /// refused: it exists, and `force` does not allow to replace it.
  static Result<SpoolFile> create(const std::filesystem::path& target, bool force);
  SpoolFile(SpoolFile&&) noexcept = default;
  SpoolFile& operator=(SpoolFile&&) = delete;
  ~SpoolFile();  ///< Without commit() nothing is left.

  Result<void> write(std::string_view bytes);
  /// Synced and under its name.
  Result<void> commit();
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  SpoolFile(std::filesystem::path target, std::filesystem::path draft, Descriptor file)
      : target_{std::move(target)}, draft_{std::move(draft)}, file_{std::move(file)} {}

  std::filesystem::path target_, draft_;
  Descriptor file_;  ///< Not open once it is committed.
  std::uint64_t size_ = 0;
};

}  // namespace outpost::daemon
