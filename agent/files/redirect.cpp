#include "agent/files/redirect.hpp"

#include "agent/base/text.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <cstdio>

namespace outpost::files {
namespace {

namespace urls = boost::urls;

/// Escapes what servers put into Location although RFC 3986 does not allow it: spaces, quotes, bytes above ASCII.
std::string escaped(std::string_view location) {
  static constexpr std::string_view not_allowed = " \"<>\\^`{|}";
  std::string result;
  for (const char c : location.substr(0, location.find('#'))) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && not_allowed.find(c) == std::string_view::npos)
      result += c;
    else
      result += percent_encode({&c, 1});
  }
  return result;
}

bool is_absolute(std::string_view location) {
  const auto colon = location.find(':');
  return colon != std::string_view::npos && location.find_first_of("/?#") > colon;
}

/// An absolute Location stays byte for byte what it was: it may be signed.
Result<urls::url> resolved(const std::string& base, const std::string& location) {
  if (is_absolute(location)) {
    auto parsed = urls::parse_uri(location);
    if (!parsed)
      return Error{Fault::malformed, "\"" + printable(without_query(location), 300) + "\" is not an address"};
    return urls::url{*parsed};
  }
  auto parsed_base = urls::parse_uri(base);
  auto reference = urls::parse_uri_reference(location);
  urls::url result;
  if (!parsed_base || !reference || !urls::resolve(*parsed_base, *reference, result))
    return Error{Fault::malformed, "\"" + printable(without_query(location), 300) + "\" is not an address"};
  return result;
}

}  // namespace

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string without_query(std::string_view url) { return printable(url.substr(0, url.find_first_of("?#")), 500); }

Result<http::Request> follow(const http::Request& from, const http::Response& answer, bool allow_local) {
  const std::string here = without_query(from.url) + ": the redirect (HTTP " + std::to_string(answer.status) + ") ";
  const std::string location = escaped(trim(answer.headers.get("Location")));
  if (location.empty()) return Error{Fault::malformed, here + "does not say where to go (no Location)"};
  auto target = resolved(from.url, location);
  if (!target) return std::move(target.error()).in(here + "leads nowhere");

  const bool secure = target->scheme_id() == urls::scheme::https;
  if (!secure && target->scheme_id() != urls::scheme::http)
    return Error{Fault::refused,
                 here + "leads to " + printable(target->scheme(), 20) + "://, only http and https are followed"};
  if (!secure && equal_ignoring_case(from.url.substr(0, 8), "https://"))
    return Error{Fault::refused,
                 here + "leads from https to http (" + without_query(location) + "), which is never followed"};
  if (target->has_userinfo()) return Error{Fault::refused, here + "leads to an address with a password in it"};
  if (target->host().empty()) return Error{Fault::malformed, here + "leads to an address without a host"};

  http::Request next;
  next.url = is_absolute(location) ? location : std::string{target->buffer()};
  next.idle_timeout = from.idle_timeout;
  next.refuse_local_addresses = !allow_local;
  return next;
}

}  // namespace outpost::files
