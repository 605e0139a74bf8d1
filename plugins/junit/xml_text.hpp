#pragma once

#include <string>
#include <string_view>

namespace outpost::junit {

/// `text` as character data of an XML document in UTF-8. What is no UTF-8, and what XML cannot hold (control characters),
/// becomes U+FFFD.
[[nodiscard]] std::string xml_text(std::string_view text);

/// ` name="value"`, so that a parser gives back the value with its line breaks and tabs.
[[nodiscard]] std::string xml_attribute(std::string_view name, std::string_view value);

}  // namespace outpost::junit
