#include "plugins/junit/xml_text.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <cstddef>

namespace outpost::junit {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Bytes of the character that begins here; 0 when none does that XML can hold.
std::size_t character_at(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  const std::string_view character = text.substr(0, size);
  if (character.size() < size || !is_utf8(character)) return 0;
  return character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF" ? 0 : size;
}

std::string escaped(std::string_view text, bool in_attribute) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character_at(text);
    const char c = text.front();
    if (size == 0) out += replacement;
    else if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '\r') out += "&#13;";
    else if (in_attribute && c == '"') out += "&quot;";
    else if (in_attribute && c == '\n') out += "&#10;";
    else if (in_attribute && c == '\t') out += "&#9;";
    else out += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

}  // namespace

std::string xml_text(std::string_view text) { return escaped(text, false); }

std::string xml_attribute(std::string_view name, std::string_view value) {
  return " " + std::string{name} + "=\"" + escaped(value, true) + "\"";
}

}  // namespace outpost::junit
