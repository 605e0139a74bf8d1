#include "agent/cli/shown.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event.hpp"

#include <boost/json/serialize.hpp>

#include <chrono>
#include <iostream>

namespace outpost::cli {

namespace json = boost::json;

const json::object& object_at(const json::object& object, std::string_view key) {
  static const json::object nothing;
  const auto* value = object.if_contains(key);
  return value && value->is_object() ? value->get_object() : nothing;
}

std::string age(const std::string& moment) {
  const auto then = parse_rfc3339(moment);
  if (!then) return "unknown";
  return format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(SystemClock{}.now() - *then));
}

std::string ago(const std::string& moment) { return parse_rfc3339(moment) ? age(moment) + " ago" : "never"; }

std::string size_at(const json::object& object, std::string_view key) {
  return format_size(static_cast<std::uint64_t>(job::number_at(object, key)));
}

std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void print_document(std::string_view schema, const json::object& content) {
  json::object document{{"schema", schema}, {"version", 1}};
  for (const auto& [key, value] : content) document.emplace(key, value);
  std::cout << json::serialize(document) << "\n";
}

}  // namespace outpost::cli
