#pragma once

#include "agent/files/downloader.hpp"
#include "agent/files/partial_file.hpp"

#include <chrono>
#include <optional>
#include <random>
#include <string>

namespace outpost::files {

/// One download: its attempts, and what has to be remembered between them.
class Transfer {
 public:
  Transfer(http::Client& client, Workers& workers, const DownloadOptions& options, DownloadRequest request);

  boost::asio::awaitable<Result<Downloaded>> run();

 private:
  boost::asio::awaitable<Result<void>> open_part();
  boost::asio::awaitable<Result<void>> receive();
  boost::asio::awaitable<Result<void>> attempt();
  boost::asio::awaitable<Result<http::Response>> fetch(http::Request request);
  boost::asio::awaitable<Result<Downloaded>> finish(std::string sha256);
  [[nodiscard]] std::chrono::milliseconds pause_after(unsigned failures);
  /// Waits before the next attempt; false when cancelled meanwhile.
  boost::asio::awaitable<bool> back_off(std::chrono::milliseconds wait);

  Result<void> begin(const http::Response& head);
  Result<void> begin_whole(const http::Response& head);
  Result<void> begin_rest(const http::Response& head);
  Result<void> write(std::string_view bytes);
  Result<void> check_total();
  Result<void> judge(const Result<http::Response>& answer);
  Error turned_down(const http::Response& answer);
  Result<void> range_refused(const http::Response& answer);
  /// The file is not the expected one: thrown away for one more try, refused the second time.
  Error differs(const std::string& how);
  void report(bool now);

  http::Client& client_;
  Workers& workers_;
  const DownloadOptions& options_;
  DownloadRequest request_;
  std::filesystem::path part_path_;
  PartialFile part_;
  Downloaded result_;

  std::optional<std::uint64_t> total_;  ///< Size of the whole file, once somebody said it.
  std::string etag_;                    ///< Strong entity tag of what is in the part, when the server gave one.
  std::string where_;                   ///< The address asked last, for messages.
  bool complete_ = false;
  bool asked_for_rest_ = false;     ///< The request that runs has a Range.
  bool redirected_ = false;         ///< It goes to where a redirect led.
  bool fatal_ = false;              ///< The last error will not go away by itself, whatever its fault.
  std::optional<Error> own_error_;  ///< What our side of the sink said: wins over what the client makes of it.
  unsigned mismatches_ = 0;
  unsigned denials_ = 0;
  std::optional<std::chrono::milliseconds> retry_after_;
  std::chrono::steady_clock::time_point reported_{};
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace outpost::files
