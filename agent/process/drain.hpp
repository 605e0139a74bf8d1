#pragma once

#include "agent/process/command_runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace outpost::process {

/// Has the output of a command taken until every writer has closed it, or `ended` is true and the wait was cancelled. What
/// is in the pipe then is the rest: somebody outside who was given the descriptor could keep it open, and write, for
/// ever.
boost::asio::awaitable<void> drain(boost::asio::posix::stream_descriptor& pipe, Output& output, const bool& ended);

}  // namespace outpost::process
