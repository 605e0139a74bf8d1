#include "agent/delivery/bell.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outpost::delivery {

boost::asio::awaitable<void> Bell::wait(std::uint64_t seen) {
  if (count_ == seen) co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace outpost::delivery
