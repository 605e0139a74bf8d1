#pragma once

#include "agent/base/clock.hpp"
#include "agent/http/server.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace outpost::control {

/// Who may do what on one listening address.
struct GuardOptions {
  /// Of a unix socket: these users are refused. The socket's mode decides about all others.
  std::function<bool(std::uint32_t uid)> is_refused;
  /// On TCP: what a page has to know to be let in; whatever is below /api/ is then answered only to who has logged in
  /// with it, and only when nothing is to be changed, but for `may_change`. Empty: no TCP.
  std::string token;
  /// Changes that a page on TCP may ask for. It has to be one of this origin, and say so.
  std::function<bool(const http::ServerRequest& request)> may_change = [](const http::ServerRequest&) { return false; };
  const Clock& clock;
  unsigned failures_a_minute = 10;  ///< Wrong tokens; then everybody who wants to log in has to wait.
};

/// 64 hexadecimal digits that nobody guesses. unavailable: the machine has no random numbers.
[[nodiscard]] Result<std::string> random_token();

/// `inner` behind what keeps others out, agent/control/README.md says from whom and why:
/// * a Host that is no name of this machine's loopback is refused (DNS rebinding), and an Origin or a Sec-Fetch-Site that
///   says another page is asking;
/// * POST /api/v1/login {"token": ...} answers {"session": ...} to put into "Authorization: Bearer ...". There are no
///   cookies: other pages of this host, whatever their port, would get them too;
/// * every answer carries a strict Content-Security-Policy, unless it has one.
[[nodiscard]] http::Handler guarded(http::Handler inner, GuardOptions options);

}  // namespace outpost::control
