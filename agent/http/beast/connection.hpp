#pragma once

#include "agent/http/beast/stream.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <memory>

namespace outpost::http {

/// A connection to a server or proxy together with what was read from it and not parsed yet.
struct Connection {
  explicit Connection(std::unique_ptr<Stream> open) : stream{std::move(open)} {}

  std::unique_ptr<Stream> stream;
  boost::beast::flat_buffer buffer;
  std::chrono::steady_clock::time_point idle_since;
};

}  // namespace outpost::http
