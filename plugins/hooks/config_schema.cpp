#include "plugins/hooks/config_schema.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/schema_library.hpp"

#include <arpa/inet.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace outpost::hooks {

namespace json = boost::json;
using config::Node;
using config::quote;
using config::suggestion;

namespace {

bool is_secret(const json::value& schema) {
  const auto* object = schema.if_object();
  const auto* marked = object ? object->if_contains("x-secret") : nullptr;
  return marked && marked->is_bool() && marked->get_bool();
}

const json::object* object_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}

bool wants(const json::object& schema, std::string_view type) {
  const auto* said = schema.if_contains("type");
  if (!said) return false;
  if (said->is_string()) return said->get_string() == type;
  return said->is_array() && std::any_of(said->get_array().begin(), said->get_array().end(), [&](const auto& one) { return one == json::value(json::string{type}); });
}

/// YAML does not say whether 4 is a text or a number, and 4.10 comes as text: the schema knows.
void settle_type(json::value& value, const json::object& schema) {
  const bool number = wants(schema, "number");
  if (value.is_int64() && wants(schema, "string") && !number && !wants(schema, "integer")) {
    value = json::string{std::to_string(value.get_int64())};
  } else if (value.is_string() && number && !wants(schema, "string")) {
    const std::string_view text = value.get_string();
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error == std::errc{} && end == text.data() + text.size()) value = parsed;
  }
}

/// 0.5 in a schema is a number wherever JSON Schema wants one.
void settle_numbers(json::value& schema) {
  static const json::object number{{"type", "number"}};
  static const std::set<std::string_view> numeric{"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"};
  if (auto* list = schema.if_array())
    for (auto& item : *list) settle_numbers(item);
  auto* object = schema.if_object();
  if (!object) return;
  for (auto& item : *object) {
    if (numeric.contains(item.key())) settle_type(item.value(), number);
    else settle_numbers(item.value());
  }
  if (auto* otherwise = object->if_contains("default")) settle_type(*otherwise, json::object{*object});
}

std::string name_of_type(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "nothing";
    case json::kind::bool_: return "true or false";
    case json::kind::int64:
    case json::kind::uint64: return "a whole number";
    case json::kind::double_: return "a number";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "a mapping";
  }
  return "";
}

bool has_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_int64() || value.is_uint64() || (value.is_double() && value.get_double() == static_cast<double>(static_cast<std::int64_t>(value.get_double())));
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_bool();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return type == "null" ? value.is_null() : true;
}

const std::map<std::string, std::string, std::less<>> types_for_people{
    {"string", "a text"}, {"integer", "a whole number"}, {"number", "a number"}, {"boolean", "true or false"},
    {"array", "a list"},  {"object", "a mapping"},       {"null", "nothing"}};

bool has_format(const std::string& text, std::string_view format) {
  in6_addr address{};
  if (format == "ipv4") return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
  if (format == "ipv6") return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
  if (format == "uri") return boost::urls::parse_uri(text).has_value();
  if (format == "hostname") {
    const bool letters = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == std::string::npos;
    return letters && !text.empty() && text.size() <= 253 && text.front() != '-' && text.front() != '.';
  }
  return true;
}

/// What the most frequent mistakes are, in the words of somebody who has made one.
class ConfigCheck {
 public:
  explicit ConfigCheck(const std::function<bool(const std::string&)>& knows_secret) : knows_secret_{knows_secret} {}

  void check(json::value& value, const json::object& schema, std::vector<std::string> path) {
    if (is_secret(schema)) return check_secret(value, std::move(path));
    settle_type(value, schema);
    if (!check_type(value, schema, path)) return;
    if (const auto* choices = schema.if_contains("enum"); choices && choices->is_array()) check_choice(value, choices->get_array(), path);
    if (const auto* format = schema.if_contains("format"); format && format->is_string() && value.is_string())
      if (const std::string text{value.get_string()}; !has_format(text, format->get_string()))
        note(path, quote(text) + " is not of the format " + std::string{format->get_string()});
    if (value.is_object()) check_object(value.get_object(), schema, path);
    if (const auto* items = object_at(schema, "items"); items && value.is_array()) {
      std::size_t index = 0;
      for (auto& item : value.get_array()) check(item, *items, below(path, std::to_string(index++)));
    }
  }

