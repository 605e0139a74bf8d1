// A validator for the few JSON-schema words that the original uses, with the texts of Python's jsonschema.
#include "samples/control-server/errors.hpp"
#include "samples/control-server/model.hpp"
#include "samples/control-server/python.hpp"
#include "samples/control-server/schemas.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cctype>
#include <vector>

namespace outpost::sample {
namespace {

namespace json = boost::json;

constexpr std::string_view uuid_pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

struct Violation {
  std::string sorted_by;  ///< The bare message: the original sorts before it adds the property's name.
  std::string text;
};

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_plain_uuid(std::string_view text) {
  return is_uuid(text) && std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
}

bool is_web_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

bool has_kind(const json::value& value, Kind kind) {
  switch (kind) {
    case Kind::object: return value.is_object();
    case Kind::array: return value.is_array();
    case Kind::integer:
      return value.is_int64() || value.is_uint64() ||
             (value.is_double() &&
              value.as_double() == static_cast<double>(static_cast<std::int64_t>(value.as_double())));
    case Kind::boolean: return value.is_bool();
    case Kind::number: return value.is_number();
    default: return value.is_string();
  }
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::object: return "object";
    case Kind::array: return "array";
    case Kind::integer: return "integer";
    case Kind::boolean: return "boolean";
    case Kind::number: return "number";
    default: return "string";
  }
}

class Check {
 public:
  void property(const Property& property, const json::value& value) {
    const bool nullable = property.nullable || property.fallback == "null";
    if (value.is_null() && nullable) return;
    if (property.kind == Kind::url_or_empty) {
      if (!value.is_string() || (!value.as_string().empty() && !is_web_url(value.as_string())))
        plain(repr(value) + " is not valid under any of the given schemas");
      return;
    }
    if (!has_kind(value, property.kind)) return wrong_type(property, value, nullable);
    if (value.is_string()) text(property, value);
  }

  void required(const json::object& object, std::string_view name) {
    if (!object.contains(name)) plain("'" + std::string{name} + "' is a required property");
  }

  void plain(std::string message) { violations_.push_back({message, message}); }
  void named(std::string_view name, std::string message) {
    violations_.push_back({message, std::string{name} + ": " + message});
  }

  void finish() {
    if (violations_.empty()) return;
    std::ranges::sort(violations_, {}, &Violation::sorted_by);
    json::array errors;
    for (const auto& violation : violations_) errors.emplace_back(violation.text);
    json::object payload{{"error", errors.front()}, {"errors", errors}};
    throw ApiError{400, "Request malformed", std::move(payload)};
  }

 private:
  void wrong_type(const Property& property, const json::value& value, bool nullable) {
    const auto kind = kind_name(property.kind);
    auto message = repr(value) + " is not of type '" + std::string{kind} + "'";
    if (nullable) return plain(message + ", 'null'");
    if (kind == "string" || kind == "array" || kind == "integer") return named(property.name, std::move(message));
    plain(std::move(message));
  }

  void pattern(const Property& property, const json::value& value, std::string_view expression) {
    const auto message = repr(value) + " does not match " + repr(json::string{expression});
    // A property called "url" has its own sentence; the value is shown bare in front.
    const auto shown = property.name == "url" ? std::string{"is not a valid 'url'"} : message;
    violations_.push_back(
        {message, std::string{property.name} + ": '" + std::string{value.as_string()} + "' " + shown});
  }

  template <class Names>
  void one_of(const json::value& value, const Names& names) {
    if (std::ranges::find(names, std::string_view{value.as_string()}) != std::end(names)) return;
    json::array list;
    for (const auto& name : names) list.emplace_back(name);
    plain(repr(value) + " is not one of " + repr(list));
  }

