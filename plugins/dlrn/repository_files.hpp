#pragma once

#include "agent/base/workers.hpp"
#include "agent/files/downloader.hpp"
#include "agent/files/stalls.hpp"
#include "agent/pipeline/source.hpp"
#include "plugins/dlrn/build_hash.hpp"
#include "plugins/dlrn/tree.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <string>

namespace outpost::dlrn {

/// Brings the repository files of a hash: what a hook gives to dnf, and what was built. The packages themselves stay where
/// delorean.repo says they are.
class RepositoryFiles {
 public:
  struct Wanted {
    job::Component component;
    BuildHash build;        ///< One of these two is empty.
    std::string aggregate;
    std::filesystem::path directory;
  };

  /// All outlive it. `stalled` as in FetchRequest.
  RepositoryFiles(const Tree& tree, http::Client& client, Workers& workers, files::DownloadOptions options, pipeline::Stalled stalled = {})
      : tree_{tree}, workers_{workers}, downloader_{client, workers, options}, stalls_{std::move(stalled)} {}

  /// Of a build delorean.repo, commit.yaml and versions.csv; both of the first must name the build. Of an aggregate
  /// delorean.repo, whose MD5 must be the hash, versions.csv, and of each component its commit.yaml, as
  /// components/<name>/commit.yaml, out of the same tree. All come from the directory of the hash, never
  /// from a label, whose files are exchanged one by one.
  /// refused: the hash was purged, or what was read is not what was asked for.
  boost::asio::awaitable<Result<void>> fetch(Wanted wanted, pipeline::Report report);

 private:
  /// False: it is not there (404).
  boost::asio::awaitable<Result<bool>> bring(std::string url, std::filesystem::path target);
  boost::asio::awaitable<Result<std::string>> content(std::filesystem::path path);
  boost::asio::awaitable<Result<void>> check_build(Wanted wanted);
  boost::asio::awaitable<Result<void>> check_aggregate(Wanted wanted);
  boost::asio::awaitable<Result<void>> bring_commits(Wanted wanted, pipeline::Report report);

  const Tree& tree_;
  Workers& workers_;
  files::Downloader downloader_;
  files::Stalls stalls_;
};

}  // namespace outpost::dlrn
