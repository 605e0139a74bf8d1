#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace outpost::bench {

/// Passes TCP connections on, each way so much later: a long line with all the bandwidth one could wish. It runs on a
/// thread of its own until it is destroyed.
class DelayProxy {
 public:
  /// To 127.0.0.1:`port`.
  DelayProxy(std::uint16_t port, std::chrono::milliseconds one_way);
  ~DelayProxy();
  DelayProxy(const DelayProxy&) = delete;
  DelayProxy& operator=(const DelayProxy&) = delete;

  /// "http://127.0.0.1:port"
  [[nodiscard]] const std::string& url() const { return url_; }
  /// How many connections there were.
  [[nodiscard]] unsigned connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string url_;
};

}  // namespace outpost::bench
