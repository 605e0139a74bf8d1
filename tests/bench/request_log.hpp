#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace outpost::bench {

/// A request as the sample server saw it. Times are seconds since 1970, by the clock that the agent uses too.
struct Logged {
  std::string method, target;
  int status = 0;
  double begin = 0, end = 0;  ///< Before its first byte was looked at, and after it was worked on.
  std::uint64_t request_bytes = 0;

  [[nodiscard]] bool writes() const { return method != "GET"; }
};

/// Follows the file that `outpost-sample-server --request-log` writes.
class RequestLog {
 public:
  explicit RequestLog(std::filesystem::path path) : path_{std::move(path)} {}

  /// The requests since the last call.
  std::vector<Logged> take();

 private:
  std::filesystem::path path_;
  std::streamoff offset_ = 0;
};

}  // namespace outpost::bench
