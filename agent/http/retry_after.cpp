#include "agent/http/retry_after.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <charconv>

namespace outpost::http {

std::optional<std::chrono::milliseconds> retry_after(const Headers& headers, Timestamp now) {
  const std::string_view value = trim(headers.get("Retry-After"));
  if (value.empty()) return std::nullopt;
  using std::chrono::milliseconds;
  const milliseconds longest = std::chrono::hours{24};
  std::uint64_t seconds = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (end == value.data() + value.size() && failed != std::errc::invalid_argument) {
    if (failed == std::errc::result_out_of_range) return longest;
    return std::min<milliseconds>(longest, std::chrono::seconds{std::min<std::uint64_t>(seconds, 86'400)});
  }
  const auto until = parse_http_date(value);
  if (!until) return std::nullopt;
  const Timestamp from = parse_http_date(headers.get("Date")).value_or(now);
  return std::clamp(std::chrono::duration_cast<milliseconds>(*until - from), milliseconds{0}, longest);
}

}  // namespace outpost::http
