#pragma once

#include <boost/asio/awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

namespace outpost::process {

/// What was taken from a pipe.
struct Taken {
  std::size_t bytes = 0;
  bool end = false;  ///< Every writer has closed it.
};

/// Takes the output of a command from the pipe, so that its bytes need not pass through the memory of this program.
class Output {
 public:
  virtual ~Output() = default;

  /// `pipe`, or a FIFO, can be read without waiting. Takes what is there, up to `limit` bytes, and returns without
  /// waiting for more. It may wait for a place to put it: meanwhile the command waits too, once the pipe is full. To be
  /// called where cancellation is disabled.
  virtual boost::asio::awaitable<Taken> take(int pipe, std::size_t limit) = 0;
};

/// As much as a runner lets an Output take in one go, so that the others get their turn.
inline constexpr std::size_t output_turn = std::size_t{256} * 1024;

/// Output that is wanted as text, in pieces as they come, by something that does not throw.
class TextOutput final : public Output {
 public:
  using Sink = std::function<void(std::string_view)>;
  explicit TextOutput(Sink sink = [](std::string_view) {}) : sink_{std::move(sink)} {}

  boost::asio::awaitable<Taken> take(int pipe, std::size_t limit) override {
    std::array<char, 64 * 1024> bytes;
    const auto size = ::read(pipe, bytes.data(), std::min(limit, bytes.size()));
    if (size > 0) sink_({bytes.data(), static_cast<std::size_t>(size)});
    co_return Taken{size > 0 ? static_cast<std::size_t>(size) : 0, size == 0};
  }

 private:
  Sink sink_;
};

}  // namespace outpost::process
