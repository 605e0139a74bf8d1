// The query language of list requests, op(column,value) and and/or/not of such. The original builds it from parser
// combinators, and three of their effects are visible: white space between words does not matter, what follows the
// first complete expression is ignored, and of several expressions side by side only the first counts.
#include "agent/base/text.hpp"
#include "samples/control-server/errors.hpp"
#include "samples/control-server/list_arguments.hpp"
#include "samples/control-server/records.hpp"
#include "samples/control-server/schemas.hpp"

#include <algorithm>
#include <charconv>

namespace outpost::sample {
namespace {

struct Expression {
  std::string operation, column, value;
  std::vector<Expression> operands;  ///< Of and, or, not.
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  std::vector<Expression> parse() {
    auto found = expressions();
    if (found.empty()) fail();
    return found;
  }

 private:
  /// expression[,expression...]: simple ones side by side, or one combination.
  std::vector<Expression> expressions() {
    std::vector<Expression> found;
    if (auto first = simple()) {
      found.push_back(std::move(*first));
      for (;;) {
        const auto before = at_;
        auto next = literal(",") ? simple() : std::nullopt;
        if (!next) {
          at_ = before;
          return found;
        }
        found.push_back(std::move(*next));
      }
    }
    if (auto combination = combined()) found.push_back(std::move(*combination));
    return found;
  }

  std::optional<Expression> combined() {
    const auto before = at_;
    const auto name = word(is_name);
    if ((name != "and" && name != "or" && name != "not") || !literal("(")) {
      at_ = before;
      return {};
    }
    Expression expression{name, {}, {}, {}};
    do {
      auto operands = expressions();
      if (operands.empty()) {
        at_ = before;
        return {};
      }
      std::ranges::move(operands, std::back_inserter(expression.operands));
    } while (literal(","));
    if (literal(")")) return expression;
    at_ = before;
    return {};
  }

  std::optional<Expression> simple() {
    static constexpr std::string_view binary[] = {"eq", "ne",   "lt",    "le",       "gt",
                                                  "ge", "like", "ilike", "contains", "not_contains"};
    const auto before = at_;
    Expression expression{word(is_name), {}, {}, {}};
    const bool unary = expression.operation == "null";
    if ((unary || std::ranges::find(binary, expression.operation) != std::end(binary)) && literal("(")) {
      expression.column = word(is_name);
      if (!expression.column.empty()) {
        if (unary && literal(")")) return expression;
        if (!unary && literal(",")) {
          expression.value = word(is_value);
          if (!expression.value.empty() && literal(")")) return expression;
        }
      }
    }
    at_ = before;
    return {};
  }

  static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  static bool is_value(char c) { return is_name(c) || std::string_view{"- %.:/"}.find(c) != std::string_view::npos; }

  void skip_blanks() {
    while (at_ < text_.size() && std::string_view{" \t\n\r"}.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool literal(std::string_view expected) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  std::string word(bool (*belongs)(char)) {
    skip_blanks();
    const auto start = at_;
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return std::string{text_.substr(start, at_ - start)};
  }

  [[noreturn]] void fail() {
    const auto end = text_.find(' ');
    const auto found = text_.empty() ? std::string{"end of text"} : "'" + std::string{text_.substr(0, end)} + "'";
    throw ApiError{400,
                   "error while parsing the query Expected {an operation | and, or, not}, found " + found +
                       "  (at char 0), (line:1, col:1)",
                   {}};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

ApiError invalid_enum(const std::string& type, const std::string& value) {
  return {400,
          "(psycopg2.errors.InvalidTextRepresentation) invalid input value for enum " + type + ": \"" + value + "\"\n",
          {}};
}

ApiError no_such_operator(const std::string& sides) {
  return {400, "(psycopg2.errors.UndefinedFunction) operator does not exist: " + sides + "\n", {}};
}

Cell typed(const Column& column, const std::string& value) {
  switch (column.type) {
    case Type::uuid:
      if (const auto id = normal_uuid(value)) return *id;
      throw invalid_text("uuid", value);
    case Type::integer: {
      std::int64_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      if (parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size()) return number;
      throw invalid_text("integer", value);
    }
    case Type::boolean: throw PageError{500, {}, {}};  // SQLAlchemy: "Not a boolean value".
    case Type::status:
      if (std::ranges::find(job_statuses, value) == std::end(job_statuses)) throw invalid_enum("statuses", value);
      return value;
    case Type::state:
      if (std::ranges::find(resource_states, value) == std::end(resource_states)) throw invalid_enum("states", value);
      return value;
    case Type::timestamp:
      if (const auto moment = normal_time(value)) return *moment;
      throw ApiError{
          400,
          "(psycopg2.errors.InvalidDatetimeFormat) invalid input syntax for type timestamp: \"" + value + "\"\n",
          {}};
    default: return value;
  }
}

Condition condition_of(const Table& table, const Expression& expression);

Condition combination(const Table& table, const Expression& expression) {
  if (expression.operation == "not") {
    if (expression.operands.size() != 1) throw PageError{500, {}, {}};
    auto inner = condition_of(table, expression.operands.front());
    inner.sql = "NOT (" + inner.sql + ")";
    return inner;
  }
  Condition whole;
  for (const auto& operand : expression.operands) {
    auto part = condition_of(table, operand);
    whole.sql += whole.sql.empty() ? "(" + part.sql + ")"
                                   : (expression.operation == "and" ? " AND (" : " OR (") + part.sql + ")";
    std::ranges::move(part.values, std::back_inserter(whole.values));
  }
  return whole;
}

Condition condition_of(const Table& table, const Expression& expression) {
  if (!expression.operands.empty()) return combination(table, expression);
  const auto& name = expression.column;
  const auto* column = table.column(name);
  if (!column || name == "password" || name == "api_secret") throw ApiError{400, "Invalid field: " + name, {}};
  const auto& operation = expression.operation;
  if (operation == "null") return {name + " IS NULL OR " + name + " = ''", {}};
  if (operation.ends_with("contains")) {
    if (column->type != Type::array) throw no_such_operator(name + " @> text[]");
    const std::string has = "EXISTS (SELECT 1 FROM json_each(" + name + ") AS element WHERE element.value = ?)";
    return {operation == "contains" ? has : "NOT " + has, {expression.value}};
  }
  if (operation == "like" || operation == "ilike") {
    if (column->type != Type::string && column->type != Type::text) throw no_such_operator(name + " ~~ unknown");
    return {"pg_like(" + name + ", ?, " + (operation == "ilike" ? "1" : "0") + ")", {expression.value}};
  }
  static constexpr std::pair<std::string_view, std::string_view> comparisons[] = {
      {"eq", "="}, {"ne", "!="}, {"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="}};
  const auto* comparison =
      std::ranges::find(comparisons, operation, &std::pair<std::string_view, std::string_view>::first);
  return {name + ' ' + std::string{comparison->second} + " ?", {typed(*column, expression.value)}};
}

}  // namespace

Condition query_condition(const Table& table, std::string_view expression) {
  return condition_of(table, Parser{expression}.parse().front());
}

}  // namespace outpost::sample
