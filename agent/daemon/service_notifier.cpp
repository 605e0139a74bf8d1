#include "agent/daemon/service_notifier.hpp"

#include <systemd/sd-daemon.h>

#include <ctime>
#include <utility>

namespace outpost::daemon {

ServiceNotifier::ServiceNotifier(boost::asio::any_io_executor executor, std::function<std::string()> overdue, const Logger& logger)
    : timer_{std::move(executor)}, overdue_{std::move(overdue)}, logger_{logger} {
  std::uint64_t limit = 0;
  if (::sd_watchdog_enabled(0, &limit) > 0) period_ = std::chrono::microseconds{limit / 2};
}

void ServiceNotifier::ready(const std::string& status) {
  ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
  if (period_.count() > 0 && !std::exchange(feeding_, true)) feed();
}

/// As Type=notify-reload wants it (systemd.service(5)): the time says which reload it is about.
void ServiceNotifier::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds)).c_str());
}

void ServiceNotifier::stopping(const std::string& status) { ::sd_notify(0, ("STOPPING=1\nSTATUS=" + status).c_str()); }

void ServiceNotifier::feed() {
  if (const std::string late = overdue_(); late.empty()) {
    ::sd_notify(0, "WATCHDOG=1");
  } else {
    logger_.error("not feeding the watchdog, which will start us again: " + late + " (a bug, please report it)");
  }
  timer_.expires_after(period_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) feed();
  });
}

}  // namespace outpost::daemon
