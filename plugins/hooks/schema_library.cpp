#include "plugins/hooks/schema_library.hpp"

#include "agent/base/text.hpp"
#include "plugins/hooks/long_texts.hpp"

#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <exception>

namespace outpost::hooks {

namespace json = boost::json;

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

}  // namespace

std::vector<Violation> violations(const json::value& value, const json::value& schema_json) {
  std::vector<Violation> found = too_long_to_match(value, schema_json);
  if (!found.empty()) return found;
  try {
    valijson::Schema schema;
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    const valijson::adapters::BoostJsonAdapter schema_adapter{schema_json};
    parser.populateSchema(schema_adapter, schema);
    valijson::Validator validator;
    valijson::ValidationResults results;
    const valijson::adapters::BoostJsonAdapter adapter{value};
    if (validator.validate(schema, adapter, &results)) return found;
    valijson::ValidationResults::Error error;
    while (results.popError(error)) found.push_back({path_of(error.context), printable(error.description, 300)});
  } catch (const std::exception& failure) {
    found.push_back({{}, std::string{unusable_schema} + ": " + printable(failure.what(), 300)});
  }
  return found;
}

}  // namespace outpost::hooks
