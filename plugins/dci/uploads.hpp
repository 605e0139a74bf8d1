#pragma once

#include "agent/base/workers.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/pipeline/reporter.hpp"
#include "plugins/dci/api.hpp"
#include "plugins/dci/upload_limit.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace outpost::dci {

/// The directory of one of our jobs, where its blobs are.
using JobDirectoryOf = std::function<std::filesystem::path(const std::string& job_id)>;

/// Brings the files of items (logs, results, artifacts, notes) to POST /api/v1/files and finds them there again. Bodies
/// are streamed from disk.
class Uploads {
 public:
  /// Api and workers outlive it.
  Uploads(const Api& api, Workers& workers, JobDirectoryOf directory, std::optional<std::uint64_t> limit)
      : api_{api}, workers_{workers}, directory_{std::move(directory)}, limit_{limit} {}

  /// A log that is too large for one file goes in several, each named with its own offset. Everything else that is too
  /// large is parked, with both sizes in the reason.
  boost::asio::awaitable<pipeline::Outcome> send(const journal::Item& item, const pipeline::Refs& refs);

  /// The file of an earlier, uncertain send(), by name, size, type and state; of tasks that are alike in all of them the
  /// one in its place, since they are sent one after the other; of a split log the last piece, when all
  /// of them are there.
  boost::asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item,
                                                                  const pipeline::Refs& refs);

 private:
  /// One file as the server will know it.
  struct File {
    std::string job, state, name, mime;
    http::Body body;
    std::string sha256;
  };
  struct Piece {
    std::uint64_t size = 0;
    std::string id;
  };
  using Pieces = std::map<std::uint64_t, Piece>;  ///< By offset in the log's stream.

  Result<File> file_of(const journal::Item& item, const pipeline::Refs& refs) const;
  boost::asio::awaitable<Result<std::string>> hash(http::FileRange range);
  boost::asio::awaitable<Reply> post(File file);
  boost::asio::awaitable<pipeline::Outcome> settle(File file, Reply reply);
  boost::asio::awaitable<pipeline::Outcome> send_split(const journal::Item& item, File file);
  boost::asio::awaitable<Result<std::optional<std::string>>> find_file(File file, std::int64_t alike = 0);
  boost::asio::awaitable<Result<Pieces>> pieces_there(File file, std::string log);
  boost::asio::awaitable<Result<std::optional<std::string>>> find_split(const journal::Item& item, File file);
  [[nodiscard]] pipeline::Parked too_large(const File& file) const;

  const Api& api_;
  Workers& workers_;
  JobDirectoryOf directory_;
  UploadLimit limit_;
};

/// What a judged answer is to delivery.
[[nodiscard]] pipeline::Outcome to_outcome(const Judged& judged);

}  // namespace outpost::dci
