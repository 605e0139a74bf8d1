#pragma once

#include <cstdint>
#include <string_view>

namespace outpost::http {

/// Whether a list in the style of the variable `no_proxy` exempts a host from the proxy. Entries, separated by commas
/// or spaces: a host, which stands for its subdomains too, with or without a dot before it; an IP address; a network
/// ("10.0.0.0/8", "fd00::/8"), which only matches hosts given as addresses; `*` for all. Each may end in ":port".
[[nodiscard]] bool is_exempt_from_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port);

}  // namespace outpost::http