  std::vector<ConfigMistake> mistakes;

 private:
  static std::vector<std::string> below(std::vector<std::string> path, std::string key) {
    path.push_back(std::move(key));
    return path;
  }

  void note(std::vector<std::string> path, std::string message, bool secret = false) {
    mistakes.push_back({std::move(path), std::move(message), secret});
  }

  void check_secret(const json::value& value, std::vector<std::string> path) {
    const auto* object = value.if_object();
    const auto* name = object && object->size() == 1 ? object->if_contains("secret") : nullptr;
    if (!name || !name->is_string())
      return note(std::move(path), "is a secret, which does not stand in a configuration (write {secret: NAME}, and its file under secrets)", true);
    const std::string wanted{name->get_string()};
    if (!knows_secret_(wanted)) note(std::move(path), "there is no secret " + quote(wanted) + " (add it under secrets)");
  }

  bool check_type(const json::value& value, const json::object& schema, const std::vector<std::string>& path) {
    const auto* said = schema.if_contains("type");
    if (!said) return true;
    std::vector<std::string> allowed;
    if (said->is_string()) allowed.emplace_back(said->get_string());
    if (said->is_array())
      for (const auto& one : said->get_array())
        if (one.is_string()) allowed.emplace_back(one.get_string());
    if (std::any_of(allowed.begin(), allowed.end(), [&](const auto& type) { return has_type(value, type); })) return true;
    std::vector<std::string> due;
    for (const auto& type : allowed)
      if (const auto found = types_for_people.find(type); found != types_for_people.end()) due.push_back(found->second);
    const std::string shown = value.is_structured() || value.is_null() ? name_of_type(value) : printable(json::serialize(value), 80) + " is " + name_of_type(value);
    note(path, shown + ", but " + join(due, " or ") + " is due");
    return false;
  }

  void check_choice(const json::value& value, const json::array& choices, const std::vector<std::string>& path) {
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
    std::vector<std::string> words;
    for (const auto& choice : choices) words.push_back(choice.is_string() ? std::string{choice.get_string()} : json::serialize(choice));
    const std::string text = value.is_string() ? std::string{value.get_string()} : json::serialize(value);
    const auto advice = suggestion(text, words);
    note(path, quote(text) + " is not one of " + printable(join(words, ", "), 200) + advice);
  }

  void check_object(json::object& object, const json::object& schema, const std::vector<std::string>& path) {
    const auto* properties = object_at(schema, "properties");
    std::vector<std::string> names;
    if (properties)
      for (const auto& property : *properties) names.emplace_back(property.key());
    const auto* more = schema.if_contains("additionalProperties");
    const bool closed = more && more->is_bool() && !more->get_bool() && !schema.contains("patternProperties");
    for (auto& item : object) {
      const std::string key{item.key()};
      const auto* own = properties ? object_at(*properties, key) : nullptr;
      if (own) check(item.value(), *own, below(path, key));
      else if (closed && std::find(names.begin(), names.end(), key) == names.end()) {
        auto advice = suggestion(key, names);
        if (advice.empty()) advice = names.empty() ? "" : " (known: " + printable(join(names, ", "), 200) + ")";
        note(below(path, key), "is not known to the plugin" + advice);
      }
    }
    if (const auto* required = schema.if_contains("required"); required && required->is_array())
      for (const auto& name : required->get_array())
        if (name.is_string() && !object.contains(name.get_string())) note(path, "the key " + quote(std::string{name.get_string()}) + " is missing");
    if (properties) fill_in(object, *properties, path);
  }

  /// A default is looked at like a value that was written: nobody else would ask whether its secret is there.
  void fill_in(json::object& object, const json::object& properties, const std::vector<std::string>& path) {
    for (const auto& property : properties) {
      const auto* schema = property.value().if_object();
      const auto* otherwise = schema ? schema->if_contains("default") : nullptr;
      if (!otherwise || object.contains(property.key())) continue;
      check(object[property.key()] = *otherwise, *schema, below(path, property.key()));
    }
  }

