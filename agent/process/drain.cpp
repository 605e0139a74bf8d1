#include "agent/process/drain.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/ioctl.h>

#include <algorithm>

namespace outpost::process {

namespace asio = boost::asio;

asio::awaitable<void> drain(asio::posix::stream_descriptor& pipe, Output& output, const bool& ended) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const int descriptor = pipe.native_handle();
  while (!ended) {
    co_await pipe.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    if (ended) break;
    const auto taken = co_await output.take(descriptor, output_turn);
    if (taken.end) co_return;
  }
  int rest = 0;
  if (::ioctl(descriptor, FIONREAD, &rest) != 0) co_return;
  while (rest > 0) {
    const auto taken = co_await output.take(descriptor, std::min(output_turn, static_cast<std::size_t>(rest)));
    if (taken.bytes == 0) co_return;
    rest -= static_cast<int>(taken.bytes);
  }
}

}  // namespace outpost::process
