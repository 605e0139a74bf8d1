#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <string>

namespace outpost::daemon {

/// Tells systemd how we are, when there is a NOTIFY_SOCKET; otherwise does nothing. The watchdog is petted from the
/// loop, so that a loop that hangs is noticed.
class ServiceNotifier {
 public:
  explicit ServiceNotifier(boost::asio::any_io_executor executor);

  void ready(const std::string& status);
  void stopping(const std::string& status);

 private:
  void pet();

  boost::asio::steady_timer timer_;
  std::chrono::microseconds period_{};  ///< Half of what systemd waits; zero: no watchdog.
};

}  // namespace outpost::daemon
