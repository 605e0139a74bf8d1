#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>

namespace outpost::test {

/// Runs one coroutine on the given loop until it returns. The limit is for hangs only: nothing is timed with it.
template <class T>
T await(boost::asio::io_context& loop, boost::asio::awaitable<T> work, std::chrono::seconds limit = std::chrono::seconds{120},
        boost::asio::cancellation_signal* stop = nullptr) {
  std::optional<T> value;
  std::exception_ptr thrown;
  bool finished = false;
  auto done = [&](std::exception_ptr error, T result) {
    thrown = error;
    value = std::move(result);
    finished = true;
  };
  if (stop)
    boost::asio::co_spawn(loop, std::move(work), boost::asio::bind_cancellation_slot(stop->slot(), done));
  else
    boost::asio::co_spawn(loop, std::move(work), done);
  loop.restart();
  const auto give_up = std::chrono::steady_clock::now() + limit;
  while (!finished && std::chrono::steady_clock::now() < give_up)
    if (loop.run_one_for(std::chrono::milliseconds{200}) == 0 && loop.stopped()) loop.restart();
  if (thrown) std::rethrow_exception(thrown);
  if (!finished) throw std::runtime_error{"the coroutine did not finish"};
  return std::move(*value);
}

template <class T>
T await(boost::asio::awaitable<T> work, std::chrono::seconds limit = std::chrono::seconds{120}) {
  boost::asio::io_context loop;
  return await(loop, std::move(work), limit);
}

}  // namespace outpost::test
