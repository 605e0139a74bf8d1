#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace outpost::http {

/// An absolute http or https URL (RFC 3986), cut into what a request needs.
struct Url {
  std::string scheme;      ///< "http" or "https", in lower case.
  std::string host;        ///< A name or an address; IPv6 without brackets.
  std::uint16_t port = 0;  ///< The scheme's own when the URL has none.
  std::string target;      ///< Path and query as they go on the wire; at least "/". No fragment.
  /// The value of the Host header, byte for byte as the client sends it: the port only when it is not the scheme's own,
  /// brackets around IPv6. Whoever signs a request signs this.
  std::string host_header;

  [[nodiscard]] bool is_tls() const { return scheme == "https"; }
};

/// Malformed for what is not such a URL, and for one with a user name or password in it: those do not belong where URLs
/// are logged. Nothing of the URL but its scheme and host is in the message.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// `http[s]://[user[:password]@]host[:port]`, user and password percent-decoded.
struct ProxyUrl {
  std::string scheme, host;
  std::uint16_t port = 0;  ///< Without one: 80 or 443, as in a URL.
  std::string user, password;

  [[nodiscard]] bool is_tls() const { return scheme == "https"; }
  [[nodiscard]] std::string name() const;  ///< "host:port", for messages: never the password.
};

/// Malformed for what is not such a URL, and for one with a path or query.
[[nodiscard]] Result<ProxyUrl> parse_proxy_url(std::string_view text);

/// "host:port" as people write it: IPv6 in brackets.
[[nodiscard]] std::string host_and_port(std::string_view host, std::uint16_t port);

}  // namespace outpost::http
