#pragma once

#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace outpost::files {

struct Progress {
  std::uint64_t received = 0;          ///< Bytes of the file that are on disk, those of earlier attempts included.
  std::optional<std::uint64_t> total;  ///< When it is known.
};

/// An attempt has failed, and the next one waits.
struct Retry {
  unsigned attempt = 0;              ///< The number of the one that failed, from 1.
  std::chrono::milliseconds wait{};  ///< Until the next one begins.
  std::string reason;                ///< Why it failed.
};

struct DownloadRequest {
  /// Makes the request for one attempt. Asked again for each, because signatures and signed addresses expire. An error
  /// with retry_later is retried like a network fault; any other ends the download.
  std::function<boost::asio::awaitable<Result<http::Request>>()> open;
  std::filesystem::path target;  ///< Its directory exists. Until it is complete the file is `<target>.part`.
  std::optional<std::uint64_t> expected_size;
  std::string expected_sha256;                    ///< Lower-case hexadecimal; empty: unknown.
  std::uint64_t limit = std::uint64_t{64} << 30;  ///< Bytes; a larger file is refused.
  bool allow_local_redirects = false;             ///< Redirects may lead to loopback and link-local addresses.
  /// What an answer other than 2xx and redirect of the *first* server means, where the default does not fit (408, 425,
  /// 429 and 5xx: retry_later; everything else: refused).
  std::function<Error(const http::Response& answer)> classify;
  std::function<void(const Progress&)> progress;  ///< Called on the loop.
  std::function<void(const Retry&)> retrying;     ///< The same, before each wait.
};

struct Downloaded {
  std::uint64_t size = 0;
  std::string sha256;
  std::uint64_t resumed = 0;  ///< Bytes that were not transferred by this call, because they were there.
  unsigned attempts = 0;      ///< Requests to the first server.
};

struct DownloadOptions {
  unsigned redirects = 5;
  unsigned attempts = 8;  ///< In a row without `worthwhile` bytes of progress.
  std::uint64_t worthwhile = 1 << 20;
  std::chrono::milliseconds backoff_base{1000};  ///< Doubles with each attempt up to the cap, with full jitter.
  std::chrono::milliseconds backoff_cap{60'000};
  std::chrono::milliseconds retry_after_cap{300'000};  ///< A longer Retry-After of the server is not believed.
  std::chrono::milliseconds progress_every{1000};
};

/// Brings files from servers to disk.
///
/// A file appears under its name complete, verified and synced, or not at all. What an attempt leaves in
/// `<target>.part` is continued by the next one; what an earlier *call* left only when there is a checksum to prove the
/// result, because nothing else tells whether a crash damaged it. The checksum is made while bytes arrive; memory does
/// not depend on the size.
///
/// Redirects are followed here: the request that follows one carries none of the headers of the first (object stores
/// refuse a second authorisation, and it is none of their business), https never falls to http, and local addresses are
/// refused unless allowed.
///
/// Errors: refused (a status, a redirect, a size above the limit, a checksum that differs twice; it names both sums),
/// malformed (not HTTP), retry_later (network, after all attempts; a full disk, with path, needed and free bytes),
/// cancelled.
class Downloader {
 public:
  /// Both outlive the downloader and its downloads.
  Downloader(http::Client& client, Workers& workers, DownloadOptions options = {})
      : client_{client}, workers_{workers}, options_{options} {}

  boost::asio::awaitable<Result<Downloaded>> download(DownloadRequest request);

 private:
  http::Client& client_;
  Workers& workers_;
  DownloadOptions options_;
};

}  // namespace outpost::files
