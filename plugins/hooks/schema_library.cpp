#include "plugins/hooks/schema_library.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/schema_patterns.hpp"

#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <exception>
#include <functional>

namespace outpost::hooks {

namespace json = boost::json;
using valijson::adapters::Adapter;

namespace {

/// `<root>`, `["ports"]`, `[0]` as the library names places.
std::vector<std::string> path_of(const std::vector<std::string>& context) {
  std::vector<std::string> path;
  for (const auto& step : context) {
    if (step == "<root>") continue;
    std::string name = step;
    for (const char* edge : {"[", "\""})
      if (name.starts_with(edge)) name.erase(0, 1);
    for (const char* edge : {"]", "\""})
      if (name.ends_with(edge)) name.pop_back();
    path.push_back(std::move(name));
  }
  return path;
}

/// A keyword of ours, in the library's eyes.
class Keyword final : public valijson::constraints::PolyConstraint {
 public:
  /// What there is against a value at a place; "" when nothing.
  using Check = std::function<std::string(const Adapter& value, const std::vector<std::string>& context)>;

  explicit Keyword(Check check) : check_{std::move(check)} {}

  bool validate(const Adapter& value, const std::vector<std::string>& context, valijson::ValidationResults* results) const override {
    const auto against = check_(value, context);
    if (!against.empty() && results) results->pushError(context, against);
    return against.empty();
  }

 private:
  valijson::constraints::Constraint* cloneInto(void* place) const override { return new (place) Keyword(*this); }
  std::size_t sizeOf() const override { return sizeof(Keyword); }

  Check check_;
};

class KeywordBuilder final : public valijson::ConstraintBuilder {
 public:
  using Make = std::function<Keyword::Check(const Adapter& rule)>;

  explicit KeywordBuilder(Make make) : make_{std::move(make)} {}

  valijson::constraints::Constraint* make(const Adapter& rule) const override { return new Keyword(make_(rule)); }

 private:
  Make make_;
};

/// The parser takes what it is given for its own.
void add(valijson::SchemaParser& parser, std::string_view name, KeywordBuilder::Make make) {
  parser.addConstraintBuilder(std::string{name}, new KeywordBuilder(std::move(make)));
}

void add_our_keywords(valijson::SchemaParser& parser, Patterns& patterns) {
  add(parser, our_pattern, [&patterns](const Adapter& rule) -> Keyword::Check {
    return [&patterns, pattern = rule.asString()](const Adapter& value, const auto& context) -> std::string {
      if (!value.isString()) return {};
      const std::string text = value.asString();
      const auto match = patterns.compare(pattern, text);
      if (match == Patterns::Match::yes) return {};
      if (match == Patterns::Match::undecided) patterns.note(path_of(context), pattern, text);
      return config::quote(printable(text, 80)) + " does not match the pattern " + config::quote(printable(pattern, 80));
    };
  });
  add(parser, our_keys, [&patterns](const Adapter& rule) -> Keyword::Check {
    std::vector<std::string> expressions;
    rule.applyToArray([&](const Adapter& item) {
      expressions.push_back(item.asString());
      return true;
    });
    return [&patterns, expressions](const Adapter& value, const auto& context) -> std::string {
      if (!value.isObject()) return {};
      value.applyToObject([&](const std::string& key, const Adapter&) {
        for (const auto& pattern : expressions)
          if (patterns.is_undecided(pattern, key)) patterns.note(path_of(context), pattern, key);
        return true;
      });
      return {};
    };
  });
  add(parser, our_format, [](const Adapter& rule) -> Keyword::Check {
    return [format = rule.asString()](const Adapter& value, const auto&) -> std::string {
      if (!value.isString() || has_time_format(value.asString(), format)) return {};
      return config::quote(printable(value.asString(), 80)) + " is not of the format " + format;
    };
  });
}

}  // namespace

std::vector<Violation> violations(const json::value& value, const json::value& schema_json) {
  std::vector<Violation> found;
  try {
    Patterns patterns;
    const json::value rules = with_our_patterns(schema_json, value, patterns);
    valijson::Schema schema;
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    add_our_keywords(parser, patterns);
    const valijson::adapters::BoostJsonAdapter schema_adapter{rules};
    parser.populateSchema(schema_adapter, schema);
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::BoostJsonAdapter adapter{value};
    const bool is_valid = validator.validate(schema, adapter, &results);
    // Under `not` and `anyOf` what is undecided would be somebody's yes.
    if (!patterns.noted.empty()) return std::move(patterns.noted);
    if (is_valid) return found;
    valijson::ValidationResults::Error error;
    while (results.popError(error)) found.push_back({path_of(error.context), printable(error.description, 300)});
  } catch (const std::exception& failure) {
    found.push_back({{}, std::string{unusable_schema} + ": " + printable(failure.what(), 300)});
  }
  return found;
}

}  // namespace outpost::hooks
