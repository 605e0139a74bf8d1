#pragma once

#include "agent/base/result.hpp"
#include "agent/base/descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace outpost::files {

/// What is behind Cache: the objects on disk and what is known about them. Every call may come from any thread, and
/// blocks for the disk.
class ObjectStore : public std::enable_shared_from_this<ObjectStore> {
 public:
  static Result<std::shared_ptr<ObjectStore>> open(const std::filesystem::path& root, std::uint64_t limit);

  Result<bool> take(const std::string& sha256, const std::filesystem::path& target);
  Result<bool> keep(const std::filesystem::path& file, const std::string& sha256);
  [[nodiscard]] std::shared_ptr<void> hold(const std::string& sha256);
  [[nodiscard]] bool contains(const std::string& sha256) const;
  [[nodiscard]] std::uint64_t size() const;

 private:
  struct Object {
    std::uint64_t size = 0;
    std::int64_t used_ns = 0;
  };
  /// How an object looked when it was stored. Whoever writes to it afterwards changes the time.
  struct Stamp {
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  ObjectStore(std::filesystem::path root, std::uint64_t limit) : root_{std::move(root)}, limit_{limit} {}
  Result<void> load();
  void load_directory(const std::filesystem::path& directory);

  [[nodiscard]] std::filesystem::path object(const std::string& sha256) const;
  /// Beside each object: "<size> <modified, ns>". Its own time of modification is when the object was last used.
  [[nodiscard]] std::filesystem::path stamp(const std::string& sha256) const;
  static Result<Stamp> stamp_of(const std::filesystem::path& file);
  static Result<Stamp> read_stamp(const std::filesystem::path& file);
  [[nodiscard]] bool is_intact(const std::string& sha256) const;

  Result<void> store(const std::filesystem::path& file, const std::string& sha256, const Stamp& hashed);
  void touch(const std::string& sha256);
  /// Removes the objects used longest ago until `bytes` more fit, and counts those as used. The mutex is held.
  bool make_room(std::uint64_t bytes);
  void forget(const std::string& sha256);

  std::filesystem::path root_;
  std::uint64_t limit_;
  Descriptor lock_;
  std::mutex storing_;        ///< One object gets its name at a time.
  mutable std::mutex mutex_;  ///< Guards what follows.
  std::map<std::string, Object> objects_;
  std::map<std::string, unsigned> holds_;  ///< Of objects that are not there, too.
  std::uint64_t size_ = 0;                 ///< With what is being stored.
  std::uint64_t drafts_ = 0;
};

}  // namespace outpost::files
