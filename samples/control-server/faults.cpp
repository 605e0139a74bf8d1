#include "samples/control-server/faults.hpp"

#include "agent/base/text.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::sample {
namespace {

namespace json = boost::json;

constexpr std::string_view html_page =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";

constexpr std::string_view keys[] = {
    "method",         "path", "nth",    "after", "times", "probability", "seed", "execute",  "delay_before_ms",
    "delay_after_ms", "drop", "status", "body",  "json",  "headers",     "html", "truncate", "bytes_per_second"};

Error bad(const std::string& what) {
  return {Fault::malformed, "fault script: " + what + " (example: POST /api/v1/files nth=2 status=503 retry-after=1)"};
}

/// A word of a line as JSON: numbers and true/false as such, the rest as text.
json::value word_value(const std::string& word) {
  boost::system::error_code broken;
  auto value = json::parse(word, broken);
  if (!broken && (value.is_number() || value.is_bool())) return value;
  return json::string{word};
}

/// "METHOD PATH key=value... flag..." as the JSON of a rule.
Result<json::object> rule_of_line(std::string_view line) {
  std::vector<std::string> words;
  for (auto& word : split(line, ' '))
    if (!word.empty()) words.push_back(std::move(word));
  if (words.size() < 3) return bad("\"" + printable(line) + "\" needs a method, a path and what to do");
  json::object rule{{"method", words[0]}, {"path", words[1]}};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const auto equal = words[i].find('=');
    const auto key = replace_all(words[i].substr(0, equal), "-", "_");
    if (key == "retry_after") {
      rule["headers"] = json::object{{"Retry-After", words[i].substr(equal + 1)}};
    } else if (key == "nth") {
      json::array nth;
      for (const auto& number : split(words[i].substr(equal + 1), ',')) nth.push_back(word_value(number));
      rule["nth"] = std::move(nth);
    } else {
      rule[key] = equal == std::string::npos ? json::value(true) : word_value(words[i].substr(equal + 1));
    }
  }
  return rule;
}

Result<json::array> rules_of(std::string_view script) {
  const auto trimmed = trim(script);
  json::array rules;
  if (trimmed.starts_with('[') || trimmed.starts_with('{')) {
    boost::system::error_code broken;
    auto value = json::parse(trimmed, broken);
    if (broken) return bad(broken.message());
    if (value.is_object()) return json::array{value};
    return value.as_array();
  }
  for (const auto& part : split(replace_all(std::string{trimmed}, ";", "\n"), '\n')) {
    const auto line = trim(part);
    if (line.empty() || line.starts_with('#')) continue;
    auto rule = rule_of_line(line);
    if (!rule) return rule.error();
    rules.emplace_back(std::move(*rule));
  }
  return rules;
}

/// Reads members of a rule and remembers the first that has the wrong type.
class Reader {
 public:
  explicit Reader(const json::object& source) : source_{source} {}

  std::uint64_t number(const char* key, std::uint64_t fallback) {
    const auto* value = source_.if_contains(key);
    if (!value) return fallback;
    if (value->is_int64() && value->as_int64() >= 0) return static_cast<std::uint64_t>(value->as_int64());
    return fail(key, "a number"), fallback;
  }
  bool flag(const char* key, bool fallback) {
    const auto* value = source_.if_contains(key);
    if (!value) return fallback;
    if (value->is_bool()) return value->as_bool();
    return fail(key, "true or false"), fallback;
  }
  std::string text(const char* key, const char* fallback) {
    const auto* value = source_.if_contains(key);
    if (!value) return fallback;
    if (value->is_string()) return std::string{value->as_string()};
    return fail(key, "a text"), fallback;
  }
  double real(const char* key, double fallback) {
    const auto* value = source_.if_contains(key);
    if (!value) return fallback;
    if (value->is_number()) return value->to_number<double>();
    return fail(key, "a number"), fallback;
  }
  void fail(const std::string& key, const std::string& what) {
    if (complaint.empty()) complaint = key + " must be " + what;
  }

  std::string complaint;

