#pragma once

#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace outpost::files {

class ObjectStore;

/// Files kept for the next job, found by what they hold: <root>/objects/<aa>/<sha256>.
///
/// An object is there complete or not at all, after any crash. The one used longest ago goes first when room is needed;
/// an object that is held, or still linked into a workspace, stays. One process uses a cache at a time. All calls are
/// for the loop; what blocks runs on the workers.
class Cache {
 public:
  /// Opens or makes the cache, removes what a crash left half done and shrinks it to `limit` bytes. Blocks for a walk
  /// through the objects. unavailable: another process uses it, or the directory cannot be written.
  static Result<Cache> open(const std::filesystem::path& root, std::uint64_t limit, Workers& workers);

  /// Puts the object at `target` (which must not exist), as a reflink, a hard link or a copy, whatever the file system
  /// can do; it is read-only there. False when the cache does not have it. An object whose size or time stamp is no
  /// longer the recorded one (somebody wrote through a hard link) is dropped and not there.
  boost::asio::awaitable<Result<bool>> take(std::string sha256, std::filesystem::path target);

  /// Keeps a file for later, after checking that it holds what the name says (malformed if not). The file stays where
  /// it is and may become read-only, since it can be the same file afterwards. False when it is larger than the room
  /// that can be made.
  boost::asio::awaitable<Result<bool>> keep(std::filesystem::path file, std::string sha256);

  /// As long as the token lives the object is not removed (if it is there).
  [[nodiscard]] std::shared_ptr<void> hold(const std::string& sha256);

  [[nodiscard]] bool contains(const std::string& sha256) const;
  [[nodiscard]] std::uint64_t size() const;  ///< Bytes of all objects.

 private:
  Cache(std::shared_ptr<ObjectStore> store, Workers& workers);

  std::shared_ptr<ObjectStore> store_;  ///< Shared with the work on other threads, which may outlive this.
  Workers* workers_;
};

}  // namespace outpost::files
