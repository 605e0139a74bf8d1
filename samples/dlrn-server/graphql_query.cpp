#include "samples/dlrn-server/graphql_query.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <optional>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;

constexpr std::size_t deepest = 20;

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// The part of the language that a client of a builder uses.
class Parser {
 public:
  Parser(std::string_view text, const json::object& variables) : text_{text}, variables_{variables} {}

  std::vector<Field> document() {
    skip();
    if (!is_next('{')) {
      const std::string kind = name();
      if (kind != "query") fail("only queries are known here, not " + kind);
      if (!is_next('{') && !is_next('(')) (void)name();
      if (take('(')) declarations();
    }
    auto fields = selection(0);
    if (at_ < text_.size()) fail("the end of the query is due");
    return fields;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw QueryError{"Syntax Error: " + message, at_}; }

  /// Blanks, commas and comments.
  void skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',') ++at_;
      else return;
    }
  }
  [[nodiscard]] bool is_next(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!is_next(c)) return false;
    ++at_;
    skip();
    return true;
  }
  void need(char c) {
    if (!take(c)) fail(std::string{"'"} + c + "' is due");
  }
  std::string name() {
    const auto begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (begin == at_) fail("a name is due");
    std::string found{text_.substr(begin, at_ - begin)};
    skip();
    return found;
  }

  /// Types are not checked; what matters is what an argument then is.
  void declarations() {
    while (!take(')')) {
      need('$');
      const std::string variable = name();
      need(':');
      while (take('[') || take(']') || take('!') || (at_ < text_.size() && is_name(text_[at_]) && !name().empty())) {}
      if (!take('=')) continue;
      auto otherwise = value(0);
      if (otherwise) defaults_[variable] = std::move(*otherwise);
    }
  }

  std::vector<Field> selection(std::size_t depth) {
    if (depth > deepest) fail("too deep");
    std::vector<Field> fields;
    need('{');
    while (!take('}')) {
      Field field;
      field.at = at_;
      field.name = field.alias = name();
      if (take(':')) field.name = name();
      if (take('('))
        while (!take(')')) {
          const std::string argument = name();
          need(':');
          if (auto given = value(0)) field.arguments[argument] = std::move(*given);
        }
      if ((field.has_fields = is_next('{'))) field.fields = selection(depth + 1);
      fields.push_back(std::move(field));
    }
    if (fields.empty()) fail("a name is due");
    return fields;
  }

  std::optional<json::value> value(std::size_t depth) {
    if (depth > deepest) fail("too deep");
    if (take('$')) {
      const std::string variable = name();
      if (const auto* given = variables_.if_contains(variable)) return *given;
      if (const auto* otherwise = defaults_.if_contains(variable)) return *otherwise;
      return std::nullopt;
    }
    if (take('{')) {
      json::object object;
      while (!take('}')) {
        const std::string key = name();
        need(':');
        if (auto member = value(depth + 1)) object[key] = std::move(*member);
      }
      return object;
    }
    if (take('[')) {
      json::array list;
      while (!take(']'))
        if (auto member = value(depth + 1)) list.push_back(std::move(*member));
      return list;
    }
    return scalar();
  }

  /// Texts and numbers are written as in JSON; a word that is neither true, false nor null stays a text.
  json::value scalar() {
    const auto begin = at_;
    if (is_next('"')) {
      ++at_;
      while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
      at_ = std::min(at_ + 1, text_.size());
    } else {
      while (at_ < text_.size() && (is_name(text_[at_]) || text_[at_] == '-' || text_[at_] == '+' || text_[at_] == '.')) ++at_;
    }
    const auto written = text_.substr(begin, at_ - begin);
    if (written.empty()) fail("a value is due");
    boost::system::error_code no_json;
    auto read = json::parse(written, no_json);
    if (no_json && (written.front() == '"' || !is_name(written.front()))) fail("a value is due");
    if (no_json) read = json::string{written};
    skip();
    return read;
  }

  std::string_view text_;
  const json::object& variables_;
  json::object defaults_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Field> parse_query(std::string_view text, const json::object& variables) { return Parser{text, variables}.document(); }

}  // namespace outpost::sample_builder
