#include "plugins/hooks/call_line.hpp"

#include <boost/json/parse.hpp>

#include <string>

namespace outpost::hooks {
namespace {

namespace json = boost::json;

bool is_call_id(const std::string& id) {
  return id.size() >= 8 && id.size() <= 64 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->get_string()} : std::string{};
}

}  // namespace

Result<CallLine> parse_call(std::string_view line) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 16;
  auto parsed = json::parse(line, error, {}, options);
  if (error || !parsed.is_object()) return Error{Fault::malformed, "a call is a JSON object in one line"};
  auto& object = parsed.get_object();
  const auto* version = object.if_contains("v");
  if (!version || !version->is_int64() || version->get_int64() != 1) return Error{Fault::unavailable, "this agent speaks version 1"};
  CallLine said{{text_of(object, "id"), text_of(object, "verb"), {}, Descriptor{}}, object.contains("files")};
  if (!is_call_id(said.call.id) || said.call.verb.empty()) return Error{Fault::malformed, "a call has an id and a verb"};
  if (auto* arguments = object.if_contains("args"); arguments && arguments->is_object()) said.call.arguments = std::move(arguments->get_object());
  return said;
}

}  // namespace outpost::hooks