 private:
  const json::object& source_;
};

void read_answer(Reader& read, const json::object& source, FaultAction& action) {
  if (source.contains("status")) action.status = static_cast<int>(read.number("status", 503));
  if (action.status && (*action.status < 200 || *action.status > 999)) read.fail("status", "from 200 to 999");
  if (source.contains("body")) action.body = read.text("body", "");
  if (const auto* value = source.if_contains("json")) {
    action.body = json::serialize(*value);
    action.headers.set("Content-Type", "application/json");
  }
  if (read.flag("html", false)) {
    action.body = std::string{html_page};
    action.headers.set("Content-Type", "text/html");
  }
  if (const auto* headers = source.if_contains("headers")) {
    if (!headers->is_object()) return read.fail("headers", "an object");
    for (const auto& [name, value] : headers->as_object())
      action.headers.set(std::string{name},
                         value.is_string() ? std::string{value.as_string()} : json::serialize(value));
  }
}

}  // namespace

Result<Faults::Rule> Faults::rule_of(const json::object& source) {
  for (const auto& [key, value] : source)
    if (std::ranges::find(keys, std::string_view{key}) == std::end(keys))
      return bad("unknown key \"" + printable(key) + "\"");
  Rule rule;
  Reader read{source};
  rule.method = read.text("method", "*");
  rule.path = read.text("path", "*");
  if (const auto* nth = source.if_contains("nth")) {
    const auto list = nth->is_array() ? nth->as_array() : json::array{*nth};
    for (const auto& number : list) {
      if (!number.is_int64() || number.as_int64() < 1) return bad("nth must be a number from 1, or a list of such");
      rule.nth.push_back(static_cast<std::uint64_t>(number.as_int64()));
    }
  }
  rule.after = read.number("after", 0);
  rule.times = read.number("times", UINT64_MAX);
  rule.probability = read.real("probability", 1.0);
  rule.random.seed(read.number("seed", 1));
  auto& action = rule.action;
  action.delay_before = std::chrono::milliseconds{read.number("delay_before_ms", 0)};
  action.delay_after = std::chrono::milliseconds{read.number("delay_after_ms", 0)};
  action.drop = read.flag("drop", false);
  read_answer(read, source, action);
  if (source.contains("truncate")) action.truncate = std::max<std::uint64_t>(1, read.number("truncate", 1));
  if (source.contains("bytes_per_second"))
    action.bytes_per_second = std::max<std::uint64_t>(1, read.number("bytes_per_second", 1));
  action.execute = read.flag("execute", !action.drop && !action.status && !action.body);
  if (!read.complaint.empty()) return bad(read.complaint);
  rule.source = source;
  return rule;
}

Result<Faults> Faults::parse(std::string_view script) {
  auto rules = rules_of(script);
  if (!rules) return rules.error();
  Faults faults;
  for (const auto& source : *rules) {
    if (!source.is_object()) return bad("a rule must be an object");
    auto rule = rule_of(source.as_object());
    if (!rule) return rule.error();
    faults.rules_.push_back(std::move(*rule));
  }
  return faults;
}

std::optional<FaultAction> Faults::pick(std::string_view method, std::string_view path) {
  for (auto& rule : rules_) {
    if ((rule.method != "*" && rule.method != method) || !matches_glob(path, rule.path)) continue;
    ++rule.seen;
    if (!rule.nth.empty() && std::ranges::find(rule.nth, rule.seen) == rule.nth.end()) continue;
    if (rule.seen <= rule.after || rule.struck >= rule.times) continue;
    if (rule.probability < 1.0 && std::uniform_real_distribution{0.0, 1.0}(rule.random) >= rule.probability) continue;
    ++rule.struck;
    return rule.action;
  }
  return {};
}

json::array Faults::report() const {
  json::array list;
  for (const auto& rule : rules_) {
    auto shown = rule.source;
    shown["seen"] = rule.seen;
    shown["struck"] = rule.struck;
    list.emplace_back(std::move(shown));
  }
  return list;
}

}  // namespace outpost::sample
