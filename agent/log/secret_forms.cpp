#include "agent/log/secret_forms.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <initializer_list>

namespace outpost::log {
namespace {

/// The base64 digits that depend on the secret alone when `shift` bytes stand before it in the encoded text, and those
/// at the end of such a text, padding included.
void add_base64(std::set<std::string>& forms, std::string_view secret, std::size_t shift) {
  const auto encoded = to_base64(std::string(shift, '\0') + std::string{secret});
  const auto first_own = (shift * 8 + 5) / 6;  // The first digit without a bit of what stands before.
  const auto own_end = (shift + secret.size()) * 8 / 6;
  const auto last = encoded.find_last_not_of('=') + 1;
  for (const auto& form : {encoded.substr(first_own, own_end - first_own), encoded.substr(first_own, last - first_own),
                           encoded.substr(first_own)}) {
    forms.insert(form);
    forms.insert(replace_all(replace_all(form, "+", "-"), "/", "_"));
  }
}

std::string lower_escapes(std::string text) {
  for (std::size_t at = 0; at + 2 < text.size(); ++at)
    if (text[at] == '%') {
      const auto digits = to_lower(text.substr(at + 1, 2));
      text.replace(at + 1, 2, digits);
    }
  return text;
}

/// With `kept` as it is besides the unreserved characters of RFC 3986.
std::string percent_encoded(std::string_view secret, std::string_view kept, bool keep_tilde) {
  std::string text;
  for (const char& byte : secret)
    if (kept.find(byte) != kept.npos)
      text += byte;
    else
      text += byte == '~' && !keep_tilde ? "%7E" : percent_encode({&byte, 1}, false);
  return text;
}

void add_percent(std::set<std::string>& forms, std::string_view secret) {
  struct Way {
    std::string_view kept;
    bool keep_tilde = true;
  };
  static constexpr std::array<Way, 8> ways{{{""},                  // RFC 3986: curl, jq, Python's quote(safe="")
                                            {"/"},                 // Python's quote
                                            {"!*'()"},             // JavaScript's encodeURIComponent, older jq
                                            {"!*'()/"},            //
                                            {"!*'();/?:@&=+$,#"},  // JavaScript's encodeURI
                                            {"$&+:=@"},            // Go's PathEscape
                                            {"", false},           // PHP's urlencode
                                            {"*", false}}};        // forms of browsers, Java's URLEncoder
  for (const auto& way : ways) {
    const auto form = percent_encoded(secret, way.kept, way.keep_tilde);
    for (const auto& variant : {form, lower_escapes(form)}) {
      forms.insert(variant);
      forms.insert(replace_all(variant, "%20", "+"));
    }
  }
}

/// How a program writes text in JSON.
struct JsonStyle {
  bool ascii_only = false;
  bool capitals = false;     ///< Of the digits of \uXXXX.
  std::string_view escaped;  ///< These are written as \uXXXX too.
};

void append_escape(std::string& text, std::uint32_t unit, bool capitals) {
  std::array<char, 8> escape;
  std::snprintf(escape.data(), escape.size(), capitals ? "\\u%04X" : "\\u%04x", unit & 0xffffU);
  text += escape.data();
}

/// Reads the code point at `at` of well-formed UTF-8 and moves behind it.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t index) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[index]));
  };
  const auto lead = byte(at);
  const std::size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  auto code = more == 0 ? lead : lead & (0x3fU >> more);
  for (std::size_t index = 1; index <= more; ++index) code = code << 6 | (byte(at + index) & 0x3fU);
  at += 1 + more;
  return code;
}

std::string json_escaped(std::string_view secret, const JsonStyle& style) {
  std::string text;
  for (std::size_t at = 0; at < secret.size();) {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    const auto byte = static_cast<unsigned char>(secret[at]);
    if (style.escaped.find(secret[at]) != style.escaped.npos) {
      append_escape(text, byte, style.capitals);
      ++at;
    } else if (const auto found = special.find(secret[at]); found != std::string_view::npos) {
      text += {'\\', letters[found]};
      ++at;
    } else if (byte < ' ') {
      append_escape(text, byte, style.capitals);
      ++at;
    } else if (!style.ascii_only || byte < 0x80) {
      text += secret[at++];
    } else {
      const auto code = next_code_point(secret, at);
      if (code >= 0x10000) append_escape(text, 0xd800 + ((code - 0x10000) >> 10), style.capitals);
      append_escape(text, code >= 0x10000 ? 0xdc00 + ((code - 0x10000) & 0x3ff) : code, style.capitals);
    }
  }
  return text;
}

void add_json(std::set<std::string>& forms, std::string_view secret) {
  // As most do it; Go and jackson for HTML; Flask and PHP for attributes; .NET.
  static constexpr std::array<std::string_view, 4> sets{"", "<>&", "<>&'", "<>&'\"+`"};
  for (const bool ascii_only : {false, true}) {
    if (ascii_only && !is_utf8(secret)) continue;
    for (const auto escaped : sets)
      for (const bool capitals : {false, true}) {
        const auto form = json_escaped(secret, {ascii_only, capitals, escaped});
        forms.insert(form);
        forms.insert(replace_all(form, "/", "\\/"));
      }
  }
}

