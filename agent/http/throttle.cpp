#include "agent/http/throttle.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace outpost::http {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t smallest_share = 512, largest_share = 256UL * 1024;
constexpr milliseconds late{200};  ///< So much of what was missed, because we woke up late, is made up for.
constexpr milliseconds early{1};   ///< Not worth a timer.

}  // namespace

boost::asio::awaitable<std::size_t> Throttle::take(std::size_t wanted) {
  const std::uint64_t share = std::clamp(rate_ / 10, smallest_share, largest_share);
  const std::uint64_t given = std::min<std::uint64_t>(wanted, share);
  const auto now = Clock::now();
  const auto turn = next_ < now - late ? now : next_;
  next_ = turn + std::chrono::nanoseconds{
                     static_cast<std::int64_t>(static_cast<double>(given) * 1e9 / static_cast<double>(rate_))};
  if (turn > now + early) {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, turn};
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  if (told_) told_(static_cast<std::size_t>(given));
  co_return given;
}

}  // namespace outpost::http
