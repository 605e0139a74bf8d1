#pragma once

#include "agent/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <functional>

namespace outpost::daemon {

/// Runs one coroutine on a loop, for commands. SIGINT and SIGTERM call `interrupt`, so that it ends soon; without one,
/// and at a second signal, it is left where it is (cancelled).
template <class Value>
Result<Value> run_to_end(boost::asio::io_context& loop, boost::asio::awaitable<Result<Value>> work,
                         std::function<void()> interrupt = nullptr) {
  Result<Value> outcome = Error{Fault::cancelled, "interrupted"};
  std::exception_ptr thrown;
  boost::asio::signal_set signals{loop, SIGINT, SIGTERM};
  std::function<void(const boost::system::error_code&, int)> on_signal = [&](const boost::system::error_code& error,
                                                                             int) {
    if (error) return;
    if (!interrupt) return loop.stop();
    std::exchange(interrupt, nullptr)();
    signals.async_wait(on_signal);
  };
  signals.async_wait(on_signal);
  boost::asio::co_spawn(loop, std::move(work), [&](std::exception_ptr error, Result<Value> result) {
    thrown = error;
    outcome = std::move(result);
    loop.stop();
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return outcome;
}

}  // namespace outpost::daemon
