#pragma once

#include "agent/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace outpost::pipeline {

/// Work that `stop` may end early, while its caller is never cancelled and goes on. Returns what the work returned, or
/// an error `cancelled`. Only once the work has really ended; one piece of work per signal at a time.
template <class T>
boost::asio::awaitable<Result<T>> stoppable(boost::asio::awaitable<Result<T>> work, boost::asio::cancellation_signal& stop) {
  const Error cancelled{Fault::cancelled, "cancelled"};
  try {
    auto token = boost::asio::bind_cancellation_slot(stop.slot(), boost::asio::use_awaitable);
    co_return co_await boost::asio::co_spawn(co_await boost::asio::this_coro::executor, std::move(work), token);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() != boost::asio::error::operation_aborted) throw;
  }
  co_return cancelled;
}

}  // namespace outpost::pipeline
