#include "plugins/dci/file_name.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace outpost::dci {
namespace {

/// The characters of a text, each as its bytes; bytes that are not UTF-8 stand alone.
std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  const bool utf8 = is_utf8(text);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (utf8 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    characters.push_back(text.substr(at, end - at));
    at = end;
  }
  return characters;
}

/// Printable ASCII, and U+00A0 to U+00FF.
bool in_latin1(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first >= 0x20 && first < 0x7F;
  return character.size() == 2 &&
         (first == 0xC3 || (first == 0xC2 && static_cast<unsigned char>(character[1]) >= 0xA0));
}

bool is_space(std::string_view character) { return character == " " || character == "\xC2\xA0"; }

std::string percent_codes(std::string_view bytes) {
  std::string codes;
  for (const char byte : bytes) {
    std::array<char, 4> code{};
    std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned char>(byte));
    codes += code.data();
  }
  return codes;
}

}  // namespace

std::string stored_name(std::string_view name, std::size_t limit) {
  const auto characters = characters_of(name);
  std::vector<std::string> parts;
  for (std::size_t index = 0; index < characters.size(); ++index) {
    const bool at_end = index == 0 || index + 1 == characters.size();
    if (in_latin1(characters[index]) && !(at_end && is_space(characters[index]))) {
      parts.emplace_back(characters[index]);
    } else {
      for (const char code : percent_codes(characters[index])) parts.emplace_back(1, code);
    }
  }
  if (parts.empty()) return "unnamed";
  std::string result;
  if (parts.size() <= limit) return join(parts, "");
  const std::string hash = "~" + sha256_hex(name).substr(0, 12) + "~";
  const std::size_t head = (limit - hash.size()) / 2;
  const std::size_t tail = limit - hash.size() - head;
  for (std::size_t index = 0; index < head; ++index) result += parts[index];
  result += hash;
  for (std::size_t index = parts.size() - tail; index < parts.size(); ++index) result += parts[index];
  return result;
}

std::string to_latin1(std::string_view stored) {
  std::string bytes;
  for (std::size_t at = 0; at < stored.size(); ++at) {
    const auto byte = static_cast<unsigned char>(stored[at]);
    if ((byte == 0xC2 || byte == 0xC3) && at + 1 < stored.size())
      bytes += static_cast<char>((byte & 0x03) << 6 | (static_cast<unsigned char>(stored[++at]) & 0x3F));
    else
      bytes += stored[at];
  }
  return bytes;
}

std::string piece_name(std::string_view log, std::uint64_t offset) {
  std::array<char, 32> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "@%012llu", static_cast<unsigned long long>(offset));
  return std::string{log} + suffix.data();
}

std::string mime_of(std::string_view name) {
  const std::string lower = to_lower(name.substr(name.rfind('/') + 1));
  if (lower.starts_with("dci-extra") && lower.ends_with(".json")) return "application/dci-analytics+json";
  for (const std::string_view end :
       {".log", ".txt", ".html", ".yaml", ".yml", ".trace", ".pcap", ".json", ".md", ".csv"})
    if (lower.ends_with(end)) return "text/plain";
  if (lower.ends_with(".gz") || lower.ends_with(".tgz")) return "application/x-gzip";
  if (lower.ends_with(".xz")) return "application/x-xz";
  return "application/octet-stream";
}

std::string safe_mime(std::string_view mime) {
  const std::string_view type = trim(mime);
  const bool good = type.find('/') != std::string_view::npos && type.size() <= 100 &&
                    std::all_of(type.begin(), type.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  return good ? std::string{type} : "application/octet-stream";
}

}  // namespace outpost::dci
