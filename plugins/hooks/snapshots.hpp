#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace outpost::hooks {

/// SHA-256 over names, execute bits and content of all files of a plugin. Blocks.
[[nodiscard]] Result<std::string> digest_of_plugin(const std::filesystem::path& folder);

/// Copies a plugin to where nothing is: links inside it stay links, what leads out of it is copied, sockets and pipes are
/// left out. The copy has the digest of the plugin; nobody may write it. Blocks.
[[nodiscard]] Result<void> copy_plugin(const std::filesystem::path& folder, const std::filesystem::path& to);

/// Copies of plugins, each made once for as long as the plugin stays as it is: jobs run these, so that a plugin can be
/// replaced at any time.
///
/// Links inside a plugin stay links; one that leads out of it, or names the plugin's own place on its way, is replaced by
/// what it leads to. Any thread may use it.
class Snapshots {
 public:
  /// `directory` holds the copies: <state>/plugins. `jobs` is where the jobs keep their links to them.
  Snapshots(std::filesystem::path directory, std::filesystem::path jobs) : directory_{std::move(directory)}, jobs_{std::move(jobs)} {}

  struct Taken {
    std::string digest;              ///< SHA-256 over names, modes and content of all files.
    std::filesystem::path directory;  ///< The copy. It stays for as long as the job's link to it.
  };

  /// Takes the plugin in `folder` as it is now, for the job whose links are in `links`. Copies that no job uses any more
  /// go. Blocks.
  [[nodiscard]] Result<Taken> take(const std::string& name, const std::filesystem::path& folder, const std::filesystem::path& links);

 private:
  [[nodiscard]] Result<std::string> digest_of(const std::filesystem::path& folder);
  void forget_unused(const std::string& name);

  struct Known {
    std::string stamp, digest;
  };

  std::filesystem::path directory_, jobs_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  ///< Digest by folder, for as long as no file of it has changed.
};

}  // namespace outpost::hooks
