#include "plugins/hooks/schema_patterns.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/schema_words.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>

namespace outpost::hooks {

namespace json = boost::json;

namespace {

constexpr std::string_view hidden_patterns = "outpost:patternProperties";

void collect_keys(const json::value& value, std::set<std::string>& keys) {
  if (const auto* list = value.if_array())
    for (const auto& item : *list) collect_keys(item, keys);
  if (const auto* object = value.if_object())
    for (const auto& item : *object) {
      keys.emplace(item.key());
      collect_keys(item.value(), keys);
    }
}

/// A reference whose way leads through `patternProperties`, by the name that they have now.
json::string renamed(std::string_view reference) {
  auto steps = split(reference, '/');
  bool is_name = false;
  for (auto& step : steps) {
    const bool at_schema = !std::exchange(is_name, false);
    if (!at_schema) continue;
    is_name = has_named_schemas(step);
    if (step == "patternProperties") step = hidden_patterns;
  }
  return json::string{join(steps, "/")};
}

/// A step of a JSON pointer (RFC 6901) in a fragment.
std::string step_to(std::string_view key) { return "/" + percent_encode(replace_all(replace_all(std::string{key}, "~", "~0"), "/", "~1")); }

json::object& object_in(json::object& of, std::string_view key) {
  auto& value = of[key];
  if (!value.is_object()) value = json::object{};
  return value.get_object();
}

class Rewriting {
 public:
  Rewriting(const json::value& value, Patterns& patterns) : patterns_{patterns} { collect_keys(value, keys_); }

  /// A schema, or a list of schemas; under keywords that nobody knows one may lie too, and be referred to. `place` is
  /// the reference to it.
  json::value rewritten(const json::value& rules, const std::string& place) {
    if (const auto* list = rules.if_array()) {
      json::array items;
      for (const auto& each : *list) items.push_back(rewritten(each, place + "/" + std::to_string(items.size())));
      return items;
    }
    const auto* schema = rules.if_object();
    if (!schema) return rules;
    json::object result;
    for (const auto& item : *schema) take(item.key(), item.value(), place, result);
    if (const auto* of_keys = schema->if_contains("patternProperties"); of_keys && of_keys->is_object()) spread(of_keys->get_object(), place, result);
    return result;
  }

 private:
  void take(std::string_view key, const json::value& rule, const std::string& place, json::object& result) {
    const auto* text = rule.if_string();
    if (key == "$id" || key == "patternProperties") return;  // References are the schema's own, from its top.
    if (key == "pattern" && text) result[our_pattern] = rule;
    else if (key == "format" && text && is_time_format(*text)) result[our_format] = rule;
    else if (key == "$ref" && text) result[key] = renamed(*text);
    else if (has_a_value(key)) result[key] = rule;
    else if (has_named_schemas(key) && rule.is_object()) result[key] = named(rule.get_object(), place + step_to(key));
    else result[key] = rewritten(rule, place + step_to(key));
  }

  json::object named(const json::object& schemas, const std::string& place) {
    json::object result;
    for (const auto& item : schemas) result[item.key()] = rewritten(item.value(), place + step_to(item.key()));
    return result;
  }

  /// Keys get references: copies of schemas with copies would be without number.
  void spread(const json::object& of_keys, const std::string& place, json::object& result) {
    const std::string hidden = place + step_to(hidden_patterns);
    result[hidden_patterns] = named(of_keys, hidden);
    json::object& own = object_in(result, "properties");
    json::array expressions, beside;
    for (const auto& item : of_keys) {
      const std::string pattern{item.key()};
      const json::object reference{{"$ref", hidden + step_to(pattern)}};
      json::object further;
      for (const auto& key : keys_)
        if (patterns_.compare(pattern, key) == Patterns::Match::yes) (own.contains(key) ? further : own)[key] = reference;
      if (!further.empty()) beside.push_back(json::object{{"properties", further}});
      expressions.push_back(json::string{pattern});
    }
    result[our_keys] = std::move(expressions);
    if (beside.empty()) return;
    auto& all = result["allOf"];
    if (!all.is_array()) all = json::array{};
    for (const auto& each : beside) all.get_array().push_back(each);
  }

