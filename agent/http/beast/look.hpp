#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

/// The steps of a connection one by one, for those who want to know which of them fails.
namespace outpost::http {

/// The addresses of a host, as a client would try them.
boost::asio::awaitable<Result<std::vector<std::string>>> addresses_of(std::string host,
                                                                      std::chrono::milliseconds limit);

/// Connects and closes again: how long that took.
boost::asio::awaitable<Result<std::chrono::milliseconds>> try_connection(std::string host, std::uint16_t port,
                                                                         std::chrono::milliseconds limit);

/// Whom a server says it is, vouched for by somebody whom the client trusts.
struct PeerCertificate {
  std::string subject, issuer;  ///< Distinguished names, safe for a terminal.
  Timestamp not_after{};
};

/// Of an https URL, reached as a client with these options reaches it. Errors as Client's.
boost::asio::awaitable<Result<PeerCertificate>> look_at_certificate(ClientOptions options, std::string url,
                                                                    std::chrono::milliseconds limit);

}  // namespace outpost::http
