#include "agent/http/page_title.hpp"

#include "agent/base/text.hpp"

#include <string>

namespace outpost::http {

std::string_view page_title(std::string_view body) {
  constexpr std::string_view opening = "<title>", closing = "</title>";
  const std::string lower = to_lower(body.substr(0, 4096));
  const auto begin = lower.find(opening);
  const auto end = begin == std::string::npos ? begin : lower.find(closing, begin);
  if (end == std::string::npos) return {};
  return trim(body.substr(begin + opening.size(), end - begin - opening.size()));
}

}  // namespace outpost::http
