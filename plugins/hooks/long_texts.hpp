#pragma once

#include "plugins/hooks/schema_library.hpp"

namespace outpost::hooks {

/// The C++ library's regular expressions take stack for each byte of a text, until there is none left.
inline constexpr std::size_t longest_matched = 4096;

/// Texts and keys of more than `longest_matched` bytes that a regular expression of the schema could be compared with,
/// by whatever way the schema leads to it. A text that no expression looks at has any length.
[[nodiscard]] std::vector<Violation> too_long_to_match(const boost::json::value& value,
                                                       const boost::json::value& schema);

}  // namespace outpost::hooks
