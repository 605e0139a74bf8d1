#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace outpost::daemon {

/// How long to wait before each try: twice as long as before the last one.
struct Pauses {
  std::chrono::milliseconds first = std::chrono::seconds{5};
  std::chrono::milliseconds longest = std::chrono::minutes{5};
};

/// Whether nothing is left to be tried.
using Attempt = std::function<boost::asio::awaitable<bool>()>;
/// Hears why a try has thrown.
using Complain = std::function<void(const std::string&)>;
using Sleep = std::function<boost::asio::awaitable<void>(std::chrono::milliseconds)>;

/// Tries again and again what did not work, after a pause each time, until nothing is left to be tried. One that throws did
/// not work either.
boost::asio::awaitable<void> try_again(Attempt attempt, Sleep sleep, Complain complain, Pauses pauses = {});

/// By a timer of the loop that it is awaited on.
[[nodiscard]] Sleep sleep_by_timer();

}  // namespace outpost::daemon
