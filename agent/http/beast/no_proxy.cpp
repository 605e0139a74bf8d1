#include "agent/http/beast/no_proxy.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>

namespace outpost::http {
namespace {

using Bytes = std::vector<unsigned char>;

std::optional<Bytes> address_bytes(const std::string& text) {
  Bytes v4(4), v6(16);
  if (::inet_pton(AF_INET, text.c_str(), v4.data()) == 1) return v4;
  if (::inet_pton(AF_INET6, text.c_str(), v6.data()) == 1) {
    const Bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), v6.begin())) return Bytes(v6.begin() + 12, v6.end());
    return v6;
  }
  return std::nullopt;
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

bool is_within(const Bytes& address, const Bytes& network, unsigned prefix) {
  if (address.size() != network.size() || prefix > network.size() * 8) return false;
  const std::size_t whole = prefix / 8;
  if (!std::equal(network.begin(), network.begin() + static_cast<std::ptrdiff_t>(whole), address.begin())) return false;
  if (prefix % 8 == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - prefix % 8));
  return (address[whole] & mask) == (network[whole] & mask);
}

/// Takes ":port" off an entry. An IPv6 address with a port is in brackets, without one it may be.
std::optional<unsigned> cut_port(std::string& entry) {
  std::optional<unsigned> port;
  const auto colon = entry.rfind(':');
  const bool bracketed = entry.starts_with('[');
  if (bracketed) {
    const auto end = entry.find(']');
    if (end == entry.npos) return port;
    if (colon == end + 1) port = number(std::string_view{entry}.substr(colon + 1));
    entry = entry.substr(1, end - 1);
  } else if (colon != entry.npos && entry.find(':') == colon) {
    port = number(std::string_view{entry}.substr(colon + 1));
    entry.resize(colon);
  }
  return port;
}

bool matches_name(std::string_view host, std::string_view entry) {
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (entry.empty() || host.size() < entry.size()) return false;
  const auto tail = host.substr(host.size() - entry.size());
  return equal_ignoring_case(tail, entry) &&
         (tail.size() == host.size() || host[host.size() - entry.size() - 1] == '.');
}

}  // namespace

bool is_exempt_from_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port) {
  std::string list{no_proxy};
  std::replace(list.begin(), list.end(), ' ', ',');
  const auto address = address_bytes(std::string{host});
  for (std::string entry : split(list, ',')) {
    if (entry.empty()) continue;
    const auto slash = entry.find('/');
    if (slash != entry.npos) {
      const auto network = address_bytes(entry.substr(0, slash));
      const auto prefix = number(std::string_view{entry}.substr(slash + 1));
      if (address && network && prefix && is_within(*address, *network, *prefix)) return true;
      continue;
    }
    const auto only_port = cut_port(entry);
    if (only_port && *only_port != port) continue;
    if (entry == "*") return true;
    const auto entry_address = address_bytes(entry);
    if (address ? entry_address == address : matches_name(host, entry)) return true;
  }
  return false;
}

}  // namespace outpost::http
