#include "samples/control-server/python.hpp"

#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace outpost::sample {
namespace {

namespace json = boost::json;

std::string repr_text(std::string_view text) {
  const char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string shown(1, quote);
  for (const char c : text) {
    if (c == '\\' || c == quote)
      (shown += '\\') += c;
    else if (c == '\n')
      shown += "\\n";
    else if (c == '\r')
      shown += "\\r";
    else if (c == '\t')
      shown += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(c));
      shown += escape.data();
    } else
      shown += c;
  }
  return shown + quote;
}

std::string repr_number(double number) {
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  std::string shown{text.data(), end};
  return shown.find_first_of(".en") == std::string::npos ? shown + ".0" : shown;
}

/// Walks over JSON as Python's decoder does and stops where that one would complain.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_{text} {}

  std::string complaint() {
    try {
      blanks();
      value();
      blanks();
      if (at_ != text_.size()) fail("Extra data", at_);
    } catch (const std::string& message) {
      return message;
    }
    return {};
  }

 private:
  [[noreturn]] void fail(std::string_view what, std::size_t where) const {
    std::size_t line = 1, characters = 0, column = 1;
    for (std::size_t i = 0; i < where; ++i) {
      if ((text_[i] & 0xC0) != 0x80) ++characters, ++column;
      if (text_[i] == '\n') ++line, column = 1;
    }
    throw std::string{what} + ": line " + std::to_string(line) + " column " + std::to_string(column) + " (char " +
        std::to_string(characters) + ")";
  }

  [[nodiscard]] char look() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (at_ < text_.size() && std::string_view{" \t\n\r"}.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  void value() {
    if (++depth_ > 900) throw std::string{};  // Python gives up here as well.
    for (const std::string_view word : {"null", "true", "false", "NaN", "Infinity", "-Infinity"})
      if (text_.substr(at_).starts_with(word)) return void(at_ += word.size());
    if (look() == '"') return string();
    if (look() == '{') return object();
    if (look() == '[') return array();
    if (!number()) fail("Expecting value", at_);
  }

  bool number() {
    auto at = at_;
    const auto digit = [&] { return at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; };
    if (at < text_.size() && text_[at] == '-') ++at;
    if (!digit()) return false;
    if (text_[at] == '0')
      ++at;
    else
      while (digit()) ++at;
    at_ = at;
    if (at < text_.size() && text_[at] == '.') {
      ++at;
      if (digit()) {
        while (digit()) ++at;
        at_ = at;
      }
    }
    at = at_;
    if (at < text_.size() && (text_[at] == 'e' || text_[at] == 'E')) {
      ++at;
      if (at < text_.size() && (text_[at] == '+' || text_[at] == '-')) ++at;
      if (digit()) {
        while (digit()) ++at;
        at_ = at;
      }
    }
    return true;
  }

  void string() {
    const auto start = at_++;
    for (;;) {
      if (at_ >= text_.size()) fail("Unterminated string starting at", start);
      const char c = text_[at_];
      if (c == '"') return void(++at_);
      if (static_cast<unsigned char>(c) < 0x20) fail("Invalid control character at", at_);
      if (c == '\\') {
        if (at_ + 1 >= text_.size()) fail("Unterminated string starting at", start);
        if (std::string_view{"\"\\/bfnrtu"}.find(text_[at_ + 1]) == std::string_view::npos)
          fail("Invalid \\escape", at_);
        ++at_;
      }
      ++at_;
    }
  }

  void object() {
    ++at_;
    blanks();
    if (look() == '}') return void(++at_);
    for (;;) {
      if (look() != '"') fail("Expecting property name enclosed in double quotes", at_);
      string();
      blanks();
      if (look() != ':') fail("Expecting ':' delimiter", at_);
      ++at_;
      blanks();
      value();
      blanks();
      if (look() == '}') return void(++at_);
      if (look() != ',') fail("Expecting ',' delimiter", at_);
      ++at_;
      blanks();
    }
  }

  void array() {
    ++at_;
    blanks();
    if (look() == ']') return void(++at_);
    for (;;) {
      value();
      blanks();
      if (look() == ']') return void(++at_);
      if (look() != ',') fail("Expecting ',' delimiter", at_);
      ++at_;
      blanks();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;  // Of values begun, which is enough to stop a tower of brackets.
};

}  // namespace

std::string repr(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "None";
    case json::kind::bool_: return value.as_bool() ? "True" : "False";
    case json::kind::string: return repr_text(value.as_string());
    case json::kind::double_: return repr_number(value.as_double());
    case json::kind::array: {
      std::string shown = "[";
      for (const auto& element : value.as_array()) shown += (shown.size() > 1 ? ", " : "") + repr(element);
      return shown + "]";
    }
    case json::kind::object: {
      std::string shown = "{";
      for (const auto& [name, element] : value.as_object())
        shown += (shown.size() > 1 ? ", " : "") + repr_text(name) + ": " + repr(element);
      return shown + "}";
    }
    default: return json::serialize(value);
  }
}

std::string json_complaint(std::string_view text) { return Scanner{text}.complaint(); }

}  // namespace outpost::sample
