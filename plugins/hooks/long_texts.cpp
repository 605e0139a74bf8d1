#include "plugins/hooks/long_texts.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <array>
#include <regex>
#include <set>
#include <system_error>
#include <utility>

namespace outpost::hooks {

namespace json = boost::json;

namespace {

using Path = std::vector<std::string>;

/// Keywords whose schemas look at the same value as the schema in which they stand.
constexpr std::array<const char*, 4> alone{"else", "if", "not", "then"};
constexpr std::array<const char*, 3> several{"allOf", "anyOf", "oneOf"};

/// Formats that the library compares with expressions of its own.
const std::set<std::string_view> matched_formats{"date", "date-time", "time"};

const json::object* object_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}

Path below(Path path, std::string key) {
  path.push_back(std::move(key));
  return path;
}

bool is_long(std::string_view text) { return text.size() > longest_matched; }

/// A key that could be compared with the pattern, and fits; the schema's check has told of an expression that is none.
bool fits(std::string_view key, std::string_view pattern) {
  if (is_long(key)) return false;
  try {
    return std::regex_search(std::string{key}, std::regex{std::string{pattern}});
  } catch (const std::regex_error&) {
    return true;
  }
}

/// Goes with a value through every schema that may look at it.
class Walk {
 public:
  explicit Walk(const json::value& root) : root_{root} {}

  void look(const json::value& value, const json::value& rules, const Path& path) {
    const auto* schema = rules.if_object();
    if (!schema || !seen_.emplace(&value, schema).second) return;
    look_beside(value, *schema, path);
    if (value.is_string()) look_at_text(value.get_string(), *schema, path);
    if (value.is_object()) look_at_object(value.get_object(), *schema, path);
    if (value.is_array()) look_at_list(value.get_array(), *schema, path);
  }

  std::vector<Violation> found;

 private:
  void note(const Path& path, const std::string& what, std::size_t size) {
    found.push_back({path, what + "has " + std::to_string(size) + " bytes, and a pattern is compared with at most " +
                               std::to_string(longest_matched)});
  }

  /// Schemas of the same value.
  void look_beside(const json::value& value, const json::object& schema, const Path& path) {
    if (const auto* reference = schema.if_contains("$ref"); reference && reference->is_string())
      if (const auto* target = target_of(reference->get_string())) look(value, *target, path);
    for (const char* key : alone)
      if (const auto* next = schema.if_contains(key)) look(value, *next, path);
    for (const char* key : several)
      if (const auto* all = schema.if_contains(key); all && all->is_array())
        for (const auto& next : all->get_array()) look(value, next, path);
    if (const auto* dependencies = object_at(schema, "dependencies"); dependencies && value.is_object())
      for (const auto& next : *dependencies)
        if (value.get_object().contains(next.key())) look(value, next.value(), path);
  }

  void look_at_text(std::string_view text, const json::object& schema, const Path& path) {
    if (!is_long(text)) return;
    const auto* format = schema.if_contains("format");
    const bool is_matched =
        schema.contains("pattern") || (format && format->is_string() && matched_formats.contains(format->get_string()));
    if (is_matched && noted_.insert(text.data()).second) note(path, "", text.size());
  }

  void look_at_object(const json::object& object, const json::object& schema, const Path& path) {
    const auto *properties = object_at(schema, "properties"), *patterns = object_at(schema, "patternProperties");
    for (const auto& item : object) {
      const std::string key{item.key()};
      const Path place = below(path, key);
      look_at_key(item.key(), schema, path);
      const auto* own = properties ? properties->if_contains(key) : nullptr;
      if (own) look(item.value(), *own, place);
      bool is_known = own != nullptr;
      if (patterns)
        for (const auto& pattern : *patterns)
          if (fits(key, pattern.key())) {
            is_known = true;
            look(item.value(), pattern.value(), place);
          }
      if (const auto* more = schema.if_contains("additionalProperties"); more && !is_known)
        look(item.value(), *more, place);
    }
  }

  void look_at_key(std::string_view key, const json::object& schema, const Path& path) {
    if (is_long(key) && is_matched_key(key, schema) && noted_.insert(key.data()).second)
      note(path, "the key " + config::quote(printable(key, 80)) + " ", key.size());
  }

  [[nodiscard]] bool is_matched_key(std::string_view key, const json::object& schema) const {
    if (const auto* patterns = object_at(schema, "patternProperties"); patterns && !patterns->empty()) return true;
    const auto* names = schema.if_contains("propertyNames");
    if (!names) return false;
    Walk of_key{root_};
    of_key.look(json::value(key), *names, {});
    return !of_key.found.empty();
  }

  void look_at_list(const json::array& list, const json::object& schema, const Path& path) {
    const auto* items = schema.if_contains("items");
    const auto* each = items ? items->if_array() : nullptr;
    for (std::size_t index = 0; index < list.size(); ++index) {
      const Path place = below(path, std::to_string(index));
      const auto follow = [&](const json::value* next) {
        if (next) look(list[index], *next, place);
      };
      if (each && index < each->size())
        follow(&(*each)[index]);
      else
        follow(each ? schema.if_contains("additionalItems") : items);
      follow(schema.if_contains("contains"));
    }
  }

  /// What a JSON pointer in a fragment leads to.
  [[nodiscard]] const json::value* target_of(std::string_view reference) const {
    const json::value* at = &root_;
    const auto steps = split(reference, '/');
    for (auto step = steps.begin() + 1; at && step != steps.end(); ++step) {
      std::error_code error;
      at = at->find_pointer("/" + replace_all(percent_decode(*step), "/", "~1"), error);
    }
    return at;
  }

  const json::value& root_;
  std::set<std::pair<const json::value*, const json::object*>> seen_;
  std::set<const char*> noted_;  ///< Texts of which somebody has been told.
};

}  // namespace

std::vector<Violation> too_long_to_match(const json::value& value, const json::value& schema) {
  Walk walk{schema};
  walk.look(value, schema, {});
  return std::move(walk.found);
}

}  // namespace outpost::hooks
