#include "agent/http/url.hpp"

#include "agent/base/text.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace outpost::http {
namespace {

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

struct Parts {
  boost::urls::url_view view;
  std::string scheme, host;
  std::uint16_t port = 0;
};

Result<Parts> parse_parts(std::string_view text) {
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return Error{Fault::malformed, "not a URL (example: https://api.example.org/path)"};
  Parts parts{*parsed, to_lower(std::string{parsed->scheme()}), std::string{parsed->host_address()}};
  if (parts.scheme != "http" && parts.scheme != "https")
    return Error{Fault::malformed,
                 "a URL with the scheme \"" + printable(parts.scheme, 40) + "\" instead of http or https"};
  if (parts.host.empty()) return Error{Fault::malformed, "a URL without a host"};
  // A name may hold percent-encoded bytes (RFC 3986), but no name that DNS or a certificate knows does.
  const bool v6 = parsed->host_type() == boost::urls::host_type::ipv6;
  for (const char c : parts.host)
    if (!is_alphanumeric(c) && c != '-' && c != '.' && c != '_' && !(v6 && c == ':'))
      return Error{Fault::malformed, "a URL whose host holds a character that is not allowed there"};
  const bool has_port = parsed->has_port() && !parsed->port().empty();
  parts.port = has_port ? parsed->port_number() : default_port(parts.scheme);
  const auto path = parsed->encoded_path();
  // Boost.URL 1.81 takes "h:port/" for the host "h" and the path "port/".
  if (parts.port == 0 || (!path.empty() && path.front() != '/'))
    return Error{Fault::malformed, "a URL for " + parts.host + " with a port that is not 1 to 65535"};
  return parts;
}

}  // namespace

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return (v6 ? "[" + std::string{host} + "]" : std::string{host}) + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
  auto parts = parse_parts(text);
  if (!parts) return std::move(parts).error();
  if (parts->view.has_userinfo())
    return Error{Fault::malformed, "a URL for " + parts->host + " with a user name in it; give credentials separately"};
  Url url{parts->scheme, parts->host, parts->port, std::string{parts->view.encoded_target()}, {}};
  if (!url.target.starts_with('/')) url.target.insert(0, "/");  // "http://host" and "http://host?query"
  url.host_header = host_and_port(url.host, url.port);
  if (url.port == default_port(url.scheme)) url.host_header.resize(url.host_header.rfind(':'));
  return url;
}

std::string ProxyUrl::name() const { return host_and_port(host, port); }

Result<ProxyUrl> parse_proxy_url(std::string_view text) {
  auto parts = parse_parts(text);
  if (!parts) return std::move(parts).error().in("proxy");
  const std::string_view target{parts->view.encoded_target().data(), parts->view.encoded_target().size()};
  if ((!target.empty() && target != "/") || parts->view.has_fragment())
    return Error{Fault::malformed,
                 "proxy: the URL for " + parts->host + " has a path; only http://[user:password@]host:port"};
  return ProxyUrl{parts->scheme, parts->host, parts->port, parts->view.user(), parts->view.password()};
}

}  // namespace outpost::http
