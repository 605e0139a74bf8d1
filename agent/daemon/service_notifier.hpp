#pragma once

#include "agent/daemon/logger.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace outpost::daemon {

/// Tells systemd how we are, when there is a NOTIFY_SOCKET; otherwise does nothing. The watchdog is fed from the loop, so
/// a loop that hangs is noticed, and only while nothing is overdue, so a loop that has lost what it had to do is too.
class ServiceNotifier {
 public:
  /// `overdue` says what should have begun and has not, "" when all is on time.
  ServiceNotifier(boost::asio::any_io_executor executor, std::function<std::string()> overdue, const Logger& logger);

  void ready(const std::string& status);
  void stopping(const std::string& status);
  /// The configuration is being read again, until the next ready().
  void reloading();

 private:
  void feed();

  boost::asio::steady_timer timer_;
  std::function<std::string()> overdue_;
  const Logger& logger_;
  bool feeding_ = false;
  std::chrono::microseconds period_{};  ///< Half of what systemd waits; zero: no watchdog.
};

}  // namespace outpost::daemon
