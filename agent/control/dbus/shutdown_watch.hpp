#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/bus/bus.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace outpost::control {

/// The shutdown of the machine, as logind announces it. A delay inhibitor gives us the moment to write it down; a block
/// inhibitor refuses it while something runs that must not be interrupted, if polkit lets us (outpostd(8)). Without
/// logind nothing happens.
class ShutdownWatch {
 public:
  struct Wishes {
    /// The machine goes down (true), or does not after all; it waits for us until this returns, for 5 s by default.
    std::function<boost::asio::awaitable<void>(bool goes_down)> announced;
    std::function<std::string()> must_not;                      ///< Why the machine must not go down now; "": it may.
    std::function<void(const std::string& why)> cannot_refuse;  ///< It should not, but we may not refuse; "" is over.
    std::function<void(const std::string& message)> log = [](const std::string&) {};
    std::chrono::milliseconds retry = std::chrono::seconds{30};  ///< Between two looks for logind.
  };

  ShutdownWatch(boost::asio::any_io_executor executor, Wishes wishes);

  /// Watches until it is cancelled, or the loop ends.
  boost::asio::awaitable<void> run();
  /// What must_not() says may have changed.
  void look_again() { changed_.notify(); }

 private:
  /// What logind gives inhibits as long as it is open.
  using Lock = Descriptor;

  boost::asio::awaitable<Result<void>> watch();
  boost::asio::awaitable<Result<Lock>> inhibit(std::string mode, std::string why);
  boost::asio::awaitable<Result<bool>> goes_down();
  boost::asio::awaitable<void> refuse_or_not(Lock& block);

  boost::asio::any_io_executor executor_;
  Wishes wishes_;
  Wakeup changed_;  ///< Outlives the bus, which notifies it once more when it closes.
  bus::Bus bus_;
};

}  // namespace outpost::control
