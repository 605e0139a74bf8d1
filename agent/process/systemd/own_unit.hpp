#pragma once

#include "agent/process/systemd/service_manager.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::process {

/// The unit that this program runs as, where systemd has started it.
class OwnUnit {
 public:
  explicit OwnUnit(boost::asio::any_io_executor executor) : executor_{executor}, systemd_{std::move(executor)} {}

  /// Whether there is one. A terminal or a test is in somebody else's.
  [[nodiscard]] static bool is_service();

  /// Whether this program is stopped only to be started again: `systemctl restart`, an upgrade. Nothing when systemd
  /// cannot be asked, for ten seconds or as long as a stop leaves time for: the bus may be away just now.
  boost::asio::awaitable<std::optional<bool>> is_restarting();

  /// How long it may take to stop before systemd kills it; nothing: for ever, or systemd has not started it. When
  /// systemd cannot be asked, what it said the last time, or else what the unit says that comes with this program. So
  /// whoever will want to know asks early too.
  boost::asio::awaitable<std::optional<std::chrono::milliseconds>> stop_limit();

 private:
  /// Empty: systemd cannot be asked, or does not answer within `limit`.
  boost::asio::awaitable<std::string> name(std::chrono::microseconds limit);

  boost::asio::any_io_executor executor_;
  ServiceManager systemd_;
  std::optional<std::chrono::milliseconds> last_stop_limit_ = std::chrono::minutes{10};  ///< TimeoutStopSec= of outpostd.service.
};

}  // namespace outpost::process