  void text(const Property& property, const json::value& value) {
    const std::string_view text{value.as_string()};
    switch (property.kind) {
      case Kind::uuid:
        if (!is_plain_uuid(text)) pattern(property, value, uuid_pattern);
        break;
      case Kind::url:
        if (!is_web_url(text)) pattern(property, value, "^https?://");
        break;
      case Kind::limit:
        if (!is_digits(text) || text.front() == '0') pattern(property, value, "^[1-9]\\d*$");
        break;
      case Kind::offset:
        if (!is_digits(text)) pattern(property, value, "^\\d+$");
        break;
      case Kind::non_empty_string:
        if (text.empty()) plain(repr(value) + " is too short");
        break;
      case Kind::email:
        if (text.find('@') == std::string_view::npos) plain(repr(value) + " is not a 'email'");
        break;
      case Kind::state: one_of(value, resource_states); break;
      case Kind::status: one_of(value, job_statuses); break;
      case Kind::key_value_csv:
        for (const auto& element : split(text, ','))
          if (element.find(':') == std::string::npos)
            named(property.name, "'" + std::string{text} + "' is not a 'key value csv'");
        break;
      default: break;
    }
  }

  std::vector<Violation> violations_;
};

json::object requires_only(std::string_view name) { return {{"required", json::array{json::string{name}}}}; }

/// Exactly one of the names: the original shows the alternatives that fit after the first, then the first.
void check_one_of(Check& check, const Schema& schema, const json::object& object) {
  std::vector<std::string_view> present;
  for (const auto name : schema.one_of)
    if (object.contains(name)) present.push_back(name);
  if (present.empty()) return check.plain(repr(object) + " is not valid under any of the given schemas");
  if (present.size() == 1) return;
  std::rotate(present.begin(), present.begin() + 1, present.end());
  std::string alternatives;
  for (const auto name : present) alternatives += (alternatives.empty() ? "" : ", ") + repr(requires_only(name));
  check.plain(repr(object) + " is valid under each of " + alternatives);
}

void check_unexpected(Check& check, const Schema& schema, const json::object& object) {
  std::string names;
  std::size_t count = 0;
  for (const auto& [name, value] : object) {
    if (std::ranges::find(schema.properties, std::string_view{name}, &Property::name) != schema.properties.end())
      continue;
    names += (count++ == 0 ? "" : ", ") + repr(json::string{name});
  }
  if (count > 0)
    check.plain("Additional properties are not allowed (" + names + (count == 1 ? " was" : " were") + " unexpected)");
}

}  // namespace

void check(const Schema& schema, json::value& instance) {
  if (!instance.is_object()) {
    if (std::ranges::any_of(schema.properties, [](const Property& p) { return !p.fallback.empty(); }))
      throw PageError{500, {}, {}};
    Check failed;
    failed.plain(repr(instance) + " is not of type 'object'");
    failed.finish();
  }
  auto& object = instance.as_object();
  for (const auto& property : schema.properties)
    if (!property.fallback.empty() && !object.contains(property.name))
      object.emplace(property.name, json::parse(property.fallback));
  Check check;
  for (const auto& property : schema.properties)
    if (const auto* value = object.if_contains(property.name)) check.property(property, *value);
  for (const auto name : schema.required) check.required(object, name);
  if (schema.closed) check_unexpected(check, schema, object);
  if (!schema.one_of.empty()) check_one_of(check, schema, object);
  if (!schema.any_of.empty() && std::ranges::none_of(schema.any_of, [&](auto name) { return object.contains(name); }))
    check.plain(repr(object) + " is not valid under any of the given schemas");
  if (&schema == &list_schema && object.contains("limit") != object.contains("offset"))
    check.required(object, object.contains("limit") ? "offset" : "limit");
  check.finish();
}

json::object clean(const Schema& schema, json::value instance) {
  check(schema, instance);
  json::object known;
  for (const auto& property : schema.properties)
    if (const auto* value = instance.as_object().if_contains(property.name)) known.emplace(property.name, *value);
  return known;
}

std::optional<std::string> normal_uuid(std::string_view text) {
  auto digits = replace_all(replace_all(std::string{text}, "urn:", ""), "uuid:", "");
  while (!digits.empty() && (digits.front() == '{' || digits.front() == '}')) digits.erase(0, 1);
  while (!digits.empty() && (digits.back() == '{' || digits.back() == '}')) digits.pop_back();
  digits = to_lower(replace_all(digits, "-", ""));
  if (digits.size() != 32 || !std::ranges::all_of(digits, [](unsigned char c) { return std::isxdigit(c) != 0; }))
    return {};
  for (const std::size_t dash : {8, 13, 18, 23}) digits.insert(dash, 1, '-');
  return digits;
}

}  // namespace outpost::sample
