#pragma once

#include "agent/base/workers.hpp"
#include "agent/files/cache.hpp"
#include "agent/files/downloader.hpp"
#include "agent/files/stalls.hpp"
#include "agent/files/unpacker.hpp"
#include "agent/job/component.hpp"
#include "agent/pipeline/source.hpp"
#include "plugins/dci/api.hpp"
#include "plugins/dci/file_list.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::dci {

struct FetchLimits {
  std::uint64_t bytes = std::uint64_t{100} << 30;  ///< Of all files of one component.
  std::size_t files = 1'000'000;
  files::UnpackLimits unpack;
};

/// Brings the files of a component into its directory: those that its dci_files_list.json names, by way of the object
/// store, with its images_list.yaml; or where it has none those that a feeder put at the control server itself. Nothing
/// is written outside the directory, whatever the lists say.
class ComponentFiles {
 public:
  /// All outlive it; `cache` may be nullptr.
  ComponentFiles(const Api& api, http::Client& client, Workers& workers, files::Cache* cache, FetchLimits limits,
                 bool allow_local_redirects, files::DownloadOptions options, files::Unpacker unpacker);

  /// Goes on with what an earlier call left in `directory`.
  boost::asio::awaitable<Result<void>> fetch(job::Component component, std::filesystem::path directory, bool unpack,
                                             pipeline::Report report, pipeline::Stalled stalled = {});

 private:
  /// A fetch() that runs: what its downloads share.
  struct Progress {
    pipeline::Report report;
    files::Stalls& stalls;
    std::chrono::steady_clock::time_point last_line = std::chrono::steady_clock::now();
    std::size_t next = 0;
    std::uint64_t bytes = 0, kept = 0, cached = 0, resumed = 0;
    std::optional<Error> failed;
  };
  struct Listed {
    FileList list;
    bool found = false;  ///< There was a dci_files_list.json.
  };

  boost::asio::awaitable<Result<std::optional<std::string>>> read_list(std::string component, std::string_view name,
                                                                    files::Stalls& stalls);
  boost::asio::awaitable<Result<void>> bring_images_list(std::string component, std::filesystem::path root,
                                                         const FileList& list, pipeline::Report report,
                                                         files::Stalls& stalls);
  boost::asio::awaitable<Result<Listed>> list_of(std::string component, files::Stalls& stalls);
  boost::asio::awaitable<Result<FileList>> uploaded_files(job::Component component);
  boost::asio::awaitable<Result<http::Response>> get(std::string path, files::Stalls& stalls);
  boost::asio::awaitable<Result<http::Response>> get_once(std::string path);
  boost::asio::awaitable<Result<http::Request>> open(Call call);
  boost::asio::awaitable<void> download_some(const std::string& component, const std::filesystem::path& directory,
                                             const std::vector<ListedFile>& files, Progress& progress);
  boost::asio::awaitable<Result<void>> bring(std::string component, std::filesystem::path root, ListedFile file,
                                             Progress& progress);
  boost::asio::awaitable<Result<void>> unpack_all(std::filesystem::path directory, std::vector<ListedFile> files,
                                                  pipeline::Report report);

  const Api& api_;
  http::Client& client_;
  Workers& workers_;
  files::Cache* cache_;
  FetchLimits limits_;
  bool allow_local_;
  files::DownloadOptions options_;
  files::Downloader downloader_;
  files::Unpacker unpacker_;
};

}  // namespace outpost::dci
