#pragma once

#include "agent/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace outpost::http {

/// The addresses of a host in the order of getaddrinfo (RFC 6724); an IP address needs no look-up. At least one, or an
/// error (retry_later) that names the host. Gives up at the deadline. A cancellation ends it at once: unlike with
/// Asio's resolver, neither the caller nor the end of the loop waits for a name server that does not answer.
[[nodiscard]] boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(
    std::string host, std::uint16_t port, std::chrono::steady_clock::time_point deadline);

/// Loopback, link-local or unspecified; also when it is an IPv4 address inside an IPv6 one.
[[nodiscard]] bool is_local(const boost::asio::ip::address& address);

}  // namespace outpost::http
