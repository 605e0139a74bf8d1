#include "samples/dlrn-server/graphql_query.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;

constexpr std::size_t deepest = 20;
/// Fragments that spread each other twice grow without end.
constexpr std::size_t most_spreads = 1000;

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// The part of the language that a client of a builder uses.
class Parser {
 public:
  Parser(std::string_view text, const json::object& variables) : text_{text}, variables_{variables} {}

  std::vector<Field> document() {
    skip();
    std::optional<std::vector<Field>> fields;
    do {
      const std::string kind = is_next('{') ? "query" : name();
      if (kind == "fragment") {
        fragment();
        continue;
      }
      if (kind != "query") fail("only queries are known here, not " + kind);
      if (fields) fail("the end of the query is due");
      if (!is_next('{') && !is_next('(')) (void)name();
      if (take('(')) declarations();
      fields = selection(0);
    } while (at_ < text_.size());
    if (!fields) fail("a query is due");
    auto expanded = expand(*std::move(fields), {});
    for (const auto& [name, one] : fragments_)
      if (!one.used) throw QueryError{"Fragment \"" + name + "\" is never used.", one.at};
    return expanded;
  }

 private:
  struct Fragment {
    std::string on;
    std::vector<Field> fields;
    std::size_t at = 0;
    bool used = false;
  };
  /// What a field is called that stands for a fragment: no name of the language begins so.
  static constexpr std::string_view spread = "...";

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

  void fragment() {
    Fragment made;
    made.at = at_;
    const std::string called = name();
    if (name() != "on") fail("'on' is due");
    made.on = name();
    made.fields = selection(0);
    if (!fragments_.emplace(called, std::move(made)).second) fail("there are two fragments " + called);
  }

  /// After "...": a fragment of the document, or one that stands here.
  void spread_into(std::vector<Field>& fields, std::size_t depth) {
    std::string on;
    const auto at = at_;
    if (!is_next('{') && !is_next('@')) {
      on = name();
      if (on != "on") {
        Field field;
        field.at = at;
        field.name = std::string{spread} + on;
        if (is_kept()) fields.push_back(std::move(field));
        else if (const auto known = fragments_.find(on); known != fragments_.end()) known->second.used = true;
        return;
      }
      on = name();
    }
    const bool kept = is_kept();
    for (auto& field : selection(depth + 1)) {
      if (field.on.empty()) field.on = on;
      if (kept) fields.push_back(std::move(field));
    }
  }

  /// Reads the directives that come here.
  bool is_kept() {
    bool kept = true;
    while (take('@')) {
      const std::string directive = name();
      if (directive != "include" && directive != "skip") fail("unknown directive @" + directive);
      need('(');
      if (name() != "if") fail("'if' is due");
      need(':');
      const auto given = value(0);
      if (!given || !given->is_bool()) fail("a boolean is due");
      need(')');
      kept = kept && given->get_bool() == (directive == "include");
    }
    return kept;
  }

  std::vector<Field> expand(std::vector<Field> fields, std::vector<std::string> within) {
    std::vector<Field> expanded;
    for (auto& field : fields) {
      if (!field.name.starts_with(spread)) {
        field.fields = expand(std::move(field.fields), within);
        expanded.push_back(std::move(field));
        continue;
      }
      const std::string called = field.name.substr(spread.size());
      const auto known = fragments_.find(called);
      if (known == fragments_.end()) throw QueryError{"Unknown fragment \"" + called + "\".", field.at};
      if (std::find(within.begin(), within.end(), called) != within.end()) throw QueryError{"Cannot spread fragment \"" + called + "\" within itself.", field.at};
      if (++spreads_ > most_spreads) throw QueryError{"Too many fragments are spread.", field.at};
      known->second.used = true;
      auto below = within;
      below.push_back(called);
      for (auto& part : expand(known->second.fields, std::move(below))) {
        if (part.on.empty()) part.on = known->second.on;
        expanded.push_back(std::move(part));
      }
    }
    return expanded;
  }

  std::vector<Field> selection(std::size_t depth) {
    if (depth > deepest) fail("too deep");
    std::vector<Field> fields;
    std::size_t written = 0;
    need('{');
    while (!take('}')) {
      ++written;
      if (text_.substr(at_).starts_with(spread)) {
        at_ += spread.size();
        skip();
        spread_into(fields, depth);
        continue;
      }
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
      const bool kept = is_kept();
      if ((field.has_fields = is_next('{'))) field.fields = selection(depth + 1);
      if (kept) fields.push_back(std::move(field));
    }
    if (written == 0) fail("a name is due");
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
  std::map<std::string, Fragment> fragments_;
  std::size_t spreads_ = 0;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Field> parse_query(std::string_view text, const json::object& variables) { return Parser{text, variables}.document(); }

}  // namespace outpost::sample_builder
