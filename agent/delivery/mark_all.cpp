#include "agent/delivery/mark_all.hpp"

#include "agent/delivery/bell.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <optional>

namespace outpost::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::size_t at_once = 500;  ///< Calls that wait for the same sync.

}  // namespace

asio::awaitable<Result<void>> mark_all_attempting(journal::Deliveries& deliveries, std::string reporter,
                                                  std::vector<std::string> keys) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto executor = co_await asio::this_coro::executor;
  Bell done{executor};
  std::exception_ptr thrown;
  std::optional<Error> failed;
  for (std::size_t next = 0; next < keys.size() && !failed && !thrown;) {
    std::size_t open = std::min(at_once, keys.size() - next);
    for (const std::size_t end = next + open; next < end; ++next)
      asio::co_spawn(executor, deliveries.mark_attempting(reporter, keys[next]),
                     [&](std::exception_ptr error, Result<void> marked) {
                       if (error) thrown = error;
                       if (!error && !marked) failed = marked.error();
                       --open;
                       done.ring();
                     });
    while (open > 0) co_await done.wait(done.count());
  }
  if (thrown) std::rethrow_exception(thrown);
  if (failed) co_return std::move(*failed);
  co_return Result<void>{};
}

}  // namespace outpost::delivery
