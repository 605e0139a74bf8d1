// URLs of servers, redirects and proxies in the first line, a no_proxy list in the second.
#include "promise.hpp"

#include "agent/http/beast/no_proxy.hpp"
#include "agent/http/url.hpp"

#include <algorithm>

namespace {

/// Nothing that could end a line of a request's head early.
bool fits_a_head(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  std::string_view rest = fuzz::text_of(data, size);
  const std::string_view text = fuzz::take_line(rest);
  const auto url = http::parse_url(text);
  if (url) {
    fuzz::promise(url->scheme == "http" || url->scheme == "https", "only http and https");
    fuzz::promise(!url->host.empty(), "a URL has a host");
    fuzz::promise(url->target.starts_with('/') && fits_a_head(url->target), "the target fits a request line");
    fuzz::promise(!url->host_header.empty() && fits_a_head(url->host_header), "the host fits a header");
    const auto again = http::parse_url(url->scheme + "://" + url->host_header + url->target);
    fuzz::promise(again && again->host == url->host && again->port == url->port && again->target == url->target,
                  "what goes on the wire is the same URL");
    (void)http::is_exempt_from_proxy(rest, url->host, url->port);
  } else {
    fuzz::promise_message(url.error().message);
  }
  const auto proxy = http::parse_proxy_url(text);
  if (proxy)
    fuzz::promise(!proxy->host.empty() && fits_a_head(proxy->name()), "a proxy has a name");
  else
    fuzz::promise_message(proxy.error().message);
  return 0;
}
