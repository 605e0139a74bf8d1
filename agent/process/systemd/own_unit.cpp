#include "agent/process/systemd/own_unit.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdlib>

namespace outpost::process {

namespace asio = boost::asio;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

/// A bus that is restarted is back by then.
constexpr milliseconds patience = std::chrono::seconds{10};
constexpr milliseconds between_two_tries{250};

microseconds until(Clock::time_point when) { return std::chrono::ceil<microseconds>(std::max(when - Clock::now(), Clock::duration::zero())); }

}  // namespace

bool OwnUnit::is_service() { return ::getenv("INVOCATION_ID") && ::getenv("NOTIFY_SOCKET"); }

asio::awaitable<std::string> OwnUnit::name(microseconds limit) {
  auto asking = systemd_.own_unit(limit);
  auto name = co_await std::move(asking);
  co_return name ? std::move(*name) : std::string{};
}

asio::awaitable<std::optional<bool>> OwnUnit::is_restarting() {
  if (!is_service()) co_return false;
  const auto give_up = Clock::now() + std::min(patience, last_stop_limit_.value_or(milliseconds::max()) / 4);
  for (;;) {
    if (auto unit = co_await name(until(give_up)); !unit.empty()) {
      auto asking = systemd_.job(std::move(unit), until(give_up));
      const auto job = co_await std::move(asking);
      if (job) co_return *job == "restart";
    }
    const auto rest = until(give_up);
    if (rest == microseconds::zero()) co_return std::nullopt;
    asio::steady_timer pause{executor_, std::min<microseconds>(rest, between_two_tries)};
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<std::optional<milliseconds>> OwnUnit::stop_limit() {
  if (!is_service()) co_return std::nullopt;
  auto unit = co_await name(bus::usual_limit);
  if (unit.empty()) co_return last_stop_limit_;
  auto asking = systemd_.stop_limit(std::move(unit));
  const auto limit = co_await std::move(asking);
  if (!limit) co_return last_stop_limit_;
  last_stop_limit_.reset();
  if (*limit) last_stop_limit_ = std::chrono::duration_cast<milliseconds>(**limit);
  co_return last_stop_limit_;
}

}  // namespace outpost::process
