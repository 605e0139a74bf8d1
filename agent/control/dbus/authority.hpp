#pragma once

#include "agent/bus/bus.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace outpost::control {

/// Who may do what over the bus. polkit decides; where there is none, only root and the agent's own user may.
class Authority {
 public:
  explicit Authority(bus::Bus& system_bus) : bus_{system_bus} {}

  /// Whether the sender of a call may do this (an action of org.outpost.Agent1.policy). Asks him for a password if his
  /// call allows it, which can take two minutes. refused: he may not.
  boost::asio::awaitable<Result<void>> check(sd_bus_message* call, std::string action);
  /// Whose call it is, as far as the bus still knows him.
  boost::asio::awaitable<Result<std::uint32_t>> user_of(std::string sender);

 private:
  boost::asio::awaitable<Result<void>> check_without_polkit(std::string sender);

  bus::Bus& bus_;
};

}  // namespace outpost::control