  Patterns& patterns_;
  std::set<std::string> keys_;
};

int number_at(std::string_view text, std::size_t at, std::size_t length) {
  int number = 0;
  std::from_chars(text.data() + at, text.data() + at + length, number);
  return number;
}

/// `0000-00-00`, where 0 is any digit, and every other byte itself.
bool has_shape(std::string_view text, std::string_view shape) {
  return text.size() == shape.size() && std::equal(text.begin(), text.end(), shape.begin(), [](char c, char due) { return due == '0' ? c >= '0' && c <= '9' : c == due; });
}

bool is_date(std::string_view text) {
  using namespace std::chrono;
  if (!has_shape(text, "0000-00-00")) return false;
  return (year{number_at(text, 0, 4)} / number_at(text, 5, 2) / number_at(text, 8, 2)).ok();
}

bool is_time_of_day(std::string_view text, int most_seconds) {
  const bool seconds = text.size() > 5;
  if (!has_shape(text, seconds ? "00:00:00" : "00:00")) return false;
  return number_at(text, 0, 2) < 24 && number_at(text, 3, 2) < 60 && (!seconds || number_at(text, 6, 2) <= most_seconds);
}

bool is_time(std::string_view text) {
  if (text.size() < 9 || !is_time_of_day(text.substr(0, 8), 60)) return false;
  text.remove_prefix(8);
  if (text.front() == '.') {
    const auto digits = text.substr(1).find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos) return false;
    text.remove_prefix(1 + digits);
  }
  if (text == "Z" || text == "z") return true;
  return (text.front() == '+' || text.front() == '-') && text.size() == 6 && is_time_of_day(text.substr(1), 0);
}

}  // namespace

Patterns::Match Patterns::compare(const std::string& pattern, const std::string& text) {
  auto known = known_.find(pattern);
  if (known == known_.end()) {
    auto compiled = RegularExpression::compile(pattern);
    if (!compiled) throw std::invalid_argument{config::quote(pattern) + " is not a regular expression: " + compiled.error().message};
    known = known_.emplace(pattern, Known{*compiled, {}}).first;
  }
  auto& matches = known->second.matches;
  if (const auto before = matches.find(text); before != matches.end()) return before->second;
  const auto most = std::min(most_steps, left_);
  auto steps = most;
  const auto match = known->second.expression.search(text, steps);
  left_ -= most - steps;
  return matches.emplace(text, match).first->second;
}

bool Patterns::is_undecided(const std::string& pattern, const std::string& text) const {
  const auto known = known_.find(pattern);
  if (known == known_.end()) return false;
  const auto match = known->second.matches.find(text);
  return match != known->second.matches.end() && match->second == Match::undecided;
}

void Patterns::note(std::vector<std::string> path, const std::string& pattern, const std::string& text) {
  const std::string message = "whether " + config::quote(printable(text, 80)) + " matches the pattern " + config::quote(printable(pattern, 80)) +
                              " cannot be found out in " + most_work() +
                              " (in the plugin's schema, write the pattern without a repeat in a repeat: a+ rather than (a+)+)";
  const auto is_same = [&](const Violation& each) { return each.path == path && each.message == message; };
  if (std::none_of(noted.begin(), noted.end(), is_same)) noted.push_back({std::move(path), message});
}

json::value with_our_patterns(const json::value& schema, const json::value& value, Patterns& patterns) {
  return Rewriting{value, patterns}.rewritten(schema, "#");
}

bool is_time_format(std::string_view format) { return format == "date" || format == "date-time" || format == "time"; }

bool has_time_format(std::string_view text, std::string_view format) {
  if (format == "date") return is_date(text);
  if (format == "time") return is_time(text);
  return text.size() > 11 && is_date(text.substr(0, 10)) && (text[10] == 'T' || text[10] == 't') && is_time(text.substr(11));
}

}  // namespace outpost::hooks
