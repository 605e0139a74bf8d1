#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outpost {

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] std::string to_upper(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right);

/// The parts between separators, empty ones included; an empty text has one empty part.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
[[nodiscard]] std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// Percent-encodes every byte but A-Z a-z 0-9 - _ . ~ (RFC 3986 unreserved), in upper-case hex; '/' too unless `keep_slash`.
[[nodiscard]] std::string percent_encode(std::string_view text, bool keep_slash = false);
/// Decodes %XX; with `plus_is_space` also '+'. A stray '%' stays as it is.
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// Makes text from outside safe for a terminal or a log line: control bytes become \xNN, line breaks \n.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 4096);

/// The candidate nearest to a misspelt word, if one is near enough to be meant.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// Whether `text` matches a pattern with `*` and `?`.
[[nodiscard]] bool matches_glob(std::string_view text, std::string_view pattern);

/// Whether `text` is well-formed UTF-8.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace outpost
