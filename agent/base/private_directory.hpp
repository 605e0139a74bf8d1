#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string_view>
#include <utility>

namespace outpost {

/// A new directory of ours alone (mode 0700), gone with its content when its owner is.
class PrivateDirectory {
 public:
  /// NAME-XXXXXX in `parent`; without one where temporary files go ($TMPDIR, else /tmp).
  static Result<PrivateDirectory> make(const std::filesystem::path& parent, std::string_view name);
  static Result<PrivateDirectory> make(std::string_view name);
  ~PrivateDirectory();
  PrivateDirectory(PrivateDirectory&& other) noexcept : path_{std::exchange(other.path_, {})} {}
  PrivateDirectory& operator=(PrivateDirectory&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file that only we can read. Blocks.
  [[nodiscard]] Result<std::filesystem::path> write(std::string_view name, std::string_view content) const;
  /// It stays where it is.
  void keep() { path_.clear(); }

 private:
  explicit PrivateDirectory(std::filesystem::path path) : path_{std::move(path)} {}
  std::filesystem::path path_;
};

}  // namespace outpost
