#include "plugins/hooks/schema_check.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/regular_expression.hpp"
#include "plugins/hooks/schema_library.hpp"
#include "plugins/hooks/schema_references.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outpost::hooks {

using config::Node;
using config::quote;
using config::suggestion;

namespace {

const std::vector<std::string> types{"array", "boolean", "integer", "null", "number", "object", "string"};

const std::vector<std::string> keywords{
    "$comment", "$id", "$ref", "$schema", "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains",
    "contentEncoding", "contentMediaType", "default", "definitions", "dependencies", "description", "else", "enum", "examples",
    "exclusiveMaximum", "exclusiveMinimum", "format", "if", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern", "patternProperties", "properties",
    "propertyNames", "readOnly", "required", "then", "title", "type", "uniqueItems", "writeOnly"};

/// Keywords whose value is a schema, a list of schemas, or a mapping of schemas.
const std::set<std::string> with_schema{"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"};
const std::set<std::string> with_list{"allOf", "anyOf", "oneOf", "items"};
const std::set<std::string> with_map{"definitions", "patternProperties", "properties"};

const std::set<std::string> numbers{"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"};
const std::set<std::string> sizes{"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"};
constexpr std::array<std::pair<const char*, const char*>, 4> bounds{{{"minimum", "maximum"}, {"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}}};

const std::vector<std::string> formats{"date", "date-time", "email", "hostname", "idn-email", "idn-hostname", "ipv4", "ipv6", "iri", "iri-reference", "json-pointer",
                                       "regex", "relative-json-pointer", "time", "uri", "uri-reference", "uri-template"};

std::optional<double> number_in(const Node& node) {
  double number = 0;
  const auto* const end = node.text.data() + node.text.size();
  const auto [rest, error] = std::from_chars(node.text.data(), end, number);
  if (node.kind != Node::Kind::scalar || node.quoted || error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

/// Each secret is a file of its property's name.
bool is_file_name(const std::string& name) { return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos; }

/// Reads a schema tree for what the parser of the library would take in silence.
class SchemaCheck {
 public:
  SchemaCheck(config::Problems& problems, const Node& root) : problems_{problems}, references_{root, problems} {}

  /// `of_property`: reached from the top through `properties` alone, so that a secret can be here.
  void check(const Node& schema, const std::string& label, bool of_property = false, bool top = false) {
    if (schema.kind == Node::Kind::scalar && (schema.text == "true" || schema.text == "false") && !schema.quoted) return;
    if (schema.kind != Node::Kind::map) return problem(schema, label, "a schema is due (example: {type: string})");
    for (const auto& item : schema.items) check_keyword(item, label, of_property, top);
    references_.check(schema, label);
    check_required(schema, label);
    check_bounds(schema, label);
    if (const Node* secret = schema.find("x-secret"); secret && secret->text == "true") check_secret(schema, label);
  }

 private:
  void problem(const Node& node, const std::string& label, const std::string& message,
               config::ProblemKind kind = config::ProblemKind::value) {
    problems_.list.push_back({node.origin, label + ": " + message, kind});
  }

  void check_own(const Node& item, const std::string& label, bool of_property) {
    const std::string& key = item.key;
    if (key != "x-secret") {
      if (const auto meant = suggestion(key, {"x-secret"}); !meant.empty())
        problem(item, label, "unknown keyword " + quote(key) + meant, config::ProblemKind::unknown_key);
    } else if (item.quoted || (item.text != "true" && item.text != "false")) {
      problem(item, label + "." + key, "true or false is due");
    } else if (item.text == "true" && !of_property) {
      problem(item, label + "." + key, "only a property of a mapping can be a secret");
    }
  }

  void check_keyword(const Node& item, const std::string& label, bool of_property, bool top) {
    const std::string& key = item.key;
    const std::string place = label + "." + printable(key, 80);
    if (key.starts_with("x-")) return check_own(item, label, of_property);
    if (std::find(keywords.begin(), keywords.end(), key) == keywords.end()) {
      const auto advice = suggestion(key, keywords);
      return problem(item, label, "unknown keyword " + quote(key) + (advice.empty() ? " (JSON Schema draft 7 has none of this name)" : advice),
                     config::ProblemKind::unknown_key);
    }
    if (key == "type") return check_type(item, place);
    if (key == "pattern") {
      if (item.kind != Node::Kind::scalar) return problem(item, place, "a regular expression is due (example: \"^[0-9]+$\")");
      return check_expression(item, item.text, place);
    }
    if (key == "$ref") return;
    if (key == "enum" && (item.kind != Node::Kind::list || item.items.empty()))
      return problem(item, place, "a list of what it may be is due (example: [fast, thorough])");
    if (numbers.contains(key) && !number_in(item)) return problem(item, place, "a number is due (example: 1)");
    if (sizes.contains(key) && (!number_in(item) || item.text.find_first_not_of("0123456789") != std::string::npos))
      return problem(item, place, "a whole number from 0 on is due (example: 1)");
    if (key == "format" && std::find(formats.begin(), formats.end(), item.text) == formats.end())
      return problem(item, place, quote(item.text) + " is not a format" + (suggestion(item.text, formats).empty() ? " of draft 7, so nothing would be checked (write a pattern)" : suggestion(item.text, formats)));
    if (with_list.contains(key) && item.kind == Node::Kind::list) {
      for (const auto& each : item.items) check(each, place);
    } else if (with_map.contains(key)) {
      if (item.kind != Node::Kind::map) return problem(item, place, "a mapping of schemas is due (example: {address: {type: string}})");
      for (const auto& each : item.items) {
        if (key == "patternProperties") check_expression(each, each.key, place);
        check(each, place + "." + printable(each.key, 80), key == "properties" && (of_property || top) && is_file_name(each.key));
      }
    } else if (with_schema.contains(key)) {
      check(item, place);
    } else if (key == "dependencies") {
      for (const auto& each : item.items)
        if (each.kind != Node::Kind::list) check(each, place + "." + printable(each.key, 80));
    }
  }

  void check_expression(const Node& item, const std::string& pattern, const std::string& place) {
    if (const auto compiled = RegularExpression::compile(pattern); !compiled)
      problem(item, place, quote(printable(pattern, 80)) + " is not a regular expression: " + compiled.error().message);
  }

  void check_type(const Node& item, const std::string& place) {
    const std::vector<Node> one{item};
    for (const auto& type : item.kind == Node::Kind::list ? item.items : one)
      if (std::find(types.begin(), types.end(), type.text) == types.end())
        problem(item, place, quote(type.text) + " is not a type" + (suggestion(type.text, types).empty() ? " (" + join(types, ", ") + ")" : suggestion(type.text, types)));
  }

  /// What nothing fits is a mistake of whoever wrote the schema, not of whoever is to fill it in.
  void check_bounds(const Node& schema, const std::string& label) {
    for (const auto& [least, most] : bounds) {
      const Node *low = schema.find(least), *high = schema.find(most);
      const auto from = low ? number_in(*low) : std::nullopt, to = high ? number_in(*high) : std::nullopt;
      if (from && to && *from > *to) problem(*low, label + "." + least, low->text + " is more than " + most + ", " + high->text + ", so nothing fits");
    }
  }

  /// A secret is what stands in a file, and never in a manifest.
  void check_secret(const Node& schema, const std::string& label) {
    if (const Node* type = schema.find("type"); type && (type->text == "object" || type->text == "array"))
      problem(*type, label + ".type", "a secret is a text (write type: string, or mark what is in it)");
    if (const Node* otherwise = schema.find("default"); otherwise && otherwise->kind == Node::Kind::scalar)
      problem(*otherwise, label + ".default", "a secret does not stand in a manifest (remove it; the site names its secret by {secret: NAME})");
  }

  /// A required property that is misspelt can never be given.
  void check_required(const Node& schema, const std::string& label) {
    const Node* required = schema.find("required");
    const Node* properties = schema.find("properties");
    if (required == nullptr) return;
    if (required->kind != Node::Kind::list) return problem(*required, label + ".required", "a list of names is due (example: [address])");
    if (properties == nullptr || properties->kind != Node::Kind::map) return;
    std::vector<std::string> names;
    for (const auto& property : properties->items) names.push_back(property.key);
    for (const auto& name : required->items)
      if (std::find(names.begin(), names.end(), name.text) == names.end())
        problem(name, label + ".required", "there is no property " + quote(name.text) + suggestion(name.text, names));
  }

  config::Problems& problems_;
  ReferenceCheck references_;
};

/// Defaults that the schema itself would refuse: each job of the plugin would, although nobody has configured anything.
void check_defaults(const Node& schema, config::Problems& problems) {
  boost::json::object nothing, optional = schema_of(schema);
  optional.erase("required");
  for (const auto& mistake : check_configuration(nothing, optional, [](const std::string&) { return true; })) {
    const Node* at = &schema;
    std::string label = "config";
    for (const auto& step : mistake.path) {
      const Node* properties = at->find("properties");
      const Node* below = properties ? properties->find(step) : nullptr;
      if (!below) break;
      at = below;
      label += ".properties." + printable(step, 80);
    }
    if (const Node* otherwise = at->find("default")) problems.list.push_back({otherwise->origin, label + ".default: " + mistake.message});
  }
}

}  // namespace

void check_schema(const Node& schema, config::Problems& problems) {
  const auto before = problems.list.size();
  SchemaCheck{problems, schema}.check(schema, "config", false, true);
  if (problems.list.size() > before) return;
  // Draft 7 says that a schema may be true; a configuration is always a mapping.
  const auto is_object = [](const Node& type) { return type.text == "object"; };
  if (const Node* type = schema.find("type"); type && !is_object(*type) && std::none_of(type->items.begin(), type->items.end(), is_object))
    return problems.list.push_back({type->origin, "config.type: a configuration is a mapping (write type: object)"});
  for (const auto& violation : violations(boost::json::object{}, schema_of(schema)))
    if (violation.message.starts_with(unusable_schema)) return problems.list.push_back({schema.origin, "config: " + violation.message});
  check_defaults(schema, problems);
}

}  // namespace outpost::hooks
