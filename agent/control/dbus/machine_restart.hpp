#pragma once

#include "agent/bus/bus.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace outpost::control {

/// Restarts the machine, by logind, as far as polkit lets us (outpostd(8)).
class MachineRestart {
 public:
  explicit MachineRestart(boost::asio::any_io_executor executor) : bus_{std::move(executor)} {}

  /// Returns when the machine has begun to go down. refused: we may not. unavailable: there is nobody who could do it.
  /// retry_later: somebody holds it up just now (an inhibitor, a shutdown that goes on already).
  boost::asio::awaitable<Result<void>> restart();

 private:
  bus::Bus bus_;
};

}  // namespace outpost::control