  const std::function<bool(const std::string&)>& knows_secret_;
};

/// The schema without what is said of secrets: their values are not there to be looked at.
json::value without_secret_rules(const json::value& schema) {
  if (is_secret(schema)) return json::object{};
  if (const auto* object = schema.if_object()) {
    json::object copy;
    for (const auto& item : *object) copy[item.key()] = without_secret_rules(item.value());
    return copy;
  }
  if (const auto* list = schema.if_array()) {
    json::array copy;
    for (const auto& item : *list) copy.push_back(without_secret_rules(item));
    return copy;
  }
  return schema;
}

}  // namespace

json::object schema_of(const Node& schema) {
  json::value tree = config::as_typed_json(schema);
  settle_numbers(tree);
  return std::move(tree.as_object());
}

std::string ConfigMistake::place(const std::string& label) const { return path.empty() ? label : label + "." + join(path, "."); }

std::vector<ConfigMistake> check_configuration(json::object& configuration, const json::object& schema,
                                               const std::function<bool(const std::string&)>& knows_secret) {
  ConfigCheck check{knows_secret};
  json::value value = configuration;
  check.check(value, schema, {});
  // What has a plain word already needs no second one; the rest of draft 7 is the library's.
  if (check.mistakes.empty())
    for (auto& violation : violations(value, without_secret_rules(schema))) {
      const bool summary = violation.message.starts_with("Failed to validate against") && !check.mistakes.empty();
      if (!summary) check.mistakes.push_back({std::move(violation.path), std::move(violation.message)});
    }
  if (check.mistakes.empty()) configuration = std::move(value.as_object());
  return std::move(check.mistakes);
}

namespace {

void unveil(json::object& configuration, const json::object& schema, const std::string& prefix, std::map<std::string, std::string>& secrets) {
  const auto* properties = object_at(schema, "properties");
  if (!properties) return;
  for (const auto& property : *properties) {
    auto* value = configuration.if_contains(property.key());
    const auto* own = property.value().if_object();
    if (!value || !own || !value->is_object()) continue;
    const std::string place = prefix + std::string{property.key()};
    if (!is_secret(*own)) {
      unveil(value->get_object(), *own, place + ".", secrets);
    } else if (const auto* name = value->get_object().if_contains("secret"); name && name->is_string()) {
      secrets[place] = name->get_string();
      *value = json::object{{"$secret", place}};
    }
  }
}

void set_aside(json::object& configuration, const json::object& schema, const std::string& prefix, std::map<std::string, std::string>& secrets) {
  const auto* properties = object_at(schema, "properties");
  if (!properties) return;
  for (const auto& property : *properties) {
    auto* value = configuration.if_contains(property.key());
    const auto* own = property.value().if_object();
    if (!value || !own) continue;
    const std::string place = prefix + std::string{property.key()};
    if (value->is_object()) {
      if (!is_secret(*own)) set_aside(value->get_object(), *own, place + ".", secrets);
    } else if (is_secret(*own) && value->is_primitive() && !value->is_null()) {
      secrets[place] = value->is_string() ? std::string{value->get_string()} : json::serialize(*value);
      *value = json::object{{"secret", place}};
    }
  }
}

}  // namespace

Unveiled without_secrets(const json::object& configuration, const json::object& schema) {
  Unveiled result{configuration, {}};
  unveil(result.configuration, schema, "", result.secrets);
  return result;
}

void set_secrets_aside(json::object& configuration, const json::object& schema, std::map<std::string, std::string>& secrets) {
  set_aside(configuration, schema, "", secrets);
}

bool has_secrets(const json::object& schema) {
  if (is_secret(schema)) return true;
  const auto* properties = object_at(schema, "properties");
  return properties && std::any_of(properties->begin(), properties->end(), [](const auto& property) {
           return property.value().is_object() && has_secrets(property.value().get_object());
         });
}

}  // namespace outpost::hooks
