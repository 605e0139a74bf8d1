#pragma once

#include "agent/process/output.hpp"

#include <boost/asio/awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace outpost::test {

/// Does as a command does that prints `text` and ends: through a real pipe.
inline boost::asio::awaitable<void> print(process::Output& output, std::string_view text) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error{"no pipe"};
  process::Taken taken;
  while (!taken.end) {
    const auto size = ::write(pipe[1], text.data(), text.size());
    if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
    if (text.empty()) ::close(std::exchange(pipe[1], -1));
    taken = co_await output.take(pipe[0], process::output_turn);
  }
  ::close(pipe[0]);
}

}  // namespace outpost::test