/// Adds to the texts those in which `plain` is written in the other ways.
void add_spellings(std::set<std::string>& texts, std::string_view plain,
                   std::initializer_list<std::string_view> others) {
  for (const auto& text : std::set<std::string>{texts})
    if (text.find(plain) != text.npos)
      for (const auto other : others) texts.insert(replace_all(text, plain, other));
}

/// As text or in an attribute: what has to be escaped always is, the rest as the writers of XML and HTML in use do.
void add_xml(std::set<std::string>& forms, std::string_view secret) {
  std::set<std::string> texts{replace_all(replace_all(std::string{secret}, "&", "&amp;"), "<", "&lt;")};
  add_spellings(texts, ">", {"&gt;"});
  add_spellings(texts, "\"", {"&quot;", "&#34;"});
  add_spellings(texts, "'", {"&#39;", "&apos;", "&#x27;", "&#039;"});
  add_spellings(texts, "\t", {"&#9;", "&#09;", "&#x9;"});
  add_spellings(texts, "\n", {"&#10;", "&#xA;"});
  add_spellings(texts, "\r", {"&#13;", "&#xD;"});
  forms.merge(texts);
}

enum class Digits { decimal, lower_hex, upper_hex };

std::string numbered(std::uint32_t code, Digits digits) {
  std::array<char, 16> text{};
  if (digits == Digits::decimal) std::snprintf(text.data(), text.size(), "&#%u;", code);
  else if (digits == Digits::lower_hex) std::snprintf(text.data(), text.size(), "&#x%x;", code);
  else std::snprintf(text.data(), text.size(), "&#x%X;", code);
  return text.data();
}

/// Characters as numbers: what writers of XML in use do with all but ASCII, what those that are careful do with all but
/// letters and digits, and all of them.
void add_numbered(std::set<std::string>& forms, std::string_view secret) {
  enum class Which { all, not_alphanumeric, not_ascii };
  for (const auto which : {Which::all, Which::not_alphanumeric, Which::not_ascii})
    for (const auto digits : {Digits::decimal, Digits::lower_hex, Digits::upper_hex}) {
      std::string text;
      for (std::size_t at = 0; at < secret.size();) {
        const char byte = secret[at];
        const auto code = next_code_point(secret, at);
        const bool is_alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        const bool stays = which == Which::not_ascii ? code < 0x80 : which == Which::not_alphanumeric && is_alphanumeric;
        const std::string plain = byte == '&' ? "&amp;" : byte == '<' ? "&lt;" : std::string{byte};
        text += stays ? plain : numbered(code, digits);
      }
      forms.insert(std::move(text));
    }
}

std::string utf16(std::string_view secret, bool high_first) {
  std::string text;
  const auto add = [&](std::uint32_t unit) {
    const char low = static_cast<char>(unit & 0xff), high = static_cast<char>(unit >> 8);
    text += high_first ? high : low;
    text += high_first ? low : high;
  };
  for (std::size_t at = 0; at < secret.size();) {
    const auto code = next_code_point(secret, at);
    if (code >= 0x10000) add(0xd800 + ((code - 0x10000) >> 10));
    add(code >= 0x10000 ? 0xdc00 + ((code - 0x10000) & 0x3ff) : code);
  }
  return text;
}

/// Parts of this many bytes do not occur by chance.
constexpr std::size_t telling = 16;

/// base64(1) breaks its lines after 76 digits, PEM after 64.
void add_broken_base64(std::set<std::string>& forms, std::string_view secret) {
  const auto encoded = to_base64(secret);
  for (const std::size_t width : {std::size_t{64}, std::size_t{76}})
    for (std::size_t at = 0; encoded.size() > width && at < encoded.size(); at += width)
      if (auto line = encoded.substr(at, width); line.size() >= telling) forms.insert(std::move(line));
}

/// As programs print a text of several lines: indented, numbered, with other line ends.
void add_lines(std::set<std::string>& forms, std::string_view secret) {
  if (secret.find('\n') == std::string_view::npos) return;
  forms.insert(replace_all(std::string{secret}, "\n", "\r\n"));
  for (const auto& line : split(secret, '\n')) {
    const auto text = trim(line);
    if (text.size() >= telling && !text.starts_with("-----")) forms.insert(std::string{text});  // Not the frame of PEM.
  }
}

}  // namespace

std::set<std::string> forms_of(std::string_view secret) {
  if (secret.size() < shortest_secret) return {};
  std::set<std::string> forms{std::string{secret}, to_hex(secret), to_upper(to_hex(secret))};
  for (std::size_t shift = 0; shift < 3; ++shift) add_base64(forms, secret, shift);
  add_broken_base64(forms, secret);
  add_percent(forms, secret);
  add_lines(forms, secret);
  add_json(forms, secret);
  add_xml(forms, secret);
  if (is_utf8(secret)) {
    add_numbered(forms, secret);
    forms.insert(utf16(secret, true));
    const auto low_first = utf16(secret, false);
    forms.insert(low_first);
    for (std::size_t shift = 0; shift < 3; ++shift) add_base64(forms, low_first, shift);
  }
  std::erase_if(forms, [](const std::string& form) { return form.size() < shortest_secret; });
  return forms;
}

}  // namespace outpost::log
