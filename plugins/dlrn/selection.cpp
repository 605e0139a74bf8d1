#include "plugins/dlrn/selection.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace outpost::dlrn {
namespace {

namespace json = boost::json;

Error wrong(std::string message) { return {Fault::malformed, std::move(message)}; }

/// A label or component becomes part of an address: one step of a path that leads down.
Result<void> check_name(std::string_view what, std::string_view name) {
  const bool odd = name.empty() || name.size() > 200 || name.front() == '.' || name.find('/') != std::string_view::npos ||
                   std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f || c == '\\'; });
  if (!odd) return {};
  return wrong("the " + std::string{what} + " \"" + printable(name, 100) + "\" is none (examples: consistent, component/compute/consistent)");
}

Result<Selection> parse_path(std::string_view text) {
  Selection selection;
  constexpr std::string_view prefix = "component/";
  if (text.starts_with(prefix)) {
    const auto rest = text.substr(prefix.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return wrong("\"" + printable(text, 100) + "\" lacks the label (example: component/compute/consistent)");
    selection.component = rest.substr(0, slash);
    if (auto checked = check_name("component", selection.component); !checked) return checked.error();
    text = rest.substr(slash + 1);
  }
  selection.label = text;
  if (auto checked = check_name("label", selection.label); !checked) return checked.error();
  return selection;
}

/// As the configuration writes it: a JSON boolean, or a word.
Result<bool> truth(std::string_view key, const json::value& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_string() && value.get_string() == "true") return true;
  if (value.is_string() && value.get_string() == "false") return false;
  return wrong(std::string{key} + ": true or false is due");
}

Result<void> read_tested(const json::object& object, Selection& selection) {
  auto& query = selection.query;
  query.job_id = job::text_at(object, "tested");
  query.component = selection.component;
  if (const auto* success = object.if_contains("success")) {
    const auto value = truth("success", *success);
    if (!value) return value.error();
    query.success = *value;
  }
  if (const auto* sequential = object.if_contains("sequential")) {
    const auto value = truth("sequential", *sequential);
    if (!value) return value.error();
    query.sequential = *value;
  }
  if (const std::string age = job::text_at(object, "max_age"); !age.empty()) {
    const auto duration = parse_duration(age);
    if (!duration || *duration < std::chrono::hours{1}) return wrong("max_age: \"" + printable(age, 60) + "\" is not a duration of an hour or more (example: 24h)");
    query.max_age = std::chrono::ceil<std::chrono::hours>(*duration);
  }
  // Only in this mode does the builder stick to one job; there it takes the job under another name.
  if (query.sequential) query.previous_job_id = std::exchange(query.job_id, "");
  return {};
}

Result<Selection> parse_object(const json::object& object) {
  static const std::array<std::string, 7> keys{"promoted", "tested", "component", "success", "sequential", "max_age", "after"};
  for (const auto& [key, value] : object) {
    if (std::find(keys.begin(), keys.end(), std::string{key}) != keys.end()) continue;
    const auto meant = nearest(key, keys);
    return wrong("unknown key \"" + printable(key, 60) + "\"" + (meant ? "; did you mean \"" + *meant + "\"?" : " (known: " + join(keys, ", ") + ")"));
  }
  if (object.contains("promoted") == object.contains("tested")) return wrong("exactly one of the keys promoted and tested is due");
  Selection selection;
  selection.component = job::text_at(object, "component");
  if (object.contains("component"))
    if (auto checked = check_name("component", selection.component); !checked) return checked.error();
  if (object.contains("after") && (!object.contains("promoted") || job::text_at(object, "after").empty()))
    return wrong("after: the name of a job is due, beside promoted: LABEL");
  if (object.contains("promoted")) {
    selection.after = job::text_at(object, "after");
    selection.kind = Selection::Kind::promoted;
    selection.label = job::text_at(object, "promoted");
    if (auto checked = check_name("label", selection.label); !checked) return checked.error();
    if (selection.label == "current" || selection.label == "consistent")
      return wrong("promoted: the label " + selection.label + " has no history in the API; write it as a path to watch the web tree");
    return selection;
  }
  selection.kind = Selection::Kind::tested;
  if (job::text_at(object, "tested").empty()) return wrong("tested: the name of a job is due");
  if (auto read = read_tested(object, selection); !read) return read.error();
  return selection;
}

}  // namespace

Result<Selection> parse_selection(std::string_view text) {
  if (!text.starts_with('{')) return parse_path(text);
  boost::system::error_code not_json;
  const auto value = json::parse(text, not_json);
  if (not_json || !value.is_object()) return wrong("\"" + printable(text, 100) + "\" is neither a label nor an object");
  return parse_object(value.get_object());
}

Result<void> check_selection(const json::value& value) {
  auto selection = value.is_string() ? parse_selection(value.get_string()) : parse_selection(json::serialize(value));
  if (!selection) return selection.error();
  return {};
}

}  // namespace outpost::dlrn
