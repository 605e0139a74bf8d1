#include "agent/process/systemd/own_unit.hpp"

#include <cstdlib>

namespace outpost::process {

namespace asio = boost::asio;

bool OwnUnit::is_service() { return ::getenv("INVOCATION_ID") && ::getenv("NOTIFY_SOCKET"); }

asio::awaitable<std::string> OwnUnit::name() {
  auto asking = systemd_.own_unit();
  auto name = co_await std::move(asking);
  co_return name ? std::move(*name) : std::string{};
}

asio::awaitable<bool> OwnUnit::is_restarting() {
  if (!is_service()) co_return false;
  auto unit = co_await name();
  if (unit.empty()) co_return false;
  auto asking = systemd_.job(std::move(unit));
  const auto job = co_await std::move(asking);
  co_return job && *job == "restart";
}

asio::awaitable<std::optional<std::chrono::milliseconds>> OwnUnit::stop_limit() {
  if (!is_service()) co_return std::nullopt;
  auto unit = co_await name();
  if (unit.empty()) co_return last_stop_limit_;
  auto asking = systemd_.stop_limit(std::move(unit));
  const auto limit = co_await std::move(asking);
  if (!limit) co_return last_stop_limit_;
  last_stop_limit_.reset();
  if (*limit) last_stop_limit_ = std::chrono::duration_cast<std::chrono::milliseconds>(**limit);
  co_return last_stop_limit_;
}

}  // namespace outpost::process
