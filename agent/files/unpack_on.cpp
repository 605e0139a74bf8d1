#include "agent/files/unpack.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace outpost::files {
namespace {

namespace asio = boost::asio;

/// Ends when it is cancelled, and hands that on to who only knows stop tokens.
asio::awaitable<void> pass_on_cancellation(std::stop_source stop) {
  asio::steady_timer never{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
  co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
  stop.request_stop();
}

}  // namespace

asio::awaitable<Result<Unpacked>> unpack_on(Workers& workers, std::filesystem::path archive,
                                            std::filesystem::path target, UnpackLimits limits) {
  using namespace asio::experimental::awaitable_operators;
  std::stop_source stop;
  auto work = [archive = std::move(archive), target = std::move(target), limits, token = stop.get_token()] {
    return unpack(archive, target, limits, token);
  };
  Result<Unpacked> result = Error{Fault::bug, "unpacking did not run"};
  auto unpacking = workers.run(std::move(work));
  auto either = co_await (std::move(unpacking) || pass_on_cancellation(stop));
  if (auto* unpacked = std::get_if<0>(&either))
    result = std::move(*unpacked);
  else
    result = Error{Fault::cancelled, "unpacking was cancelled"};
  co_return result;
}

}  // namespace outpost::files
